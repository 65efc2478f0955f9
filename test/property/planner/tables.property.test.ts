/** The tables behind the planner, as bits and as lists, against every subset. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cheapestSubsets } from '../../../src/planner/cheapest-subset.ts';
import { subsetSums } from '../../../src/planner/subset-sum.ts';
import { sumSpaceOf } from '../../../src/planner/sum-space.ts';

/** Sizes whose common divisor is small against them, so that they must be listed. */
const odd = fc.integer({ min: 2 ** 30, max: 2 ** 34 });
const kinds = {
  table: fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 9 }),
  list: fc.array(odd, { minLength: 3, maxLength: 9 }).filter((sizes) => sumSpaceOf(sizes)?.kind === 'list'),
};

/** Indices of every subset, with its sum. */
function subsetsOf(sizes: readonly number[]): { indices: number[]; sum: number }[] {
  return Array.from({ length: 2 ** sizes.length }, (_, bits) => {
    const indices = sizes.map((_, index) => index).filter((index) => ((bits >> index) & 1) === 1);
    return { indices, sum: indices.reduce((sum, index) => sum + (sizes[index] ?? 0), 0) };
  });
}

const lexicographic = (a: readonly number[], b: readonly number[]): number => {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? Infinity);
};

describe.each(['table', 'list'] as const)('%s', (kind) => {
  test('which sums there are', () => {
    fc.assert(
      fc.property(kinds[kind], fc.nat(), (sizes, seed) => {
        expect(sizes.length === 0 ? kind : sumSpaceOf(sizes)?.kind).toBe(kind);
        const sums = subsetsOf(sizes).map(({ sum }) => sum);
        const table = subsetSums(sizes);
        const total = Math.max(...sums);
        expect(table.total).toBe(total);
        for (const probe of [seed % (total + 2), sums[seed % sums.length] ?? 0, total + 1, 0, -1]) {
          expect(table.has(probe)).toBe(sums.includes(probe));
          const above = sums.filter((sum) => sum >= probe);
          expect(table.atLeast(probe)).toBe(above.length === 0 ? null : Math.min(...above));
          if (probe >= 0) expect(table.atMost(probe)).toBe(Math.max(...sums.filter((sum) => sum <= probe)));
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('the cheapest subset of every sum in the window, the lexicographically first of the cheapest', () => {
    fc.assert(
      fc.property(
        kinds[kind],
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 9, maxLength: 9 }),
        fc.nat(),
        fc.nat(),
        (sizes, costs, a, b) => {
          const items = sizes.map((size, index) => ({ size, cost: costs[index] ?? 1 }));
          const subsets = subsetsOf(sizes).map(({ indices, sum }) => ({
            indices,
            sum,
            cost: indices.reduce((total, index) => total + (items[index]?.cost ?? 0), 0),
          }));
          const sums = subsets.map(({ sum }) => sum);
          const ends = [sums[a % sums.length] ?? 0, sums[b % sums.length] ?? 0];
          const [low, high] = [Math.min(...ends), Math.max(...ends)];
          const cheapest = cheapestSubsets(items, low, high);
          for (const sum of [...sums, low - 1, high + 1]) {
            const [best] = subsets
              .filter((subset) => subset.sum === sum && sum >= low && sum <= high)
              .sort((x, y) => x.cost - y.cost || lexicographic(x.indices, y.indices));
            expect(cheapest.costOf(sum)).toBe(best?.cost ?? null);
            expect(cheapest.pick(sum)).toEqual(best?.indices ?? []);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

test('equal sums are listed once: a hundred equal modules are no more work than a hundred sums', () => {
  const large = 2 ** 40;
  const oddOne = 2 ** 30 + 1;
  const sizes = [...Array<number>(100).fill(large), oddOne];
  const table = subsetSums(sizes);
  expect(table.atMost(50 * large - 1)).toBe(49 * large + oddOne);
  const items = sizes.map((size) => ({ size, cost: 1 }));
  const sum = 50 * large + oddOne;
  expect(cheapestSubsets(items, sum, sum).pick(sum)).toEqual([...Array(50).keys(), 100]);
});

test('many equal modules beside a few odd ones are listed; too many odd ones are refused', () => {
  expect(sumSpaceOf([...Array<number>(100).fill(2 ** 40), 2 ** 30 + 1])?.kind).toBe('list');
  expect(sumSpaceOf(Array.from({ length: 40 }, (_, index) => 2 ** 34 + 1 + index * index))).toBeNull();
  expect(sumSpaceOf([])).toEqual({ kind: 'table', unit: 1, width: 1 });
});
