/**
 * Random lives of a virtual machine: wishes come and go, the guest refuses or is silent, calls are lost or late, every
 * part restarts. Whatever happened, the invariants held at every step, and once the faults are over it settles.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { SimulatedChange, SimulatedFault } from '../../../src/host/simulated/script.ts';
import { hostError } from '../../../src/host/errors.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { formatQuantity } from '../../../src/memory/quantity.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

type Happening =
  | { readonly kind: 'wish'; readonly blocks: number; readonly grow: 'Whole' | 'Divisible' }
  | { readonly kind: 'guest'; readonly behaviour: 'accept' | 'refuse' | 'silent'; readonly times: number }
  | { readonly kind: 'let-go' }
  | {
      readonly kind: 'fault';
      readonly operation: 'observe' | 'plug' | 'unplug' | 'persist';
      readonly fault: SimulatedFault;
    }
  | { readonly kind: 'controller-restarts' | 'agent-restarts' | 'guest-resets' | 'host-unreachable' }
  | { readonly kind: 'disk'; readonly isFull: boolean }
  | { readonly kind: 'time'; readonly ms: number };

const anyFault: fc.Arbitrary<SimulatedFault> = fc.oneof(
  fc.constant<SimulatedFault>({ kind: 'lose-answer' }),
  fc.constant<SimulatedFault>({ kind: 'lose-request' }),
  fc.integer({ min: 1, max: 20_000 }).map((ms): SimulatedFault => ({ kind: 'answer-late', ms })),
  fc.integer({ min: 1, max: 25_000 }).map((ms): SimulatedFault => ({ kind: 'act-late', ms })),
  fc.constantFrom('busy', 'internal-error', 'stale-revision').map((code): SimulatedFault => {
    return { kind: 'fail', error: hostError(code, 'on purpose') };
  }),
);

const anyHappening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('wish' as const),
      blocks: fc.integer({ min: 8, max: 40 }),
      grow: fc.constantFrom('Whole' as const, 'Divisible' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('guest' as const),
      behaviour: fc.constantFrom('accept' as const, 'refuse' as const, 'silent' as const),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Happening>({ kind: 'let-go' }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('fault' as const),
      operation: fc.constantFrom('observe' as const, 'plug' as const, 'unplug' as const, 'persist' as const),
      fault: anyFault,
    }),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('controller-restarts', 'agent-restarts', 'guest-resets', 'host-unreachable')
      .map((kind) => ({ kind })),
  },
  { weight: 1, arbitrary: fc.boolean().map((isFull): Happening => ({ kind: 'disk', isFull })) },
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 40_000 }).map((ms): Happening => ({ kind: 'time', ms })) },
);

type Wish = { readonly atMs: number; readonly memory: number };

/** Lets go of whatever is leaving. */
function letGo(bench: ControllerBench): void {
  const { script } = bench.host();
  for (const mark of script.domain(vmUuid).operations.marks) {
    if (mark.phase === 'leaving') script.letGo(vmUuid, mark.slot);
  }
}

/** Waits until Persisted is True: then a start gives just what the VM has. */
async function isStored(bench: ControllerBench): Promise<void> {
  const { script } = bench.host();
  await bench.clock.until('it is stored', () => bench.condition('Persisted')?.status === 'True', 3_600_000);
  const { modules, stored } = script.domain(vmUuid);
  const told = (all: readonly { readonly slot: number | null; readonly size: number }[] = []) =>
    all.map(({ slot, size }) => [slot, size]).toSorted(([a], [b]) => (a ?? 0) - (b ?? 0));
  expect(told(stored?.modules)).toEqual(told(modules));
}

/** What was wished for, and when the guest forgot what it had been asked for. */
type Past = { readonly wishes: Wish[]; readonly resetsAtMs: number[] };

async function happen(bench: ControllerBench, happening: Happening, { wishes, resetsAtMs }: Past): Promise<void> {
  const { script } = bench.host();
  switch (happening.kind) {
    case 'wish': {
      const memory = mib(128 * happening.blocks);
      wishes.push({ atMs: bench.clock.now(), memory });
      bench.apply({ memory: formatQuantity(memory), growPolicy: happening.grow, persistence: 'LiveAndConfig' });
      return;
    }
    case 'guest':
      script.setUnplugBehaviour(vmUuid, 'all', happening.behaviour, { times: happening.times });
      return;
    case 'let-go':
      letGo(bench);
      return;
    case 'fault':
      script.inject(happening.operation, happening.fault);
      return;
    case 'controller-restarts':
      return bench.restart();
    case 'agent-restarts':
      script.restartAgent();
      return;
    case 'guest-resets':
      resetsAtMs.push(bench.clock.now());
      script.reset(vmUuid);
      return;
    case 'host-unreachable':
      script.setReachable(false);
      await bench.clock.advance(5_000);
      script.setReachable(true);
      return;
    case 'disk':
      script.setStoreProblem(happening.isFull ? 'the disk is full' : null);
      return;
    case 'time':
      return bench.clock.advance(happening.ms);
    default:
      happening satisfies never;
  }
}

/** A call that was queued (act-late) may be for any wish of the last 45 s: its deadline, and the wait before it. */
const inFlightMs = 45_000;

/** The wishes that a change at `atMs` may have been made for. */
function wishesFor(wishes: readonly Wish[], atMs: number): readonly number[] {
  const before = wishes.filter((wish) => wish.atMs <= atMs);
  const current = before.at(-1);
  return before
    .filter((wish) => wish === current || wish.atMs >= atMs - inFlightMs || wish === before.at(-2))
    .map(({ memory }) => memory);
}

function checkInvariants(changes: readonly SimulatedChange[], { wishes, resetsAtMs }: Past, startTotal: number): void {
  let leaving: number | null = null;
  let askedAtMs = 0;
  let before = startTotal;
  for (const { what, slot, size, total, atMs } of changes) {
    const wanted = wishesFor(wishes, atMs);
    if (what === 'plugged') {
      // I1. What is leaving still counts; it may come back as present after a late departure was made good.
      expect(total, 'I1: never above the larger of before and desired').toBeLessThanOrEqual(
        Math.max(before, ...wanted),
      );
    }
    if (what === 'asked') {
      if (resetsAtMs.some((resetAtMs) => resetAtMs >= askedAtMs && resetAtMs <= atMs)) leaving = null;
      expect(leaving === null || leaving === slot, 'I3: one unsettled unplug').toBe(true);
      expect(total - size, 'I2: never below the smaller of before and desired').toBeGreaterThanOrEqual(
        Math.min(before, ...wanted),
      );
      leaving = slot;
      askedAtMs = atMs;
    }
    if (what === 'removed' || what === 'refused') leaving = null;
    before = total;
  }
}

it('keeps its promises through any life, and settles when it is over', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyHappening, { minLength: 3, maxLength: 25 }), async (life) => {
      const modules = [{ size: mib(512) }, { size: mib(256) }, { size: mib(256) }];
      const bench = await createControllerBench([{ uuid: vmUuid, name: 'vm', boot: gib(1), modules, slots: 32 }]);
      const { script } = bench.host();
      try {
        const past: Past = { wishes: [], resetsAtMs: [] };
        const startTotal = script.total(vmUuid);
        await happen(bench, { kind: 'wish', blocks: 16, grow: 'Divisible' }, past);
        for (const happening of life) await happen(bench, happening, past);

        // The faults are over; a wish that can be reached whatever is plugged: boot memory, or more than ever.
        script.setUnplugBehaviour(vmUuid, 'all', 'accept');
        letGo(bench);
        script.setStoreProblem(null);
        await happen(bench, { kind: 'wish', blocks: 48, grow: 'Whole' }, past);
        await bench.reaches('Converged', 'vm', 4 * 3_600_000);
        expect(script.total(vmUuid)).toBe(mib(128 * 48));
        await isStored(bench);
        await happen(bench, { kind: 'wish', blocks: 8, grow: 'Whole' }, past);
        await bench.reaches('Converged', 'vm', 4 * 3_600_000);
        expect(script.total(vmUuid)).toBe(gib(1));
        await isStored(bench);

        checkInvariants(script.changes(), past, startTotal);
        expect(bench.resources.get('tenants/vm')?.spec.memory, 'I5: spec is never written').toBe('1Gi');
      } finally {
        await bench.close();
      }
    }),
    { numRuns: 300 },
  );
}, 120_000);
