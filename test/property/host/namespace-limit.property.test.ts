/** Random lives of VMs of several namespaces on one host: no growth leads past a limit, and none within it is refused. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type EndReservation, HostMemory } from '../../../src/agent/host-memory.ts';
import { computeNamespaceFree, computeShare, type Holder } from '../../../src/host/rules/namespace-limit.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { type Bytes, gib, zeroBytes } from '../../../src/memory/bytes.ts';
import { claim, plugRequest, valueOf } from '../../contract/bench.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const limit = gib(8);
const vms = [0, 1, 2, 3];
const namespaces = ['shop', 'bank'] as const;
const uuidOf = (vm: number): string => `00000000-0000-4000-8000-00000000000${vm}`;
const someVm = fc.constantFrom(...vms);
const someNamespace = fc.constantFrom(...namespaces);
const someSize = fc.integer({ min: 1, max: 4 }).map(gib);

type Move =
  /** It is done only when another move says so. */
  | { readonly kind: 'plug'; readonly vm: number; readonly namespace: string; readonly size: Bytes }
  | { readonly kind: 'finish'; readonly vm: number; readonly succeeds: boolean }
  | { readonly kind: 'shrink' | 'stop' | 'start'; readonly vm: number };

const moves: fc.Arbitrary<readonly Move[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('plug' as const),
        vm: someVm,
        namespace: someNamespace,
        size: someSize,
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('finish' as const), vm: someVm, succeeds: fc.boolean() }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constantFrom('shrink' as const, 'stop' as const, 'start' as const), vm: someVm }),
    },
  ),
  { maxLength: 40 },
);

type Vm = {
  size: Bytes;
  holder: Holder | null;
  growing: { readonly size: Bytes; readonly end: EndReservation; readonly tenant: Holder } | null;
};

it('plugs under way at the same time, which succeed or fail: no namespace gets past its limit by growing', () => {
  const seen = { admitted: 0, refused: 0, together: 0 };
  fc.assert(
    fc.property(moves, (life) => {
      const memory = new HostMemory(() => ({
        ...{ total: gib(1024), available: gib(1024), nodes: [], hugepagePools: [], defaultHugePageSize: null },
      }));
      const machines = vms.map((): Vm => ({ size: gib(1), holder: null, growing: null }));
      const look = (vm: number): void => {
        const { size, holder } = machines[vm] ?? { size: zeroBytes, holder: null };
        memory.setCommitted(uuidOf(vm), size, size === 0 ? null : holder);
      };
      vms.forEach(look);
      const shareOf = (namespace: string): number => computeShare(memory.namespaces(), { ...claim, namespace });

      for (const move of life) {
        const machine = machines[move.vm];
        if (machine === undefined) continue;
        const before = namespaces.map(shareOf);
        if (move.kind === 'plug' && machine.growing === null && machine.size > 0) {
          const tenant = { clusterId: claim.clusterId, namespace: move.namespace };
          const asked = { holder: machine.holder, committed: machine.size };
          const free = computeNamespaceFree(memory.namespaces(), tenant, limit, asked);
          const request = plugRequest(0, move.size, { namespace: move.namespace, namespaceLimit: limit });
          const reserved = memory.reserve(uuidOf(move.vm), request, null);
          // What would have been planned is admitted, and nothing else.
          expect(reserved.ok).toBe(move.size <= free);
          if (reserved.ok) {
            machine.growing = { size: move.size, end: reserved.value, tenant };
            if (machines.filter(({ growing }) => growing !== null).length > 1) seen.together += 1;
          }
          seen[reserved.ok ? 'admitted' : 'refused'] += 1;
        } else if (move.kind === 'finish' && machine.growing !== null) {
          // The claim is seen with what came of the plug; until then only who plugs knows of it.
          machine.holder = machine.growing.tenant;
          if (move.succeeds) machine.size = (machine.size + machine.growing.size) as Bytes;
          look(move.vm);
          machine.growing.end();
          machine.growing = null;
        } else if (machine.growing === null) {
          if (move.kind === 'shrink' && machine.size > 0) machine.size = gib(1);
          // The claim ends with the run.
          if (move.kind === 'stop') [machine.size, machine.holder] = [zeroBytes, null];
          if (move.kind === 'start' && machine.size === 0) machine.size = gib(1);
          look(move.vm);
        }
        namespaces.forEach((namespace, index) => {
          expect(shareOf(namespace)).toBeLessThanOrEqual(Math.max(limit, before[index] ?? 0));
        });
      }
    }),
    { numRuns: 3_000 },
  );
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(150);
});

it('on a host that plugs by its rules: the VMs of a namespace never have more than its limit, whoever asks for what', async () => {
  const seen = { admitted: 0, refused: 0 };
  const asks = fc.array(fc.record({ vm: someVm, namespace: someNamespace, size: someSize }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(asks, fc.subarray(vms), async (life, owned) => {
      const host = createSimulatedHost({
        clock: new ManualClock(),
        domains: vms.map((vm) => ({
          ...{ uuid: uuidOf(vm), name: `vm-${vm}`, boot: gib(1), slots: 16 },
          ownerNamespace: owned.includes(vm) ? 'shop' : null,
        })),
      });
      const slots = vms.map(() => 0);
      for (const { vm, namespace, size } of life) {
        const { revision, claim: held } = valueOf(await host.observe(uuidOf(vm)));
        const slot = slots[vm] ?? 0;
        const replaces = held === null || held.namespace === namespace ? {} : { replacesUid: held.objectUid };
        const request = plugRequest(slot, size, {
          namespace,
          objectUid: namespace,
          namespaceLimit: limit,
          ...replaces,
        });
        const answer = await host.plug(uuidOf(vm), revision, request);
        if (answer.ok) slots[vm] = slot + 1;
        else if (answer.error.code !== 'claimed-by-other') expect(answer.error.code).toBe('namespace-limit');
        seen[answer.ok ? 'admitted' : 'refused'] += 1;
        const shares = valueOf(await host.facts()).namespaces ?? [];
        for (const name of namespaces) {
          expect(computeShare(shares, { ...claim, namespace: name })).toBeLessThanOrEqual(limit);
        }
      }
    }),
    { numRuns: 300 },
  );
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(100);
});
