/** What the console's slider offers, against the planner asked about every size there is. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { reaches, scaleOf } from '../../../src/console/page/model/sizes.ts';
import { type Bytes, bytes, GiB, MiB } from '../../../src/memory/bytes.ts';
import { computePlan } from '../../../src/planner/plan.ts';
import type { PlannerModule, PlanRequest } from '../../../src/planner/types.ts';
import { request } from '../planner/arbitrary.ts';
import { allSubsets } from '../planner/oracle.ts';
import { factsOf } from '../planner/reference.ts';

const isReached =
  (given: PlanRequest) =>
  (desired: Bytes): boolean => {
    const asked = { ...given, desired };
    const planned = computePlan(asked);
    return planned.ok && reaches(asked, planned.value);
  };

/** All sizes that one could wish: every block from nothing to far above the ceiling, and every sum of modules. */
function everySize(given: PlanRequest, most: number): number[] {
  const facts = factsOf(given);
  const sums = allSubsets(facts.candidates).map(({ sum }) => facts.withoutLeaving - sum);
  const sizes = new Set<number>(sums);
  for (const start of [facts.boot, facts.withLeaving, facts.withoutLeaving])
    for (let size = start % (128 * MiB); size <= most + 256 * MiB; size += 128 * MiB) sizes.add(size);
  return [...sizes].filter((size) => size >= 0).sort((a, b) => a - b);
}

/** What Nearest only comes near to is offered at whole blocks below what stays, and not below the floor. */
const isWorth =
  (given: PlanRequest, floor: Bytes) =>
  (desired: Bytes): boolean => {
    const planned = computePlan({ ...given, desired });
    if (!planned.ok || planned.value.residual === 0 || given.policy.shrink !== 'Nearest') return true;
    if (planned.value.decision !== 'unplug') return true;
    const below = factsOf(given).withoutLeaving - desired;
    return desired >= floor && below % given.observation.granularity === 0;
  };

test('every size that is offered is reached, and every size that is reached is offered', () => {
  fc.assert(
    fc.property(request(), (given) => {
      const { current, floor, ceiling, least, next } = scaleOf(given, isReached(given));
      const offered: number[] = [];
      for (let size = next(least - 1, 'up'); size !== null && offered.length < 1000; size = next(size, 'up')) {
        offered.push(size);
      }
      const top = Math.min(ceiling.size, current + 64 * 128 * MiB);
      const reached = everySize(given, top).filter(
        (size) => size === current || (isReached(given)(size as Bytes) && isWorth(given, floor.size)(size as Bytes)),
      );
      expect(offered.filter((size) => size <= top)).toEqual(reached.filter((size) => size <= top));
      expect(reached.filter((size) => size > ceiling.size && size > current)).toEqual([]);
      const down: number[] = [];
      for (let size = next(top + 1, 'down'); size !== null && down.length < 1000; size = next(size, 'down')) {
        down.push(size);
      }
      expect(down.reverse()).toEqual(offered.filter((size) => size <= top));
    }),
    { numRuns: 4000 },
  );
});

test('what stays is offered while a module leaves, however many sums are below it that Nearest does not reach yet', () => {
  const sizes = [256, 1152, 1408, 128, 966, 1723, 640].map((size) => bytes(size * MiB));
  const module = { node: 0, base: bytes(4 * GiB), refusals: 0, quarantined: false, retryAfter: null };
  const modules = sizes.map(
    (size, slot): PlannerModule => ({ ...module, size, slot, alias: `ua-dimmer-${slot}`, state: 'Plugged' }),
  );
  const leaves: PlannerModule = { ...module, size: bytes(128 * MiB), slot: 7, alias: 'ua-dimmer-7', state: 'Leaving' };
  const given: PlanRequest = {
    desired: bytes(4 * GiB),
    policy: { shrink: 'Nearest', grow: 'Whole', guestSafety: 'Off' },
    observation: {
      ...{ boot: [{ node: 0, size: bytes(256 * MiB) }], modules: [...modules, leaves], otherBytes: bytes(0) },
      ...{ maxMemory: 'unsupported', granularity: bytes(128 * MiB), cordoned: false, booting: false, guest: null },
      ...{ pageSize: null, hostFree: null, namespaceFree: null, hugepagesFree: null },
      slots: { total: 8, usedByOthers: [], resting: [] },
    },
  };
  const { least, next } = scaleOf(given, isReached(given));
  const settled = 256 * MiB + sizes.reduce((sum, size) => sum + size, 0);
  expect(next(least - 1, 'up')).toBe(settled);
  expect(next(settled, 'up')).toBe(settled + 128 * MiB);
  expect(next(settled + 128 * MiB, 'down')).toBe(settled);
  expect(next(settled, 'down')).toBeNull();
});

test('what is snapped to is offered, not below the floor, and nothing that is offered in the bounds is nearer', () => {
  fc.assert(
    fc.property(request(), fc.nat(40_000), (given, wish) => {
      const scale = scaleOf(given, isReached(given));
      const { current, floor, ceiling, least, next, snap } = scale;
      const snapped = snap(wish * MiB);
      expect(snapped === current || isReached(given)(snapped)).toBe(true);
      if (floor.why === 'inUse' && snapped < current) expect(snapped).toBeGreaterThanOrEqual(floor.size);
      const at = Math.min(Math.max(wish * MiB, Math.min(floor.size, current)), Math.max(ceiling.size, current));
      for (let size = next(least - 1, 'up'), seen = 0; size !== null && seen < 300; size = next(size, 'up'), seen++) {
        if (size >= Math.min(floor.size, current)) {
          expect(Math.abs(snapped - at)).toBeLessThanOrEqual(Math.abs(size - at));
        }
      }
    }),
    { numRuns: 4000 },
  );
});
