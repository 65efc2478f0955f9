/** Choosing among the sets of modules that add up: the tie-breaks of the contract as costs. */
import type { Bytes } from '../memory/bytes.ts';
import { cheapestSubsets } from './cheapest-subset.ts';
import type { PlannerModule } from './types.ts';

const hasRefused = (module: PlannerModule): boolean => module.refusals > 0;

/**
 * The set of modules whose sizes sum to `amount`: with the fewest that refused before, then the fewest, then the one
 * that comes lexicographically first in the order of `modules`. Empty when there is none.
 */
export function chooseExact(modules: readonly PlannerModule[], amount: Bytes): PlannerModule[] {
  const refusers = modules.filter(hasRefused).length;
  // One refuser more outweighs any number of others.
  const costOfRefuser = modules.length - refusers + 1;
  const items = modules.map((module) => ({ size: module.size, cost: hasRefused(module) ? costOfRefuser : 1 }));
  return pickFrom(modules, cheapestSubsets(items, amount, amount).pick(amount));
}

/**
 * The set whose sum lies above `above` by a multiple of `unit` and is at most `atMost`: the fewest modules, then the
 * smallest sum, then the fewest that refused before, then the lexicographically first. Empty when there is none.
 */
export function chooseAbove(
  modules: readonly PlannerModule[],
  above: Bytes,
  unit: Bytes,
  atMost: number,
  sums: { readonly atLeast: (sum: number) => number | null },
): PlannerModule[] {
  const refusers = modules.filter(hasRefused).length;
  // One module more outweighs any number of refusers.
  const costOfModule = refusers + 1;
  const items = modules.map((module) => ({ size: module.size, cost: costOfModule + (hasRefused(module) ? 1 : 0) }));
  // Where every sum counts, a set that is too large by more than its smallest module could do without that module.
  const everySumCounts = modules.every(({ size }) => size % unit === 0) && above % unit === 0;
  const largest = modules.reduce((most, { size }) => Math.max(most, size), 0);
  const highest = everySumCounts ? Math.min(atMost, above + largest) : atMost;
  const subsets = cheapestSubsets(items, above + 1, highest);
  let best: { readonly sum: number; readonly count: number } | null = null;
  for (let sum = sums.atLeast(above + 1); sum !== null && sum <= highest; sum = sums.atLeast(sum + 1)) {
    const cost = (sum - above) % unit === 0 ? subsets.costOf(sum) : null;
    if (cost === null) continue;
    const count = Math.floor(cost / costOfModule);
    if (best === null || count < best.count) best = { sum, count };
  }
  return best === null ? [] : pickFrom(modules, subsets.pick(best.sum));
}

const pickFrom = (modules: readonly PlannerModule[], indices: readonly number[]): PlannerModule[] =>
  indices.flatMap((index) => modules[index] ?? []);
