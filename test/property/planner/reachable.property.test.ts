/** The reachable sizes, against every subset and every growth. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { maxRanges } from '../../../src/planner/reachable.ts';
import type { PlanRequest, SizeRange } from '../../../src/planner/types.ts';
import { planOf } from '../../unit/planner/support.ts';
import { request } from './arbitrary.ts';
import { allSubsets } from './oracle.ts';
import { factsOf, largestModule } from './reference.ts';

/** Sizes by growing from `from`: one block more, two blocks more, ... as far as one plan goes. */
function grownSizes(given: PlanRequest, from: number): number[] {
  const { observation } = given;
  const facts = factsOf(given);
  if (facts.freeSlots === 0 || observation.maxMemory === 'unsupported') return [];
  const maximum = observation.maxMemory === 'unlimited' ? Infinity : observation.maxMemory - observation.otherBytes;
  const bySlots = facts.withLeaving + facts.freeSlots * largestModule(given, facts);
  const sizes: number[] = [];
  for (let size = from + facts.unit; size <= Math.min(maximum, 16 * facts.boot, bySlots); size += facts.unit) {
    sizes.push(size);
  }
  return sizes;
}

test('below and above are the nearest sizes', () => {
  fc.assert(
    fc.property(request(), (given) => {
      const { reachable } = planOf(given);
      const { candidates, withLeaving, withoutLeaving } = factsOf(given);
      const sums = allSubsets(candidates).map(({ sum }) => sum);
      const sizesFrom = (total: number): number[] => [...sums.map((sum) => total - sum), ...grownSizes(given, total)];
      const below = sizesFrom(withoutLeaving).filter((size) => size < given.desired);
      const above = sizesFrom(withLeaving).filter((size) => size > given.desired);
      expect(reachable.below).toBe(below.length === 0 ? null : Math.max(...below));
      expect(reachable.above).toBe(above.length === 0 ? null : Math.min(...above));
    }),
    { numRuns: 3000 },
  );
});

const sizesOf = ({ from, to, step }: SizeRange): number[] => {
  const sizes: number[] = [];
  for (let size: number = from; size <= to; size += step) sizes.push(size);
  return sizes;
};

/** Fewest progressions that ascending sizes fall into, by trying every place to cut. */
function fewestProgressions(sizes: readonly number[]): number {
  const fewest = [0];
  for (let end = 1; end <= sizes.length; end++) {
    let best = Infinity;
    for (let start = end - 1; start >= 0; start--) {
      const step = (sizes[start + 1] ?? 0) - (sizes[start] ?? 0);
      const isProgression = sizes
        .slice(start, end)
        .every((size, index, part) => index === 0 || size - (part[index - 1] ?? 0) === step);
      if (!isProgression) break;
      best = Math.min(best, (fewest[start] ?? 0) + 1);
    }
    fewest.push(best);
  }
  return fewest[sizes.length] ?? 0;
}

test('ranges hold exactly the sizes that unplugging reaches, or say that they are not complete', () => {
  let complete = 0;
  let cutOff = 0;
  fc.assert(
    fc.property(request({ maxModules: 7 }), (given) => {
      const { ranges, complete: isComplete } = planOf(given).reachable;
      const { staying, withoutLeaving, leaving, boot } = factsOf(given);
      const all = [...new Set(allSubsets(staying).map(({ sum }) => withoutLeaving - sum))].sort((a, b) => a - b);
      const listed = ranges.flatMap(sizesOf);
      expect(listed).toEqual([...listed].sort((a, b) => a - b));
      expect(ranges.every(({ step }) => step > 0)).toBe(true);
      expect(ranges.length).toBeLessThanOrEqual(maxRanges);
      const fits = fewestProgressions(all) <= maxRanges;
      expect(isComplete).toBe(fits && leaving.length === 0);
      if (fits) {
        complete++;
        expect(listed).toEqual(all);
        expect(listed[0]).toBe(boot);
      } else {
        cutOff++;
        // What is listed is true, and reaches up to the top without a gap.
        expect(listed).toEqual(all.slice(all.length - listed.length));
        expect(ranges).toHaveLength(maxRanges);
      }
    }),
    { numRuns: 2000 },
  );
  expect(complete).toBeGreaterThan(500);
  expect(cutOff).toBeGreaterThan(50);
});

test('a size that is listed is never called unreachable, unless it only has to wait', () => {
  fc.assert(
    fc.property(request(), fc.nat(), (given, seed) => {
      const sizes = planOf(given).reachable.ranges.flatMap(sizesOf);
      const desired = sizes[seed % sizes.length];
      const { leaving } = factsOf(given);
      if (desired === undefined || leaving.length > 0) return;
      const { reason } = planOf({ ...given, desired: desired as never, policy: { ...given.policy, shrink: 'Exact' } });
      expect(['UnreachableSize', 'Misaligned']).not.toContain(reason);
    }),
    { numRuns: 1000 },
  );
});

test('below and above are sizes that a plan indeed reaches', () => {
  fc.assert(
    fc.property(request(), (given) => {
      const observation = {
        ...given.observation,
        booting: false,
        cordoned: false,
        ...{ hostFree: null, namespaceFree: null },
        hugepagesFree: null,
        modules: given.observation.modules.map((module) => ({ ...module, state: 'Plugged' as const })),
      };
      const policy = { ...given.policy, shrink: 'Exact' as const, guestSafety: 'Off' as const };
      const { below, above } = planOf({ ...given, observation, policy }).reachable;
      for (const size of [below, above]) {
        if (size === null) continue;
        expect(planOf({ desired: size, observation, policy }).resultMemory).toBe(size);
      }
    }),
    { numRuns: 1000 },
  );
});
