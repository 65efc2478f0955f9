/** The cheapest subset for a sum: the choice among all sets of modules that add up. */
import { sumSpaceOf } from './sum-space.ts';

export type Item = {
  /** Bytes, positive. */
  readonly size: number;
  /** What taking it costs: whole, positive; the sum of all costs stays below 2^30. */
  readonly cost: number;
};

export type CheapestSubsets = {
  /** The least cost of a subset with this sum; null: there is none. */
  readonly costOf: (sum: number) => number | null;
  /**
   * Indices, ascending, of the cheapest subset with this sum, and of those the one that is lexicographically
   * first: whatever comes earlier among the items is taken if the rest can still be met at least cost.
   * Empty when no subset has the sum.
   */
  readonly pick: (sum: number) => number[];
};

const unreachable = 2 ** 30;

/**
 * Cheapest subsets of `items` for every sum from `low` to `high` (bytes, both included; other sums aren't answered).
 * @throws RangeError when they can't be tabulated; callers have asked `isTractable` before
 */
export function cheapestSubsets(items: readonly Item[], low: number, high: number): CheapestSubsets {
  const space = sumSpaceOf(items.map((item) => item.size));
  if (space === null) throw new RangeError('the sizes have too many different sums');
  return space.kind === 'table' ? costTable(items, space.unit, low, high) : costMap(items, low, high);
}

/** One row of the table of choices: for the sums from `from` on, whether the row's item is taken. */
type ChoiceRow = { readonly from: number; readonly taken: Uint32Array };

/**
 * A dynamic programme over suffixes of the items, one cell a sum. A row visits only the sums that matter to it:
 * at most what its suffix adds up to, at least what the items before it can't make up for. For one wanted sum that is
 * a quarter of the whole table at worst. Choices are kept as one bit a cell, so that the walk back needs no second pass.
 */
function costTable(items: readonly Item[], unit: number, lowBytes: number, highBytes: number): CheapestSubsets {
  const sizes = items.map((item) => item.size / unit);
  let before = sizes.reduce((sum, size) => sum + size, 0);
  const low = Math.max(0, Math.ceil(lowBytes / unit));
  const high = Math.min(Math.floor(highBytes / unit), before);
  const cost = new Int32Array(Math.max(high, 0) + 1).fill(unreachable);
  cost[0] = 0;
  const rows: ChoiceRow[] = new Array<ChoiceRow>(items.length);
  for (let index = items.length - 1, suffix = 0; index >= 0; index--) {
    const size = sizes[index] ?? 0;
    suffix += size;
    before -= size;
    const from = Math.max(size, low - before);
    rows[index] = { from, taken: relax(cost, size, items[index]?.cost ?? 0, from, Math.min(high, suffix)) };
  }
  const inRange = (sum: number): boolean => sum % unit === 0 && sum >= low * unit && sum <= high * unit;
  const costOf = (sum: number): number | null => {
    const found = inRange(sum) ? (cost[sum / unit] ?? unreachable) : unreachable;
    return found < unreachable ? found : null;
  };
  return {
    costOf,
    pick: (sum) => (costOf(sum) === null ? [] : walk(rows, sizes, sum / unit)),
  };
}

/**
 * Lets every sum from `from` to `to` take one more item where that is no dearer; answers where it was taken.
 * Descending, so that the item is taken once. Equal cost counts as taken: earlier items come first.
 */
function relax(cost: Int32Array, size: number, price: number, from: number, to: number): Uint32Array {
  if (to < from) return new Uint32Array(0);
  const taken = new Uint32Array(((to - from) >>> 5) + 1);
  for (let sum = to; sum >= from; sum--) {
    const withItem = (cost[sum - size] ?? 0) + price;
    if (withItem <= (cost[sum] ?? 0)) {
      cost[sum] = withItem;
      const bit = sum - from;
      taken[bit >>> 5] = (taken[bit >>> 5] ?? 0) | (1 << (bit & 31));
    }
  }
  return taken;
}

function walk(rows: readonly ChoiceRow[], sizes: readonly number[], sum: number): number[] {
  const picked: number[] = [];
  for (const [index, row] of rows.entries()) {
    const bit = sum - row.from;
    if (bit < 0 || ((row.taken[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) continue;
    picked.push(index);
    sum -= sizes[index] ?? 0;
  }
  return picked;
}

type Chain = { readonly cost: number; readonly index: number; readonly rest: Chain | null };

/** The same over the sums that occur, each with the chain of its choices: for sizes without a useful common divisor. */
function costMap(items: readonly Item[], low: number, high: number): CheapestSubsets {
  const best = new Map<number, Chain>([[0, { cost: 0, index: -1, rest: null }]]);
  for (const [index, item] of [...items.entries()].reverse()) {
    for (const [sum, chain] of [...best]) {
      const cost = chain.cost + item.cost;
      const next = sum + item.size;
      if (next > high) continue;
      const known = best.get(next);
      // A copy is read while `best` changes, so that no chain takes the item twice.
      if (known === undefined || cost <= known.cost) best.set(next, { cost, index, rest: chain });
    }
  }
  const find = (sum: number): Chain | undefined => (sum >= low && sum <= high ? best.get(sum) : undefined);
  return {
    costOf: (sum) => find(sum)?.cost ?? null,
    pick: (sum) => {
      const picked: number[] = [];
      for (let chain = find(sum) ?? null; chain !== null && chain.index >= 0; chain = chain.rest) {
        picked.push(chain.index);
      }
      return picked;
    },
  };
}
