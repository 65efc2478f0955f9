/** Rounding up, and pages by node, on random layouts: one answer for a wish, wherever the guest comes from. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Bytes, GiB, MiB } from '../../../src/memory/bytes.ts';
import { computePlan } from '../../../src/planner/plan.ts';
import { applyStep } from '../../../src/planner/simulate.ts';
import type { Backing, Plan, PlannerObservation, PlannerPolicy, PlanRequest } from '../../../src/planner/types.ts';
import { observation } from './arbitrary.ts';

const planOf = (request: PlanRequest): Plan => {
  const result = computePlan(request);
  if (!result.ok) throw new Error(`${result.error.field}: ${result.error.problem}`);
  return result.value;
};

const backing = (nodes: readonly number[]): fc.Arbitrary<Backing> =>
  fc.record({
    nodes: fc.constant(nodes),
    pageSize: fc.constantFrom(null, 2 * MiB, 256 * MiB, 1024 * MiB) as fc.Arbitrary<Bytes | null>,
    preallocated: fc.boolean(),
    hostFree: fc.constant(null),
    namespaceFree: fc.constant(null),
    hugepagesFree: fc.constant(null),
    hostNodes: fc.constant(null),
  });

/** Boot memory of any number of MiB, other devices that give a part, and pages by node. */
const layout: fc.Arbitrary<PlannerObservation> = observation({ maxModules: 6 }).chain((seen) =>
  fc
    .record({
      odd: fc.integer({ min: 0, max: 127 }),
      given: fc.integer({ min: 0, max: 700 }),
      kept: fc.integer({ min: 0, max: 700 }),
      backings: fc.option(fc.tuple(...seen.boot.map(({ node }) => backing([node]))), { nil: undefined }),
    })
    .map(({ odd, given, kept, backings }) => ({
      ...seen,
      boot: seen.boot.map(({ node, size }) => ({ node, size: (size + odd * MiB) as Bytes })),
      otherTotal: (given * MiB) as Bytes,
      otherBytes: ((given + kept) * MiB) as Bytes,
      ...(backings === undefined ? {} : { backings }),
      booting: false,
      modules: seen.modules.map((module) => ({ ...module, state: 'Plugged' as const })),
    })),
);

const request: fc.Arbitrary<PlanRequest> = fc.record({
  desired: fc.integer({ min: 0, max: 20 * 1024 }).map((count) => (count * MiB) as Bytes),
  observation: layout,
  policy: fc.record<PlannerPolicy>({
    shrink: fc.constantFrom('Exact', 'Nearest', 'Replace'),
    grow: fc.constantFrom('Whole', 'Divisible'),
    guestSafety: fc.constant('Off'),
    rounding: fc.constantFrom('Exact', 'Up'),
  }),
});

test('the plan from its own result is a noop, and has what was wished for', () => {
  fc.assert(
    fc.property(request, (given) => {
      const plan = planOf(given);
      fc.pre(plan.decision !== 'blocked' && plan.decision !== 'wait');
      const after = plan.steps.reduce(applyStep, given.observation);
      const again = planOf({ ...given, observation: after });
      expect([again.decision, again.resultMemory]).toEqual(['noop', plan.resultMemory]);
      expect(plan.resultMemory).toBeGreaterThanOrEqual(given.desired);
    }),
    { numRuns: 400 },
  );
});

test('two guests with the same boot memory and pages, wherever they come from, are rounded to the same size', () => {
  fc.assert(
    fc.property(request, layout, (given, other) => {
      const policy: PlannerPolicy = { ...given.policy, shrink: 'Exact', rounding: 'Up' };
      const from = (modules: PlannerObservation['modules'], slots: PlannerObservation['slots']): Plan =>
        planOf({ ...given, policy, observation: { ...given.observation, modules, slots } });
      const onFirst = other.modules.map((module) => ({ ...module, node: given.observation.boot[0]?.node ?? 0 }));
      const plans = [from(given.observation.modules, given.observation.slots), from(onFirst, other.slots)];
      const sizes = plans.filter(({ decision }) => decision !== 'blocked' && decision !== 'wait');
      expect(new Set(sizes.map(({ resultMemory }) => resultMemory)).size).toBeLessThanOrEqual(1);
    }),
    { numRuns: 400 },
  );
});

test('every new module suits the pages of its node, and is at most 1 GiB where QEMU touches it at once', () => {
  fc.assert(
    fc.property(request, (given) => {
      const { granularity, backings } = given.observation;
      fc.pre(backings !== undefined);
      for (const step of planOf(given).steps) {
        if (step.operation === 'unplug') continue;
        const own = backings.find(({ nodes }) => nodes.includes(step.node));
        expect(step.size % granularity).toBe(0);
        expect(step.size % (own?.pageSize ?? 1)).toBe(0);
        if (own?.preallocated === true) expect(step.size).toBeLessThanOrEqual(GiB);
      }
    }),
    { numRuns: 400 },
  );
});

test('modules that are smaller than they must be, so that they stop the guest for less, cost no size', () => {
  const growth = fc.record({
    boot: fc.integer({ min: 4, max: 16 }),
    present: fc.array(fc.integer({ min: 1, max: 16 }), { maxLength: 6 }),
    slots: fc.integer({ min: 6, max: 64 }),
    max: fc.integer({ min: 6, max: 64 }),
    blocks: fc.integer({ min: 16, max: 160 }),
  });
  let smaller = 0;
  fc.assert(
    fc.property(growth, ({ boot, present, slots, max, blocks }) => {
      const block = 128 * MiB;
      const modules = present.map((count, slot) => ({
        ...{ slot, alias: `ua-${slot}`, node: 0, size: (count * block) as Bytes, base: (slot * 16 * GiB) as Bytes },
        ...{ state: 'Plugged' as const, refusals: 0, quarantined: false, retryAfter: null },
      }));
      const current = boot * GiB + modules.reduce((sum, { size }) => sum + size, 0);
      const observation: PlannerObservation = {
        ...{ boot: [{ node: 0, size: (boot * GiB) as Bytes }], modules },
        ...{ slots: { total: slots, usedByOthers: [], resting: [] }, otherBytes: 0 as Bytes },
        ...{ maxMemory: (max * GiB) as Bytes, granularity: block as Bytes, pageSize: null, preallocated: true },
        ...{ booting: false, cordoned: false, hostFree: null, hugepagesFree: null, guest: null },
      };
      const desired = (current + blocks * block) as Bytes;
      const plan = planOf({
        ...{ desired, observation },
        policy: { shrink: 'Exact', grow: 'Divisible', guestSafety: 'Off' },
      });
      fc.pre(plan.decision === 'plug');
      expect(plan.resultMemory).toBe(desired);
      // A growth of 2 GiB or more has a module above 512 MiB unless there are slots for smaller ones.
      if (Math.max(...plan.steps.map(({ size }) => size)) > 512 * MiB) return;
      smaller++;
      const left = slots - modules.length - plan.steps.length;
      expect(left).toBeGreaterThan(Math.ceil((max * GiB - desired) / GiB));
    }),
    { numRuns: 1000, examples: [[{ boot: 4, present: [3], slots: 6, max: 7, blocks: 16 }]] },
  );
  expect(smaller).toBeGreaterThan(20);
});
