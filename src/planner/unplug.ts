/** From a chosen set of modules to a decision: is the guest safe, is another unplug under way, which steps. */
import { type Bytes, zeroBytes } from '../memory/bytes.ts';
import { measured, modules, needed, size } from './explain.ts';
import { judgeUnplug, type UnplugSafety } from './guest-safety.ts';
import { waitForLeaving } from './leaving.ts';
import type { Situation } from './situation.ts';
import type { SumSet } from './subset-sum.ts';
import type { PlannerModule, UnplugStep } from './types.ts';
import { type Decided, withoutSteps } from './decided.ts';

export const sizeOfAll = (chosen: readonly PlannerModule[]): number =>
  chosen.reduce((sum, module) => sum + module.size, 0);

/** One step a module, in the order given: every state in between lies between the old and the new total. */
export const unplugSteps = (chosen: readonly PlannerModule[], minUsableAfter: Bytes | null): UnplugStep[] =>
  chosen.map(({ size, node, slot, base, alias }) => ({
    operation: 'unplug',
    size,
    node,
    slot,
    base,
    alias,
    minUsableAfter,
  }));

/** What the checks of a found set come to: what is decided instead, or what its steps need to know. */
export type Clearance =
  | { readonly kind: 'stop'; readonly decided: Decided }
  | { readonly kind: 'go'; readonly minUsableAfter: Bytes | null; readonly note: string };

/**
 * Checks a set before it is unplugged: guest safety, then that no other unplug is under way.
 * @param given bytes plugged before
 */
export function clearUnplug(
  situation: Situation,
  candidateSums: SumSet,
  chosen: readonly PlannerModule[],
  given: Bytes,
): Clearance {
  const taken = sizeOfAll(chosen);
  const safety = judgeUnplug(situation, taken, given);
  if (safety.kind !== 'safe') {
    return { kind: 'stop', decided: unsafe(situation, candidateSums, taken - given, safety) };
  }
  if (situation.leaving.length > 0) return { kind: 'stop', decided: waitForLeaving(situation) };
  return { kind: 'go', minUsableAfter: safety.minUsableAfter, note: safety.note === null ? '' : `; ${safety.note}` };
}

/** What is decided for unplugging `chosen`, whose sum is at most what is wanted less. */
export function unplug(situation: Situation, candidateSums: SumSet, chosen: readonly PlannerModule[]): Decided {
  const clearance = clearUnplug(situation, candidateSums, chosen, zeroBytes);
  if (clearance.kind === 'stop') return clearance.decided;
  const { current, desired } = situation;
  const result = current - sizeOfAll(chosen);
  const near = result === desired ? '' : `, ${size(result - desired)} above what is wanted: no set comes nearer`;
  return {
    decision: 'unplug',
    reason: 'Unplugging',
    message: `unplug ${modules(chosen)} to go from ${size(current)} to ${size(result)}${near}${clearance.note}`,
    steps: unplugSteps(chosen, clearance.minUsableAfter),
  };
}

function unsafe(
  { observation, settled, desired }: Situation,
  candidateSums: SumSet,
  less: number,
  safety: Exclude<UnplugSafety, { kind: 'safe' }>,
): Decided {
  if (safety.kind === 'late') {
    return withoutSteps(
      'wait',
      'WaitingForGuest',
      `the guest has not reported its memory for ${Math.round(safety.silentMs / 1000)} s, so it is unknown whether it can spare ${size(less)}: waiting for that`,
    );
  }
  if (safety.kind === 'unknown') {
    const { silentMs } = observation.guest ?? {};
    const what =
      silentMs !== undefined
        ? `the guest has not reported its memory for ${Math.round(silentMs / 1000)} s`
        : safety.stale
          ? "the guest's statistics are too old"
          : 'the guest reports no statistics';
    const wayOut =
      silentMs !== undefined
        ? 'see whether it hangs or is paused, or set guestSafety to Off'
        : 'give it a virtio memory balloon with its driver (<memballoon model="virtio"> with <stats period="2"/>), or ' +
          'set guestSafety to BestEffort';
    return withoutSteps(
      'blocked',
      'GuestMemoryUnknown',
      `${what}, so it is unknown whether it can spare ${size(less)}: ${wayOut}`,
    );
  }
  const lowest = settled - candidateSums.atMost(safety.spare);
  const total = observation.guest?.total ?? zeroBytes;
  const inUse = Math.max(0, total - safety.usable);
  return withoutSteps(
    'blocked',
    'GuestMemoryInUse',
    `${size(desired)} would take memory that the guest is using: ${measured(inUse)} of its ${measured(total)} are in use and ` +
      `${needed(safety.margin)} must stay usable; ` +
      (lowest === settled
        ? 'nothing can be unplugged safely now'
        : `the lowest size that is safe now is ${size(lowest)}`),
  );
}
