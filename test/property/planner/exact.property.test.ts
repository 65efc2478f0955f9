/** The exact set of a shrink is the one that brute force finds. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PlannerModule } from '../../../src/planner/types.ts';
import { planOf } from '../../unit/planner/support.ts';
import { observation } from './arbitrary.ts';
import { allSubsets, bestExact, candidateOrder } from './oracle.ts';

const slots = (modules: readonly { readonly slot: number }[]): number[] =>
  modules.map(({ slot }) => slot).sort((a, b) => a - b);

test('the planner unplugs exactly the optimal set, and only where there is one', () => {
  let found = 0;
  fc.assert(
    fc.property(observation({ maxModules: 10 }), fc.nat(), fc.boolean(), (generated, seed, random) => {
      const modules = generated.modules.map((module): PlannerModule => ({ ...module, state: 'Plugged' }));
      const candidates = modules.filter(({ quarantined }) => !quarantined);
      const order = candidateOrder(modules, generated.boot).filter(({ quarantined }) => !quarantined);
      const subsets = allSubsets(candidates);
      const total = modules.reduce((sum, module) => sum + module.size, 0);
      // Half of the wanted sizes are sums of some subset, so that sets are often found.
      const amount = random ? seed % (total + 1) : (subsets[seed % subsets.length]?.sum ?? 0);
      if (amount === 0) return;
      const boot = generated.boot.reduce((sum, { size }) => sum + size, 0);
      const plan = planOf({
        desired: (boot + total - amount) as never,
        observation: { ...generated, modules, booting: false },
        policy: { shrink: 'Exact', grow: 'Whole', guestSafety: 'Off' },
      });
      const best = bestExact(order, subsets, amount);
      if (best === undefined) {
        expect(plan.decision).toBe('blocked');
      } else {
        found++;
        expect(plan.decision).toBe('unplug');
        expect(slots(plan.steps)).toEqual(slots(best.members));
      }
    }),
    { numRuns: 2000 },
  );
  expect(found).toBeGreaterThan(500);
});
