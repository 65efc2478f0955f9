/** Whatever is plugged and leaves, and whenever somebody looks: a guest is never believed to have more than it has. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { guestMemory } from '../../../src/host/simulated/guest.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

type Step =
  | { readonly kind: 'plug' | 'unplug' | 'unplugByHand'; readonly slot: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'restartAgent' };

const slot = fc.integer({ min: 0, max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('plug', 'unplug', 'unplugByHand'), slot }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 3_000 }) }),
);

describe('what the host says of a guest', () => {
  const run = async (steps: readonly Step[], offsetMs: number): Promise<void> => {
    const clock = new ManualClock(Date.UTC(2026, 0, 1) + offsetMs);
    const host = createSimulatedHost({
      clock,
      domains: [{ uuid, name: 'db-1', modules: [{ size: mib(512) }, { size: mib(256) }] }],
    });
    const { script } = host;
    const observe = async () => valueOf(await host.observe(uuid));
    const check = async (): Promise<void> => {
      const truth = guestMemory(script.domain(uuid), clock.now());
      const { guest, layout } = await observe();
      // What is leaving is still there, and whoever plans takes it off himself.
      expect(layout?.modules.length).toBe(script.domain(uuid).modules.length);
      for (const field of ['total', 'usable', 'free'] as const) {
        expect(guest?.[field], field).toBeLessThanOrEqual(truth[field]);
      }
    };
    for (const each of steps) {
      const has = (at: number): boolean => script.domain(uuid).modules.some((module) => module.slot === at);
      if (each.kind === 'wait') await clock.advance(each.ms);
      else if (each.kind === 'restartAgent') script.restartAgent();
      else if (each.kind === 'plug')
        await host.plug(uuid, (await observe()).revision, plugRequest(each.slot, mib(128)));
      else if (each.kind === 'unplug') await host.unplug(uuid, (await observe()).revision, unplugRequest(each.slot));
      else if (has(each.slot)) script.unplugByHand(uuid, each.slot);
      await check();
      // In the middle of what the last step set off.
      await clock.advance(60);
      await check();
    }
    // And it is not kept small for longer than two reports.
    await clock.advance(4_500);
    const truth = guestMemory(script.domain(uuid), clock.now());
    expect((await observe()).guest).toMatchObject(truth);
    await host.close();
  };

  test('is never more than it has, and soon what it has', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.integer({ min: 0, max: 1_999 }), run), {
      numRuns: 60,
    });
  });

  test('holds across a restart of the agent for every module that it asked for', async () => {
    const asked = fc.oneof(
      step.filter((each) => each.kind !== 'unplugByHand'),
      fc.constant<Step>({ kind: 'restartAgent' }),
    );
    await fc.assert(fc.asyncProperty(fc.array(asked, { maxLength: 12 }), fc.integer({ min: 0, max: 1_999 }), run), {
      numRuns: 60,
    });
  });
});
