/** Every decision is the one that the contract, played through by brute force, comes to. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PlanReason, PlanRequest } from '../../../src/planner/types.ts';
import { planOf } from '../../unit/planner/support.ts';
import { request } from './arbitrary.ts';
import { expect as reference, factsOf } from './reference.ts';

/** Compares a plan with what brute force expects; answers the reason, so that tests can see which ones occur. */
function compare(given: PlanRequest): PlanReason {
  const plan = planOf(given);
  const { decision, reason, unplugged, plugged, asksAgain } = reference(given);
  const facts = factsOf(given);
  const amountPlugged = plan.steps.reduce((sum, step) => sum + (step.operation === 'plug' ? step.size : 0), 0);
  expect({
    decision: plan.decision,
    reason: plan.reason,
    unplugged: plan.steps
      .filter(({ operation }) => operation === 'unplug')
      .map(({ slot }) => slot)
      .sort((a, b) => a - b),
    plugged: amountPlugged,
    asksAgain: plan.askAgain !== undefined,
  }).toEqual({ decision, reason, unplugged, plugged, asksAgain });

  const gone = facts.staying.filter(({ slot }) => unplugged.includes(slot)).reduce((sum, { size }) => sum + size, 0);
  expect(plan.resultMemory).toBe(facts.withLeaving + plugged - gone);
  const settles = decision !== 'wait' && decision !== 'blocked';
  expect(plan.residual).toBe(settles ? plan.resultMemory - given.desired : null);
  return reason;
}

test('decision, reason, modules and amounts agree with brute force', () => {
  const seen = new Map<PlanReason, number>();
  fc.assert(
    fc.property(request(), (given) => {
      const reason = compare(given);
      seen.set(reason, (seen.get(reason) ?? 0) + 1);
    }),
    { numRuns: 6000 },
  );
  // A reason that never came up was never compared.
  const expected: PlanReason[] = [
    'Converged',
    'ConvergedNearest',
    'Plugging',
    'Unplugging',
    'Replacing',
    'WaitingForGuest',
    'VMBusy',
    'BelowBootMemory',
    'UnreachableSize',
    'Misaligned',
    'GuestRefused',
    'GuestMemoryUnknown',
    'GuestMemoryInUse',
    'HotplugUnsupported',
    'ExceedsMaxMemory',
    'BootMemoryTooSmall',
    'SlotsExhausted',
    'HostCordoned',
    'NamespaceLimitReached',
    'InsufficientHostMemory',
    'HugepagesUnavailable',
  ];
  expect([...seen.keys()].sort()).toEqual(expected.sort());
});

test('Replace takes the optimal set within its room', () => {
  let replaced = 0;
  fc.assert(
    fc.property(request({ maxModules: 8 }), (given) => {
      const policy = { ...given.policy, shrink: 'Replace' as const, guestSafety: 'Off' as const };
      const modules = given.observation.modules.map((module) => ({ ...module, state: 'Plugged' as const }));
      const { slots, maxMemory } = given.observation;
      const observation = {
        ...given.observation,
        modules,
        booting: false,
        cordoned: false,
        slots: { ...slots, total: slots.total + 1 },
        maxMemory: maxMemory === 'unsupported' ? ('unlimited' as const) : maxMemory,
      };
      if (compare({ ...given, policy, observation }) === 'Replacing') replaced++;
    }),
    { numRuns: 4000 },
  );
  expect(replaced).toBeGreaterThan(200);
});
