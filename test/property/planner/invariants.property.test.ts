/** What no plan ever does, whatever the input: I1, I2 and I9 of the architecture, and guest safety. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isBytes, MiB } from '../../../src/memory/bytes.ts';
import { applyStep } from '../../../src/planner/simulate.ts';
import type { Plan, PlannerObservation, PlanRequest } from '../../../src/planner/types.ts';
import { planOf } from '../../unit/planner/support.ts';
import { request } from './arbitrary.ts';
import { factsOf, largestModule } from './reference.ts';

const runs = { numRuns: 3000 };

const totalOf = ({ boot, modules }: PlannerObservation): number =>
  [...boot, ...modules].reduce((sum, { size }) => sum + size, 0);

/** The observation before the first step and after each. */
function statesOf({ observation }: PlanRequest, { steps }: Plan): PlannerObservation[] {
  const states = [observation];
  for (const step of steps) states.push(applyStep(states.at(-1) ?? observation, step));
  return states;
}

const forPlans = (check: (given: PlanRequest, plan: Plan) => void): void =>
  fc.assert(
    fc.property(request(), (given) => check(given, planOf(given))),
    runs,
  );

test('I1: never above the larger of before and desired (Replace: by its plug), never above a limit or past the slots', () => {
  forPlans((given, plan) => {
    const { boot, withLeaving, unit } = factsOf(given);
    const { maxMemory, otherBytes, slots, hostFree, namespaceFree, hugepagesFree, pageSize } = given.observation;
    const plugs = plan.steps.filter((step) => step.operation === 'plug');
    const plugged = plugs.reduce((sum, { size }) => sum + size, 0);
    const bound = Math.max(withLeaving, given.desired) + (plan.decision === 'replace' ? plugged : 0);
    for (const state of statesOf(given, plan)) {
      expect(totalOf(state)).toBeLessThanOrEqual(bound);
      expect(state.modules.length + slots.usedByOthers.length).toBeLessThanOrEqual(slots.total);
      if (plugs.length === 0) continue;
      expect(maxMemory).not.toBe('unsupported');
      if (maxMemory !== 'unlimited') expect(totalOf(state) + otherBytes).toBeLessThanOrEqual(Number(maxMemory));
      expect(totalOf(state)).toBeLessThanOrEqual(16 * boot);
    }
    expect(plugged).toBeLessThanOrEqual(hostFree ?? Infinity);
    expect(plugged).toBeLessThanOrEqual(namespaceFree ?? Infinity);
    if (pageSize !== null) expect(plugged).toBeLessThanOrEqual(hugepagesFree ?? Infinity);
    for (const { size, slot } of plugs) {
      expect(size % unit).toBe(0);
      expect(size).toBeLessThanOrEqual(largestModule(given, factsOf(given)));
      expect(slots.resting).not.toContain(slot);
    }
    if (given.observation.cordoned || given.observation.booting) expect(plugs).toEqual([]);
  });
});

test('I2: never below the smaller of before and desired', () => {
  forPlans((given, plan) => {
    const bound = Math.min(factsOf(given).withoutLeaving, given.desired);
    for (const state of statesOf(given, plan)) expect(totalOf(state)).toBeGreaterThanOrEqual(bound);
  });
});

test('I3: no unplug beside one that is unsettled; nothing quarantined is asked', () => {
  forPlans((given, plan) => {
    const { candidates, leaving } = factsOf(given);
    const unplugs = plan.steps.filter((step) => step.operation === 'unplug');
    if (leaving.length > 0) expect(unplugs).toEqual([]);
    for (const { slot, base, alias, size, node } of unplugs) {
      expect(candidates).toContainEqual(expect.objectContaining({ slot, base, alias, size, node }));
    }
    if (plan.askAgain !== undefined) {
      const { slot, base, alias } = plan.askAgain;
      expect(plan.decision).toBe('wait');
      expect(leaving).toContainEqual(expect.objectContaining({ slot, base, alias }));
    }
  });
});

test('I9: what is not reached says which sizes are, and nothing is done half-way', () => {
  forPlans((given, plan) => {
    const { steps, decision, reason, message, resultMemory, residual, reachable } = plan;
    expect(message).not.toMatch(/undefined|NaN|null|Infinity|\n/);
    expect(message.length).toBeLessThan(700);
    if (decision === 'wait' || decision === 'blocked' || decision === 'noop') expect(steps).toEqual([]);
    else expect(steps).not.toEqual([]);
    if (decision === 'plug' || decision === 'replace') expect(resultMemory).toBe(given.desired);
    if (reason === 'Unplugging' && decision === 'unplug') {
      expect(resultMemory).toBeGreaterThanOrEqual(given.desired);
      if (given.policy.shrink !== 'Nearest') expect(residual).toBe(0);
    }
    if (reason === 'UnreachableSize' || reason === 'Misaligned' || reason === 'BelowBootMemory') {
      expect(reachable.below ?? reachable.above).not.toBeNull();
      expect(reachable.below ?? -1).toBeLessThan(given.desired);
      expect(reachable.above ?? Infinity).toBeGreaterThan(given.desired);
    }
    const { below, above, ranges } = reachable;
    for (const size of [resultMemory, below, above, ...ranges.flatMap(({ from, to, step }) => [from, to, step])]) {
      if (size !== null) expect(isBytes(size)).toBe(true);
    }
  });
});

test('plugs ascend in size; each takes the lowest slot that is free', () => {
  forPlans((given, plan) => {
    const { observation } = given;
    const plugs = plan.steps.filter((step) => step.operation === 'plug');
    const taken = new Set([
      ...observation.slots.usedByOthers,
      ...observation.slots.resting,
      ...observation.modules.map(({ slot }) => slot),
    ]);
    plugs.forEach(({ size, slot }, index) => {
      expect(size).toBeGreaterThanOrEqual(plugs[index - 1]?.size ?? 0);
      let lowest = 0;
      while (taken.has(lowest)) lowest++;
      expect(slot).toBe(lowest);
      taken.add(slot);
    });
    if (plan.decision === 'replace') expect(plan.steps[0]?.operation).toBe('plug');
  });
});

test('every new module, largest first, goes to the node with least plugged for its boot memory', () => {
  forPlans((given, plan) => {
    const filled = given.observation.boot.map(({ node, size }) => ({
      node,
      boot: BigInt(size),
      filled: BigInt(
        size + given.observation.modules.filter((module) => module.node === node).reduce((sum, m) => sum + m.size, 0),
      ),
    }));
    const expected: { size: number; node: number }[] = [];
    const plugs = plan.steps.filter((step) => step.operation === 'plug');
    for (const { size } of [...plugs].sort((a, b) => b.size - a.size)) {
      const [least] = filled.toSorted((a, b) => {
        const difference = a.filled * b.boot - b.filled * a.boot;
        return difference < 0n ? -1 : difference > 0n ? 1 : a.node - b.node;
      });
      if (least === undefined) throw new Error('no node');
      least.filled += BigInt(size);
      expected.push({ size, node: least.node });
    }
    const byPlace = (a: { size: number; node: number }, b: { size: number; node: number }): number =>
      a.size - b.size || a.node - b.node;
    expect(plugs.map(({ size, node }) => ({ size, node }))).toEqual(expected.sort(byPlace));
  });
});

test('I10: what is unplugged leaves the guest its margin, and the agent is told', () => {
  forPlans((given, plan) => {
    const { guest } = given.observation;
    const { guestSafety } = given.policy;
    const { withLeaving } = factsOf(given);
    const margin = Math.max(128 * MiB, Math.ceil(withLeaving / 20));
    const judged = guestSafety === 'Required' || (guestSafety === 'BestEffort' && guest?.fresh === true);
    let usable: number = guest?.usable ?? 0;
    let taken: number = guest?.takenOfModules ?? Infinity;
    for (const step of plan.steps) {
      if (step.operation === 'plug') {
        usable += step.size - Math.ceil(step.size / 64);
        taken += step.size;
        continue;
      }
      const cost = Math.min(step.size, taken);
      usable -= cost;
      taken -= cost;
      expect(step.minUsableAfter).toBe(judged ? margin : null);
      if (judged) expect(usable).toBeGreaterThanOrEqual(margin);
    }
    if (plan.askAgain !== undefined) expect(plan.askAgain.minUsableAfter === null).toBe(!judged);
  });
});

test('following a plan to its end converges: planning again says so', () => {
  forPlans((given, plan) => {
    if (plan.steps.length === 0) return;
    const settled = statesOf(given, plan).at(-1) ?? given.observation;
    const again = planOf({ ...given, observation: settled });
    if (settled.modules.some(({ state }) => state === 'Leaving')) {
      expect(again.reason).toBe('Unplugging');
    } else {
      expect(again.reason).toBe(plan.residual === 0 ? 'Converged' : 'ConvergedNearest');
    }
  });
});

test('the same request always gives the same plan, and is left as it was', () => {
  fc.assert(
    fc.property(request(), (given) => {
      const copy = structuredClone(given);
      expect(planOf(given)).toEqual(planOf(copy));
      expect(given).toEqual(copy);
    }),
    { numRuns: 500 },
  );
});

test('the order in which modules and nodes are listed does not matter', () => {
  fc.assert(
    fc.property(request(), (given) => {
      const { observation } = given;
      const reversed = {
        ...observation,
        modules: [...observation.modules].reverse(),
        boot: [...observation.boot].reverse(),
      };
      expect(planOf({ ...given, observation: reversed })).toEqual(planOf(given));
    }),
    { numRuns: 1000 },
  );
});
