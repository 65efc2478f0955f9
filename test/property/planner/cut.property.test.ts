/** Divisible growth, against every way to cut. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Bytes } from '../../../src/memory/bytes.ts';
import { cutDensely, cutWhole } from '../../../src/planner/cut.ts';

/** Granules; the algorithm knows no other unit here. */
const g = 1 as Bytes;

/** All multisets of multiples of `unit` up to `most` that sum to `amount`, ascending. */
function cuts(amount: number, unit: number, most: number, least = unit): number[][] {
  if (amount === 0) return [[]];
  const found: number[][] = [];
  for (let first = least; first <= Math.min(amount, most); first += unit) {
    for (const rest of cuts(amount - first, unit, most, first)) found.push([first, ...rest]);
  }
  return found;
}

/** The walk of the contract: what of `sizes` is met in ascending order before one is more than `u` too large. */
function walk(sizes: readonly number[], u: number): number[] {
  const met: number[] = [];
  let sum = 0;
  for (const size of [...sizes].sort((a, b) => a - b)) {
    if (size > sum + u) break;
    met.push(size);
    sum += size;
  }
  return met;
}

/** Modules of `present` that some cut of `amount` brings into the walk. */
function usable(present: readonly number[], amount: number, u: number): number[] {
  let best: number[] = [];
  // Without the limits on number and size of modules: "that no cut of D can bring into the walk".
  for (const cut of cuts(amount, 1, Infinity)) {
    const left = [...walk([...cut, ...present], u)];
    for (const size of cut) {
      const at = left.indexOf(size);
      if (at >= 0) left.splice(at, 1);
    }
    if (left.length > best.length) best = left;
  }
  return best;
}

const isDense = (cut: readonly number[], old: readonly number[], u: number): boolean =>
  walk([...cut, ...old], u).length === cut.length + old.length;

function bruteForce(amount: number, present: readonly number[], unit: number, most: number, maxModules: number) {
  const all = cuts(amount, unit, most).filter((cut) => cut.length <= maxModules);
  if (all.length === 0) return null;
  for (let spacing = 1; ; spacing *= 2) {
    const old = usable(present, amount, spacing);
    const dense = all.filter((cut) => isDense(cut, old, spacing));
    if (dense.length > 0) return { spacing, count: Math.min(...dense.map((cut) => cut.length)), old };
  }
}

test('the densest cut with the fewest modules', () => {
  let coarse = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(1, 1, 1, 2, 3),
      fc.array(fc.integer({ min: 1, max: 14 }), { maxLength: 5 }),
      fc.constantFrom(Infinity, Infinity, 1, 2, 3),
      fc.integer({ min: 1, max: 6 }),
      (blocks, unit, present, mostBlocks, maxModules) => {
        const amount = blocks * 3 * unit;
        if (amount > 24) return;
        const most = mostBlocks * unit;
        const expected = bruteForce(amount, present, unit, most, maxModules);
        const cut = cutDensely({
          amount: amount as Bytes,
          present: [...present].sort((a, b) => a - b) as Bytes[],
          granularity: g,
          unit: unit as Bytes,
          maxModule: most,
          maxModules,
        });
        if (expected === null || cut === null) {
          expect(cut).toBe(expected);
          return;
        }
        if (cut.spacing > 1) coarse++;
        expect({ spacing: cut.spacing, count: cut.sizes.length }).toEqual({
          spacing: expected.spacing,
          count: expected.count,
        });
        const sizes: number[] = [...cut.sizes];
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(amount);
        expect(sizes.every((size) => size > 0 && size % unit === 0 && size <= most)).toBe(true);
        expect(isDense(sizes, expected.old, cut.spacing)).toBe(true);

        // What density is for: subsets leave no gap wider than the spacing.
        const sums = new Set([0]);
        for (const size of [...sizes, ...expected.old]) for (const sum of [...sums]) sums.add(sum + size);
        const ascending = [...sums].sort((a, b) => a - b);
        for (const [index, sum] of ascending.slice(1).entries()) {
          expect(sum - (ascending[index] ?? 0)).toBeLessThanOrEqual(cut.spacing);
        }
      },
    ),
    { numRuns: 1500 },
  );
  expect(coarse).toBeGreaterThan(50);
});

test('a whole cut has as few modules as their largest size allows', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constant(Infinity)),
      (amount, most) => {
        const sizes: number[] = cutWhole(amount as Bytes, most);
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(amount);
        expect(Math.max(...sizes)).toBeLessThanOrEqual(most);
        expect(sizes).toHaveLength(Math.max(1, Math.ceil(amount / most)));
      },
    ),
  );
});
