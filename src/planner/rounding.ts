/** The policy `rounding: Up`: a wish between the sizes that steps make stands for the next one above it. */
import { type Bytes, isBytes } from '../memory/bytes.ts';
import { baseOf } from './nodes.ts';
import { poolsOf } from './pools.ts';
import type { PlannerObservation } from './types.ts';

/**
 * The smallest size that is at least `wish` and that what can't be taken (boot memory, other devices) plus whole steps
 * make, wherever the guest comes from. `wish` itself where it is below what can't be taken: that isn't rounded away.
 */
export function roundUp(wish: Bytes, observation: PlannerObservation): Bytes {
  const base = baseOf(observation);
  if (wish < base) return wish;
  const rounded = Math.min(...poolsOf(observation).map(({ unit }) => base + Math.ceil((wish - base) / unit) * unit));
  return isBytes(rounded) ? rounded : wish;
}
