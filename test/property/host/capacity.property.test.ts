/** What the controller plans on a host the agent admits, and the other way round: they judge by the same rules. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { HostFacts } from '../../../src/host/port.ts';
import { computeHostFree, computeHugepagesFree, judgeHostMemory } from '../../../src/host/rules/capacity.ts';
import { type Bytes, bytes, mib } from '../../../src/memory/bytes.ts';
import { plugRequest } from '../../contract/bench.ts';

const size = (max: number) => fc.integer({ min: 0, max }).map((count) => mib(count * 2));
const pageSize = mib(2);

const host = fc
  .record({
    total: size(2_048),
    available: size(2_048),
    committed: size(4_096),
    pages: fc.nat(1_000),
    reserved: fc.nat(1_000),
    onDemand: fc.nat(1_000),
  })
  .map(({ available, ...rest }) => ({
    ...rest,
    available: bytes(Math.min(rest.total, available)),
  }));
const limits = fc.record({ memoryReserve: size(512), memoryOvercommit: fc.double({ min: 0.1, max: 3, noNaN: true }) });
/** A growth, cut into modules. */
const modules = fc.array(
  fc.integer({ min: 1, max: 512 }).map((count) => mib(count * 2)),
  { minLength: 1, maxLength: 4 },
);

/** Whether the agent admits one module after the other, with what each leaves. */
function admitsAll(
  facts: HostFacts,
  sizes: readonly Bytes[],
  each: { reserve: Bytes; overcommit: number; huge: boolean },
): boolean {
  let { available, committed } = facts.memory;
  let free = facts.nodes[0]?.hugepages[0]?.free ?? 0;
  let { reserved, onDemand } = facts.hugepagePools[0] ?? { reserved: 0, onDemand: 0 };
  return sizes.every((one, slot) => {
    const hugepages = [{ pageSize, total: 1_000, free }];
    const now = {
      memory: { ...facts.memory, available, committed },
      nodes: [{ id: 0, total: facts.memory.total, available, hugepages }],
      hugepagePools: [{ pageSize, reserved, onDemand }],
    };
    const request = plugRequest(slot, one, { hostReserve: each.reserve, hostOvercommit: each.overcommit });
    if (judgeHostMemory(now, request, each.huge ? pageSize : null) !== null) return false;
    committed = bytes(committed + one);
    if (!each.huge) available = bytes(available - one);
    // A mapping reserves its pages, of the pool first; the rest the kernel makes, and they are in use at once.
    for (let page = 0; each.huge && page < one / pageSize; page += 1) {
      if (free > reserved) {
        // Touched at once, or later: no more is left either way.
        if (page % 2 === 0) free -= 1;
        else reserved += 1;
      } else {
        onDemand -= 1;
        available = bytes(available - pageSize);
      }
    }
    return true;
  });
}

test.each([
  ['ordinary pages', false],
  ['huge pages', true],
] as const)('%s: a growth that is planned is admitted, one that is not would not be', (_, huge) => {
  let planned = 0;
  fc.assert(
    fc.property(host, limits, modules, ({ total, available, committed, pages, reserved, onDemand }, limit, sizes) => {
      const hugepages = [{ pageSize, total: 1_000, free: pages }];
      const facts: HostFacts = {
        ...{ agentVersion: '', libvirtVersion: '', hypervisorVersion: '', virtualMachines: 0 },
        ...{ virtualMachinesWithoutOwner: 0, namespaces: [] },
        memory: { total, available, committed },
        nodes: [{ id: 0, total, available, hugepages }],
        hugepagePools: [{ pageSize, reserved, onDemand }],
      };
      const amount = sizes.reduce((sum, one) => sum + one, 0);
      const isPlanned =
        amount <= computeHostFree(facts, limit, huge ? pageSize : null) &&
        (!huge || amount <= computeHugepagesFree(facts, limit, pageSize));
      planned += Number(isPlanned);
      const each = { reserve: limit.memoryReserve, overcommit: limit.memoryOvercommit, huge };
      expect(admitsAll(facts, sizes, each)).toBe(isPlanned);
    }),
    { numRuns: 2_000 },
  );
  expect(planned).toBeGreaterThan(50);
});
