/** The sizes that one plan reaches: the nearest around the wanted one, and all that unplugging gives. */
import type { Bytes } from '../memory/bytes.ts';
import { ceilingOf, type Situation } from './situation.ts';
import type { SumSet } from './subset-sum.ts';
import type { Reachable, SizeRange } from './types.ts';

/** The status of a resource and its admission policy hold no more. */
export const maxRanges = 16;

/**
 * The reachable sizes of a situation.
 * @param candidateSums sums of what may be asked to go now
 * @param stayingSums sums of all modules that aren't leaving, quarantined ones too: admission must not call a size
 *   impossible that only has to wait
 */
export function computeReachable(situation: Situation, candidateSums: SumSet, stayingSums: SumSet): Reachable {
  const { ranges, complete } = sizesByUnplugging(situation, stayingSums);
  return {
    below: nearestBelow(situation, candidateSums),
    above: nearestAbove(situation, candidateSums),
    ranges,
    complete: complete && situation.leaving.length === 0,
  };
}

/** Counted from the total without the modules that are leaving. */
function nearestBelow(situation: Situation, sums: SumSet): Bytes | null {
  const { desired, settled, pools } = situation;
  const grown = pools.flatMap((pool) => {
    const blocks = Math.floor((Math.min(desired - 1, ceilingOf(situation, pool)) - settled) / pool.unit);
    return blocks >= 1 ? [settled + blocks * pool.unit] : [];
  });
  if (grown.length > 0) return Math.max(...grown) as Bytes;
  const leastTaken = sums.atLeast(settled - desired + 1);
  return leastTaken === null ? null : ((settled - leastTaken) as Bytes);
}

/** Counted from the total with the modules that are leaving. */
function nearestAbove(situation: Situation, sums: SumSet): Bytes | null {
  const { desired, current, pools } = situation;
  if (desired < current) return (current - sums.atMost(current - desired - 1)) as Bytes;
  const grown = pools.flatMap((pool) => {
    const above = current + (Math.floor((desired - current) / pool.unit) + 1) * pool.unit;
    return above <= ceilingOf(situation, pool) ? [above] : [];
  });
  return grown.length === 0 ? null : (Math.min(...grown) as Bytes);
}

/**
 * All sizes from boot memory to the settled total, as progressions. Going down from the top and always
 * taking the longest progression gives the fewest; if there are too many, those nearest to the top are kept.
 */
function sizesByUnplugging(
  { settled, observation }: Situation,
  sums: SumSet,
): { readonly ranges: readonly SizeRange[]; readonly complete: boolean } {
  const ranges: SizeRange[] = [];
  let first: number | null = 0;
  while (first !== null) {
    if (ranges.length === maxRanges) return { ranges: ranges.reverse(), complete: false };
    let last: number = first;
    let next = sums.atLeast(first + 1);
    const step: number = next === null ? observation.granularity : next - first;
    while (next !== null && next - last === step) {
      last = next;
      next = sums.atLeast(last + 1);
    }
    ranges.push({ from: (settled - last) as Bytes, to: (settled - first) as Bytes, step: step as Bytes });
    first = next;
  }
  return { ranges: ranges.reverse(), complete: true };
}
