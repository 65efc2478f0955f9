/** Shrinking: which modules are asked to go, and what stands in the way. */
import { type Bytes, isMultipleOf, subtractBytes } from '../memory/bytes.ts';
import { moduleName, nearest, size, sizes } from './explain.ts';
import { waitForLeaving } from './leaving.ts';
import { explainRounding } from './obstacles.ts';
import { findReplacement, replace } from './replace.ts';
import { chooseExact } from './selection.ts';
import type { Situation } from './situation.ts';
import type { SumSet } from './subset-sum.ts';
import type { Reachable } from './types.ts';
import { unplug } from './unplug.ts';
import { type Decided, withoutSteps } from './decided.ts';

/** What shrinking looks things up in. */
export type ShrinkTables = {
  readonly candidateSums: SumSet;
  /** Sums of all modules that aren't leaving, quarantined ones too. */
  readonly stayingSums: SumSet;
  readonly reachable: Reachable;
};

/** What is decided for `boot <= desired < settled`. */
export function shrink(situation: Situation, { candidateSums, stayingSums, reachable }: ShrinkTables): Decided {
  const { desired, settled, candidates, policy, observation } = situation;
  const amount = subtractBytes(settled, desired);
  // Whatever the alignment, so that a module of an odd size plugged by hand can go.
  if (candidateSums.has(amount)) return unplug(situation, candidateSums, chooseExact(candidates, amount));
  const isRefused = stayingSums.has(amount);
  if (policy.shrink !== 'Nearest' && !isMultipleOf(amount, observation.granularity)) {
    // Another size wouldn't help who has asked for this one: a module of an odd size is what stands in the way.
    if (isRefused) return refused(situation, amount);
    return withoutSteps(
      'blocked',
      'Misaligned',
      `${size(amount)} less is no multiple of ${size(observation.granularity)}, the guest's memory block; ${nearest(reachable)}${explainRounding(situation)}`,
    );
  }
  switch (policy.shrink) {
    case 'Exact':
      return isRefused ? refused(situation, amount) : unreachable(situation, candidateSums, amount, reachable);
    case 'Nearest': {
      const closest = candidateSums.atMost(amount) as Bytes;
      return closest > 0
        ? unplug(situation, candidateSums, chooseExact(candidates, closest))
        : nothingNearer(situation, reachable);
    }
    case 'Replace':
      return replace(situation, candidateSums, amount, reachable);
    default:
      return policy.shrink satisfies never;
  }
}

/** An exact set exists, but only with modules that the guest refused and that aren't asked again yet. */
function refused({ staying, desired }: Situation, amount: Bytes): Decided {
  const needed = chooseExact(staying, amount).filter(({ quarantined }) => quarantined);
  const each = needed.map((module) =>
    moduleName(module, module.retryAfter === null ? '' : `, may be tried again at ${module.retryAfter}`),
  );
  return withoutSteps(
    'blocked',
    'GuestRefused',
    `${size(desired)} needs ${each.join(', ')} unplugged, which the guest refused to give up`,
  );
}

function unreachable(situation: Situation, candidateSums: SumSet, amount: Bytes, reachable: Reachable): Decided {
  const { candidates, staying } = situation;
  const kept = staying.length === candidates.length ? '' : ' that the guest may be asked for';
  const what =
    candidates.length === 0
      ? `no module may be unplugged now to make ${size(amount)} less`
      : `plugged modules ${sizes(candidates.map((module) => module.size))}${kept} can't make ${size(amount)} less`;
  const replacement = findReplacement(situation, candidateSums, amount, reachable);
  const wayOut =
    replacement.kind === 'found' ? `; shrinkPolicy Replace reaches it by plugging ${size(replacement.plug)} first` : '';
  return withoutSteps('blocked', 'UnreachableSize', `${what}${explainBase(situation)}; ${nearest(reachable)}${wayOut}`);
}

/** Why the lowest size isn't boot memory. */
const explainBase = ({ desired, base, boot }: Situation): string =>
  desired >= base ? '' : `, and the ${size(base - boot)} of other memory devices stays, which Dimmer never takes`;

function nothingNearer(situation: Situation, reachable: Reachable): Decided {
  if (situation.leaving.length > 0) return waitForLeaving(situation);
  const { desired, current } = situation;
  return withoutSteps(
    'noop',
    'ConvergedNearest',
    `no module that may go is small enough: the guest keeps ${size(current)}, ${size(current - desired)} above what is wanted; ` +
      nearest(reachable),
  );
}
