/** Two guest NUMA nodes, and modules on huge pages. */
import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import type { ObservedModule } from '../../../src/host/port.ts';
import { type Bytes, mib, MiB } from '../../../src/memory/bytes.ts';
import { computePlan } from '../../../src/planner/plan.ts';
import { requestFromDomain } from '../../../src/preview/from-domain-xml.ts';
import { claim, codeOf, plugRequest, valueOf } from '../../contract/bench.ts';
import { waitFor } from '../../lab/wait.ts';
import { describeAgent } from './agent-bench.ts';

const size = mib(128);
const pageSize = mib(2);
const [overcommit, surplus] = ['nr_overcommit_hugepages', 'surplus_hugepages'].map(
  (name) => `/sys/kernel/mm/hugepages/hugepages-2048kB/${name}`,
) as [string, string];

await describeAgent(
  'guest NUMA nodes and huge pages',
  {
    uncleared: true,
    hypervisor: { hugePages: 96 },
    guests: [
      {
        kind: 'accepting',
        nodes: [
          { mib: 384, vcpus: 1 },
          { mib: 256, vcpus: 1 },
        ],
      },
    ],
  },
  (bench) => {
    const { observe, plug, unplug, until } = bench;
    beforeAll(async () => {
      await bench.reports();
    });

    /** The guest's own word on one of its nodes. */
    const nodeKib = async (node: number): Promise<number> => {
      const text = await bench.guest.shOk(`grep MemTotal /sys/devices/system/node/node${node}/meminfo`);
      return Number(/(\d+) kB/.exec(text)?.[1]);
    };
    const nodeReaches = (node: number, kib: (now: number) => boolean) =>
      waitFor(async () => kib(await nodeKib(node)), { what: `memory of node ${node} to change`, timeoutMs: 20_000 });
    const freePages = async (): Promise<number> => {
      const { nodes } = valueOf(await bench.client.facts());
      const pools = nodes.flatMap((node) => node.hugepages).filter((pool) => pool.pageSize === pageSize);
      return pools.reduce((sum, pool) => sum + pool.free, 0);
    };

    test('a module goes to the node that it is for, and comes back from there', async () => {
      expect((await observe()).layout?.boot).toEqual([
        { node: 0, size: 384 * MiB },
        { node: 1, size: 256 * MiB },
      ]);
      const before = [await nodeKib(0), await nodeKib(1)] as const;
      valueOf(await plug(0, { node: 1 }));
      expect((await observe()).layout?.modules).toMatchObject([{ slot: 0, node: 1, size }]);
      await nodeReaches(1, (now) => now === before[1] + 128 * 1024);
      expect(await nodeKib(0)).toBe(before[0]);

      valueOf(await plug(1, { node: 0 }));
      await nodeReaches(0, (now) => now === before[0] + 128 * 1024);
      expect((await observe()).layout?.modules.map(({ slot, node }) => [slot, node])).toEqual([
        [0, 1],
        [1, 0],
      ]);
      expect(codeOf(await plug(2, { node: 2 }))).toBe('rejected');

      for (const [slot, node] of [
        [0, 1],
        [1, 0],
      ] as const) {
        valueOf(await unplug(slot));
        await nodeReaches(node, (now) => now === before[node]);
        await until('it is gone', ({ layout }) => !layout?.modules.some((one) => one.slot === slot));
      }
    });

    test('a module on huge pages takes them from the host and gives them back', async () => {
      const free = await freePages();
      expect(free).toBeGreaterThanOrEqual(96);
      const before = await bench.guest.memTotalKiB();
      valueOf(await plug(3, { pageSize }));
      expect(await freePages()).toBe(free - 64);
      expect(await bench.guest.dumpXml()).toMatch(/<pagesize unit='KiB'>2048<\/pagesize>/);
      await waitFor(async () => (await bench.guest.memTotalKiB()) > before, {
        ...{ what: 'the guest to take it up', timeoutMs: 20_000 },
      });
      valueOf(await unplug(3));
      await until('it is gone', ({ layout }) => layout?.modules.length === 0);
      await waitFor(async () => (await freePages()) === free, { what: 'the pages to come back', timeoutMs: 20_000 });
    });

    test('huge pages that the kernel makes on demand are taken, as far as it may make any', async () => {
      const free = await freePages();
      // Two blocks more than the pool has, of which the kernel may make one.
      const blocks = Math.floor((free * pageSize) / size);
      const sizeOf = (count: number) => (count * size) as Bytes;
      expect(codeOf(await plug(6, { pageSize, size: sizeOf(blocks + 1) }))).toBe('hugepages-unavailable');
      const before = readFileSync(overcommit, 'utf8');
      writeFileSync(overcommit, String(size / pageSize));
      try {
        expect(codeOf(await plug(6, { pageSize, size: sizeOf(blocks + 2) }))).toBe('hugepages-unavailable');
        const reserve = (valueOf(await bench.client.facts()).memory.available - 2 * MiB) as Bytes;
        const nothingSpare = { pageSize, size: sizeOf(blocks + 1), hostReserve: reserve };
        expect(codeOf(await plug(6, nothingSpare))).toBe('hugepages-unavailable');
        valueOf(await plug(6, { pageSize, size: sizeOf(blocks + 1) }));
        expect(readFileSync(surplus, 'utf8')).not.toBe('0\n');
        valueOf(await unplug(6));
        await until('it is gone', ({ layout }) => layout?.modules.length === 0);
        await waitFor(() => Promise.resolve(readFileSync(surplus, 'utf8') === '0\n'), {
          ...{ what: 'what was made to go', timeoutMs: 20_000 },
        });
      } finally {
        writeFileSync(overcommit, before);
      }
    }, 60_000);

    test('too few huge pages: said so, and nothing has changed', async () => {
      const before = await observe();
      const xml = await bench.guest.dumpXml();
      const free = await freePages();
      // Whatever other labs on this machine have reserved: one block more than there is.
      const tooMuch = (Math.ceil((free * pageSize + 1) / size) * size) as Bytes;
      const answer = await bench.client.plug(
        bench.guest.uuid,
        before.revision,
        plugRequest(5, tooMuch, { pageSize, generation: 7 }),
      );
      expect(codeOf(answer)).toBe('hugepages-unavailable');
      expect(answer.ok ? '' : answer.error.message).toContain(`${free * 2}Mi are free`);
      expect(await bench.guest.dumpXml()).toBe(xml);
      const after = await observe();
      expect(after).toMatchObject({ revision: before.revision, claim, layout: before.layout ?? {} });
      expect(await freePages()).toBe(free);
      // A page size that the host has no pool of, and a size that is no multiple of the page size.
      expect(codeOf(await plug(5, { pageSize: mib(16) }))).toBe('hugepages-unavailable');
      expect(codeOf(await plug(5, { pageSize: mib(1024) }))).toBe('rejected');
    });

    test('stored: a start from the definition gives both modules again, on their node and pages, and nothing is left to do', async () => {
      const { guest, client } = bench;
      const free = await freePages();
      // Slots that nothing has left a moment ago.
      valueOf(await plug(10, { node: 1, pageSize }));
      valueOf(await plug(12, { node: 0 }));
      const before = await observe();
      expect(before.stored).toMatchObject({ isSame: false, obstacle: null });
      valueOf(await client.persist(guest.uuid, before.revision, claim));
      const inactive = await bench.lab.hypervisor.virshOk(['dumpxml', guest.name, '--inactive']);
      const stored = inactive.match(/<memory model='dimm'[\s\S]*?<\/memory>/g) ?? [];
      const text = (slot: number, node: number, source: string) =>
        `<memory model='dimm'>${source}<target><size unit='KiB'>131072</size><node>${node}</node></target>` +
        `<alias name='ua-dimmer-${slot}'/><address type='dimm' slot='${slot}'/></memory>`;
      expect(stored.map((module) => module.replaceAll(/\s*\n\s*/g, '')).toSorted()).toEqual([
        text(10, 1, `<source><pagesize unit='KiB'>2048</pagesize></source>`),
        text(12, 0, ''),
      ]);

      await guest.destroy();
      await waitFor(async () => (await freePages()) === free, { what: 'the pages to come back', timeoutMs: 20_000 });
      await guest.start();
      const after = await bench.reports();
      expect(after.runtimeId).not.toBe(before.runtimeId);
      const isAlike = ({ slot, node, alias, state }: ObservedModule) => ({ slot, node, size, alias, state });
      expect(after.layout?.modules.map(isAlike)).toEqual(before.layout?.modules.map(isAlike));
      expect(await freePages()).toBe(free - 64);
      // A kernel keeps some of what it boots with, less than a module.
      expect(await nodeKib(0)).toBeGreaterThan(384 * 1024);
      expect(await nodeKib(1)).toBeGreaterThan(256 * 1024);
      // What the definition gives is what is wished: neither stored anew nor planned.
      expect(after.stored).toEqual(expect.objectContaining({ isSame: true, obstacle: null }));
      const total = mib(384 + 256 + 2 * 128);
      const read = requestFromDomain(await guest.dumpXml(), {
        memory: total,
        granularity: undefined,
        hostFree: null,
        shrink: 'Exact',
        grow: 'Whole',
      });
      if (!read.ok) throw new Error(read.error);
      expect(computePlan(read.value.request)).toMatchObject({ ok: true, value: { decision: 'noop', steps: [] } });
      for (const slot of [10, 12]) {
        valueOf(await unplug(slot));
        await until('it is gone', ({ layout }) => !layout?.modules.some((one) => one.slot === slot));
      }
    }, 120_000);
  },
);
