/**
 * Random lives of a VM that somebody else changes too, while every part fails and restarts: what was reached is brought back
 * at most three times an hour, and never under Report; a deletion with Release takes nothing that Dimmer hasn't plugged,
 * gives nothing, and ends in time.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { hostError } from '../../../src/host/errors.ts';
import type { SimulatedChange, SimulatedFault } from '../../../src/host/simulated/script.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { aliasOfSlot, isOwnAlias } from '../../../src/memory/module.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

type Happening =
  | { readonly kind: 'plug-by-hand'; readonly blocks: number }
  | { readonly kind: 'unplug-by-hand'; readonly which: number }
  | { readonly kind: 'guest'; readonly behaviour: 'accept' | 'refuse' | 'silent' }
  | {
      readonly kind: 'fault';
      readonly operation: 'observe' | 'plug' | 'unplug' | 'releaseClaim';
      readonly fault: SimulatedFault;
    }
  | { readonly kind: 'status-fails' | 'controller-restarts' | 'agent-restarts' | 'host-unreachable' }
  | { readonly kind: 'time'; readonly ms: number };

const anyFault: fc.Arbitrary<SimulatedFault> = fc.oneof(
  fc.constant<SimulatedFault>({ kind: 'lose-answer' }),
  fc.constant<SimulatedFault>({ kind: 'lose-request' }),
  fc.constantFrom('busy', 'internal-error', 'stale-revision').map((code): SimulatedFault => {
    return { kind: 'fail', error: hostError(code, 'on purpose') };
  }),
);
const anyHappening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('plug-by-hand' as const), blocks: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('unplug-by-hand' as const), which: fc.nat(5) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('guest' as const),
      behaviour: fc.constantFrom('accept' as const, 'accept' as const, 'refuse' as const, 'silent' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('fault' as const),
      operation: fc.constantFrom('observe' as const, 'plug' as const, 'unplug' as const, 'releaseClaim' as const),
      fault: anyFault,
    }),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('status-fails', 'controller-restarts', 'agent-restarts', 'host-unreachable')
      .map((kind) => ({ kind })),
  },
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 20_000 }).map((ms): Happening => ({ kind: 'time', ms })) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 1_800_000 }).map((ms): Happening => ({ kind: 'time', ms })) },
);

async function happen(bench: ControllerBench, happening: Happening): Promise<void> {
  const { script } = bench.host();
  const { modules, slots } = script.domain(vmUuid);
  switch (happening.kind) {
    case 'plug-by-hand': {
      const taken = modules.map(({ slot }) => slot);
      const slot = Array.from({ length: slots }, (_, index) => slots - 1 - index).find((free) => !taken.includes(free));
      if (slot !== undefined && taken.length < 20) {
        script.plugByHand(vmUuid, { slot, size: mib(128 * happening.blocks), alias: `ua-hand-${slot}` });
      }
      return;
    }
    case 'unplug-by-hand': {
      const module = modules[happening.which % Math.max(1, modules.length)];
      if (module !== undefined) script.unplugByHand(vmUuid, module.slot);
      return;
    }
    case 'guest':
      script.setUnplugBehaviour(vmUuid, 'all', happening.behaviour);
      return;
    case 'fault':
      script.inject(happening.operation, happening.fault);
      return;
    case 'status-fails':
      bench.resources.failures.push({ outcome: 'failed', message: 'on purpose', retryable: true });
      return;
    case 'controller-restarts':
      return bench.restart();
    case 'agent-restarts':
      script.restartAgent();
      return;
    case 'host-unreachable':
      script.setReachable(false);
      await bench.clock.advance(5_000);
      script.setReachable(true);
      return;
    case 'time':
      return bench.clock.advance(happening.ms);
    default:
      happening satisfies never;
  }
}

const open = (): Promise<ControllerBench> =>
  createControllerBench([{ uuid: vmUuid, name: 'vm', boot: gib(1), slots: 64 }]);
const isOurs = ({ what }: SimulatedChange): boolean => what === 'plugged' || what === 'asked';

it('what somebody else changes is brought back three times an hour at most, as recorded, and never under Report', async () => {
  let corrected = 0;
  let contested = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyHappening, { minLength: 20, maxLength: 50, size: 'max' }),
      fc.constantFrom('Correct' as const, 'Report' as const),
      async (life, driftPolicy) => {
        const bench = await open();
        const { script } = bench.host();
        try {
          bench.apply({ memory: '2Gi', growPolicy: 'Divisible', driftPolicy });
          await bench.reaches('Converged');
          // From here on everything that is done to the VM is done about drift.
          const atStart = script.changes().length;
          const stored: { readonly atMs: number; readonly isCorrecting: boolean }[] = [];
          const times = new Set<string>();
          bench.resources.onChange(({ current }) => {
            const { phase, corrections = [] } = current?.status?.drift ?? {};
            stored.push({ atMs: bench.clock.now(), isCorrecting: phase === 'Correcting' });
            for (const time of corrections) times.add(time);
            if (phase === 'Contested') contested += 1;
          });
          for (const happening of life) await happen(bench, happening);
          await bench.clock.advance(600_000);

          const ours = script.changes().slice(atStart).filter(isOurs);
          if (driftPolicy === 'Report') expect(ours).toEqual([]);
          for (const { atMs } of ours) {
            const now = stored.filter((entry) => entry.atMs === atMs);
            const before = stored.findLast((entry) => entry.atMs < atMs);
            expect([...now, ...(before === undefined ? [] : [before])].some(({ isCorrecting }) => isCorrecting)).toBe(
              true,
            );
          }
          const sorted = [...times].map((time) => Date.parse(time)).toSorted((a, b) => a - b);
          for (const [index, time] of sorted.entries()) {
            const fourth = sorted[index + 3];
            if (fourth !== undefined) expect(fourth - time).toBeGreaterThanOrEqual(3_600_000 - 1_000);
          }
          corrected += sorted.length;
        } finally {
          await bench.close();
        }
      },
    ),
    { numRuns: 150 },
  );
  // Else it would prove nothing.
  expect(Math.min(corrected, contested)).toBeGreaterThan(20);
}, 120_000);

it('a deletion with Release takes only what Dimmer plugged, gives nothing, and ends in time', async () => {
  const ends = { Released: 0, ReleaseIncomplete: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyHappening, { maxLength: 8 }),
      fc.array(anyHappening, { maxLength: 12 }),
      async (life, meanwhile) => {
        const bench = await open();
        const { script } = bench.host();
        try {
          bench.apply({ memory: '2Gi', growPolicy: 'Divisible', deletionPolicy: 'Release' });
          await bench.reaches('Converged');
          for (const happening of life) await happen(bench, happening);
          const aliases = new Map(script.domain(vmUuid).modules.map(({ slot, alias }) => [slot, alias]));
          const atDeletion = script.changes().length;
          const deletedMs = bench.clock.now();
          const goneAtMs: number[] = [];
          bench.resources.onChange(({ current }) => {
            if (current === undefined) goneAtMs.push(bench.clock.now());
          });
          bench.delete();
          for (const happening of meanwhile) await happen(bench, happening);
          await bench.clock.advance(660_000);

          expect(goneAtMs).toHaveLength(1);
          // A second for a status that meets a failure, two for a last look.
          expect((goneAtMs[0] ?? Infinity) - deletedMs).toBeLessThanOrEqual(600_000 + 40_000);
          // What was sent in that very moment is on its way.
          const since = script.changes().slice(atDeletion);
          const ours = since.filter((change) => isOurs(change) && change.atMs > deletedMs);
          expect(ours.filter(({ what }) => what === 'plugged')).toEqual([]);
          for (const { what, slot } of since) if (what === 'plugged') aliases.set(slot, aliasOfSlot(slot));
          for (const { slot } of ours) expect(isOwnAlias(aliases.get(slot) ?? '')).toBe(true);
          for (const { reason } of bench.events.events) if (reason in ends) ends[reason as keyof typeof ends] += 1;
        } finally {
          await bench.close();
        }
      },
    ),
    { numRuns: 150 },
  );
  expect(ends.Released + ends.ReleaseIncomplete).toBe(150);
  expect(Math.min(ends.Released, ends.ReleaseIncomplete)).toBeGreaterThan(5);
}, 120_000);
