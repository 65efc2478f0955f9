/** Memory that a guest never took goes out again though it is short of memory; where that isn't certain, all is as ever. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Bytes, mib, MiB } from '../../../src/memory/bytes.ts';
import { codeOf, settled, unplugRequest, valueOf } from '../../contract/bench.ts';
import { beside } from '../../lab/beside.ts';
import type { MemoryUse } from '../../lab/guest-types.ts';
import { waitFor } from '../../lab/wait.ts';
import { describeAgent } from './agent-bench.ts';

const size = mib(512);
const least = { minUsableAfter: mib(64) };

await describeAgent(
  'the way back',
  {
    guests: ['one', 'other'].map((name) => ({ kind: 'accepting', name })),
    size,
    // Each group its own.
    uncleared: true,
  },
  (bench) => {
    /** A guest that has said what it has, and leaves new memory offline. */
    const reluctant = (name: string) => {
      const it = bench.named(name);
      const uses: MemoryUse[] = [];
      const whole = () => ({ host: bench.client, uuid: it.guest.uuid });
      beforeEach(async () => {
        await settled(whole());
        await it.guest.shOk('echo offline >/sys/devices/system/memory/auto_online_blocks');
      });
      afterEach(async () => {
        for (const use of uses.splice(0)) if (await use.isAlive()) await use.free();
        await it.guest.shOk('echo online_movable >/sys/devices/system/memory/auto_online_blocks');
        await it.clear();
      });
      return {
        it,
        settled: () => settled(whole()),
        unplug: (slot: number) => it.unplug(slot, least),
        gone: (slot: number) =>
          it.until('it is gone', ({ layout }) => !layout?.modules.some((one) => one.slot === slot)),
        /** A process uses all but `spare`, which is less than a module. */
        leave: async (spare: Bytes): Promise<MemoryUse> => {
          const free = (await it.guest.memInfoKiB('MemAvailable')) * 1024;
          const use = await it.guest.useMemory(Math.floor((free - spare) / MiB));
          uses.push(use);
          return use;
        },
        /** The guest onlines so many of the blocks that it hasn't. */
        online: async (blocks: number): Promise<void> => {
          const before = await it.guest.memTotalKiB();
          await it.guest.shOk(
            `n=0; for m in /sys/devices/system/memory/memory*; do [ $n -ge ${blocks} ] && break; ` +
              `grep -q offline $m/state && echo online_movable >$m/state && n=$((n+1)); done; true`,
          );
          await waitFor(async () => (await it.guest.memTotalKiB()) === before + blocks * 128 * 1024, {
            ...{ what: 'the blocks to be online', timeoutMs: 10_000 },
          });
        },
        stays: async (use: MemoryUse): Promise<void> => {
          expect((await it.observe()).layout?.modules).toMatchObject([{ slot: 0, state: 'Plugged', mark: null }]);
          expect([await use.isAlive(), await it.guest.oomKills()]).toEqual([true, 0]);
        },
      };
    };

    beside('modules that were taken in part, or not at all', () => {
      const { it, unplug, gone, leave, online, stays } = reluctant('one');

      test('a module of which the guest took nothing goes, though it is larger than what the guest can spare', async () => {
        valueOf(await it.plug(0));
        const use = await leave(mib(150));
        valueOf(await unplug(0));
        await gone(0);
        expect([await use.isAlive(), await it.guest.oomKills()]).toEqual([true, 0]);
      });

      test('of four blocks one was taken: the unplug costs that one', async () => {
        valueOf(await it.plug(0));
        await online(1);
        const use = await leave(mib(250));
        await it.until('it is known', ({ guest: said }) => said?.takenOfModules === mib(128));
        valueOf(await unplug(0));
        await gone(0);
        expect([await use.isAlive(), await it.guest.oomKills()]).toEqual([true, 0]);
      });

      test('of four blocks one was taken, and the guest can not spare it: it stays', async () => {
        valueOf(await it.plug(0));
        await online(1);
        const use = await leave(mib(150));
        expect(codeOf(await unplug(0))).toBe('guest-memory-in-use');
        await stays(use);
      });

      test('all of it was taken since it was last looked at: it stays', async () => {
        valueOf(await it.plug(0));
        await it.until('nothing is known to be taken', ({ guest: said }) => said?.takenOfModules === 0);
        const { revision } = await it.observe();
        await online(4);
        const use = await leave(mib(150));
        const answer = await bench.client.unplug(it.guest.uuid, revision, unplugRequest(0, least));
        expect(codeOf(answer)).toBe('guest-memory-in-use');
        await stays(use);
      });
    });

    beside('modules of which it is not known', () => {
      const { it, settled, unplug, gone, leave, stays } = reluctant('other');

      test('two modules that say nothing go one after the other', async () => {
        valueOf(await it.plug(0));
        valueOf(await it.plug(1));
        const use = await leave(mib(150));
        for (const slot of [1, 0]) {
          valueOf(await unplug(slot));
          await gone(slot);
        }
        expect([await use.isAlive(), await it.guest.oomKills()]).toEqual([true, 0]);
      });

      test('the guest was reset: all counts', async () => {
        valueOf(await it.plug(0));
        await it.guest.reset();
        await it.guest.waitReady();
        await settled();
        const use = await leave(mib(150));
        expect(codeOf(await unplug(0))).toBe('guest-memory-in-use');
        await stays(use);
      });

      test('the balloon is inflated: all counts', async () => {
        valueOf(await it.plug(0));
        const full = (await it.observe()).layout?.balloon ?? 0;
        await bench.lab.hypervisor.virshOk(['setmem', it.guest.uuid, String((full - 32 * MiB) / 1024), '--live']);
        try {
          await it.until('it is inflated', ({ layout }) => (layout?.balloon ?? full) < full);
          await it.until('nobody knows', ({ guest: said }) => said?.takenOfModules === null);
          const use = await leave(mib(150));
          expect(codeOf(await unplug(0))).toBe('guest-memory-in-use');
          await stays(use);
        } finally {
          await bench.lab.hypervisor.virshOk(['setmem', it.guest.uuid, String(full / 1024), '--live']);
          await it.until('it is let go', ({ layout }) => layout?.balloon === full);
        }
      });
    });
  },
);
