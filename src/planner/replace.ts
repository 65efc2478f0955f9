/**
 * Replace: reach a size that no set of modules gives, by plugging one module first and unplugging a set after it. The plug comes
 * first, so that the guest never has less than is wanted.
 */
import { type Bytes, bytes, isMultipleOf } from '../memory/bytes.ts';
import { modules, nearest, size } from './explain.ts';
import { plugSteps } from './grow.ts';
import { choosePool, type Obstacle } from './obstacles.ts';
import { chooseAbove } from './selection.ts';
import { largestTotal, type Situation } from './situation.ts';
import { type SumSet, subsetSums } from './subset-sum.ts';
import type { PlannerModule, Reachable } from './types.ts';
import { clearUnplug, sizeOfAll, unplugSteps } from './unplug.ts';
import { type Decided, withoutSteps } from './decided.ts';

export type Replacement =
  /** `situation`: with the pool that the plug goes to. */
  | {
      readonly kind: 'found';
      readonly situation: Situation;
      readonly plug: Bytes;
      readonly chosen: readonly PlannerModule[];
    }
  /** Sets exist, but there is no room to plug even the smallest module that one needs. */
  | { readonly kind: 'noRoom'; readonly obstacle: Obstacle }
  | { readonly kind: 'none' };

/**
 * The module to plug and the set to unplug for `amount` less, a positive multiple of the granularity that no set of
 * candidates sums to: from the first pool that gives one.
 */
export function findReplacement(
  situation: Situation,
  candidateSums: SumSet,
  amount: Bytes,
  reachable: Reachable,
): Replacement {
  const { candidates, observation, pools } = situation;
  const aligned = candidates.filter((module) => isMultipleOf(module.size, observation.granularity));
  const sums = aligned.length === candidates.length ? candidateSums : subsetSums(aligned.map((module) => module.size));
  const found = pools.map((pool) =>
    findInPool({ ...situation, pools: [pool], pool }, aligned, sums, amount, reachable),
  );
  return found.find(({ kind }) => kind === 'found') ?? found.find(({ kind }) => kind === 'noRoom') ?? { kind: 'none' };
}

function findInPool(
  situation: Situation,
  aligned: readonly PlannerModule[],
  sums: SumSet,
  amount: Bytes,
  reachable: Reachable,
): Replacement {
  const { unit, maxModule } = situation.pool;
  let smallest = sums.atLeast(amount + 1);
  while (smallest !== null && (smallest - amount) % unit !== 0) smallest = sums.atLeast(smallest + 1);
  if (smallest === null || smallest - amount > maxModule) return { kind: 'none' };
  // Every obstacle that stops a small module stops a larger one too, so the smallest tells which one it is.
  const place = choosePool(situation, smallest - amount, reachable);
  if (place.kind === 'none') return { kind: 'noRoom', obstacle: place.obstacle };
  const chosen = chooseAbove(aligned, amount, unit, amount + roomToPlug(situation), sums);
  return { kind: 'found', situation, plug: bytes(sizeOfAll(chosen) - amount), chosen };
}

/** The largest module that may be plugged now. */
function roomToPlug(situation: Situation): number {
  const { current, pool, observation } = situation;
  return Math.min(
    largestTotal(situation, pool) - current,
    observation.namespaceFree ?? Infinity,
    pool.hostFree ?? Infinity,
    pool.pageSize === null ? Infinity : (pool.hugepagesFree ?? Infinity),
    pool.maxModule,
  );
}

/** What is decided under the policy Replace. */
export function replace(situation: Situation, candidateSums: SumSet, amount: Bytes, reachable: Reachable): Decided {
  const { desired, current } = situation;
  const replacement = findReplacement(situation, candidateSums, amount, reachable);
  switch (replacement.kind) {
    case 'none':
      return withoutSteps(
        'blocked',
        'UnreachableSize',
        `plugged modules can't make ${size(amount)} less, whatever is plugged first; ${nearest(reachable)}`,
      );
    case 'noRoom': {
      const { decision, reason, message } = replacement.obstacle;
      return withoutSteps(
        decision,
        reason,
        `no set of modules makes ${size(amount)} less unless one is plugged first: ${message}`,
      );
    }
    case 'found': {
      const { plug, chosen } = replacement;
      const clearance = clearUnplug(situation, candidateSums, chosen, plug);
      if (clearance.kind === 'stop') return clearance.decided;
      return {
        decision: 'replace',
        reason: 'Replacing',
        message:
          `plug ${size(plug)}, then unplug ${modules(chosen)}, to go from ${size(current)} to ${size(desired)}; ` +
          `in between the guest has ${size(current + plug)}${clearance.note}`,
        steps: [...plugSteps(replacement.situation, [plug]), ...unplugSteps(chosen, clearance.minUsableAfter)],
      };
    }
    default:
      return replacement satisfies never;
  }
}
