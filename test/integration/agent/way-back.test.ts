/** Memory that a guest never took goes out again though it is short of memory; where that isn't certain, all is as ever. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Bytes, mib, MiB } from '../../../src/memory/bytes.ts';
import { codeOf, isUp, observedUntil, plugRequest, settled, unplugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest, MemoryUse } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';
import { type AgentFixture, createAgentPki, startAgentFixture } from './agent-fixture.ts';
import { clearGuest } from './clear-guest.ts';

const size = mib(512);
const least = { minUsableAfter: mib(64) };

await describeLab(
  'the way back',
  () => {
    let lab: Lab;
    let guest: LabGuest;
    let agent: AgentFixture;
    const uses: MemoryUse[] = [];

    beforeAll(async () => {
      lab = await startLab({ guests: [{ kind: 'accepting' }] });
      guest = lab.guest('accepting');
      agent = await startAgentFixture(lab.hypervisor.uri, await createAgentPki(lab.hypervisor.directory));
    });
    afterAll(async () => {
      await agent.stop();
      await lab.stop();
    });
    beforeEach(async () => {
      await observedUntil(bench(), 'the guest reports', isUp);
      await settled(bench());
      await guest.shOk('echo offline >/sys/devices/system/memory/auto_online_blocks');
    });
    afterEach(async () => {
      for (const use of uses.splice(0)) if (await use.isAlive()) await use.free();
      await guest.shOk('echo online_movable >/sys/devices/system/memory/auto_online_blocks');
      await clearGuest(lab.hypervisor, guest);
    });

    const bench = () => ({ host: agent.client, uuid: guest.uuid });
    const observe = async () => valueOf(await agent.client.observe(guest.uuid));
    const plug = async (slot: number) =>
      valueOf(await agent.client.plug(guest.uuid, (await observe()).revision, plugRequest(slot, size)));
    const unplug = async (slot: number) =>
      agent.client.unplug(guest.uuid, (await observe()).revision, unplugRequest(slot, least));
    const gone = (slot: number) =>
      observedUntil(bench(), 'it is gone', ({ layout }) => !layout?.modules.some((one) => one.slot === slot));
    /** A process uses all but `spare`, which is less than a module. */
    async function leave(spare: Bytes): Promise<MemoryUse> {
      const free = (await guest.memInfoKiB('MemAvailable')) * 1024;
      const use = await guest.useMemory(Math.floor((free - spare) / MiB));
      uses.push(use);
      return use;
    }
    /** The guest onlines so many of the blocks that it hasn't. */
    async function online(blocks: number): Promise<void> {
      const before = await guest.memTotalKiB();
      await guest.shOk(
        `n=0; for m in /sys/devices/system/memory/memory*; do [ $n -ge ${blocks} ] && break; ` +
          `grep -q offline $m/state && echo online_movable >$m/state && n=$((n+1)); done; true`,
      );
      await waitFor(async () => (await guest.memTotalKiB()) === before + blocks * 128 * 1024, {
        ...{ what: 'the blocks to be online', timeoutMs: 10_000 },
      });
    }
    const stays = async (use: MemoryUse): Promise<void> => {
      expect((await observe()).layout?.modules).toMatchObject([{ slot: 0, state: 'Plugged', mark: null }]);
      expect([await use.isAlive(), await guest.oomKills()]).toEqual([true, 0]);
    };

    test('a module of which the guest took nothing goes, though it is larger than what the guest can spare', async () => {
      await plug(0);
      const use = await leave(mib(150));
      valueOf(await unplug(0));
      await gone(0);
      expect([await use.isAlive(), await guest.oomKills()]).toEqual([true, 0]);
    });

    test('of four blocks one was taken: the unplug costs that one', async () => {
      await plug(0);
      await online(1);
      const use = await leave(mib(250));
      await observedUntil(bench(), 'it is known', ({ guest: said }) => said?.takenOfModules === mib(128));
      valueOf(await unplug(0));
      await gone(0);
      expect([await use.isAlive(), await guest.oomKills()]).toEqual([true, 0]);
    });

    test('of four blocks one was taken, and the guest can not spare it: it stays', async () => {
      await plug(0);
      await online(1);
      const use = await leave(mib(150));
      expect(codeOf(await unplug(0))).toBe('guest-memory-in-use');
      await stays(use);
    });

    test('all of it was taken since it was last looked at: it stays', async () => {
      await plug(0);
      await observedUntil(bench(), 'nothing is known to be taken', ({ guest: said }) => said?.takenOfModules === 0);
      const { revision } = await observe();
      await online(4);
      const use = await leave(mib(150));
      const answer = await agent.client.unplug(guest.uuid, revision, unplugRequest(0, least));
      expect(codeOf(answer)).toBe('guest-memory-in-use');
      await stays(use);
    });

    test('two modules that say nothing go one after the other', async () => {
      await plug(0);
      await plug(1);
      const use = await leave(mib(150));
      for (const slot of [1, 0]) {
        valueOf(await unplug(slot));
        await gone(slot);
      }
      expect([await use.isAlive(), await guest.oomKills()]).toEqual([true, 0]);
    });

    test('the guest was reset: all counts', async () => {
      await plug(0);
      await guest.reset();
      await guest.waitReady();
      await settled(bench());
      const use = await leave(mib(150));
      expect(codeOf(await unplug(0))).toBe('guest-memory-in-use');
      await stays(use);
    });

    test('the balloon is inflated: all counts', async () => {
      await plug(0);
      const full = (await observe()).layout?.balloon ?? 0;
      await lab.hypervisor.virshOk(['setmem', guest.uuid, String((full - 32 * MiB) / 1024), '--live']);
      try {
        await observedUntil(bench(), 'it is inflated', ({ layout }) => (layout?.balloon ?? full) < full);
        await observedUntil(bench(), 'nobody knows', ({ guest: said }) => said?.takenOfModules === null);
        const use = await leave(mib(150));
        expect(codeOf(await unplug(0))).toBe('guest-memory-in-use');
        await stays(use);
      } finally {
        await lab.hypervisor.virshOk(['setmem', guest.uuid, String(full / 1024), '--live']);
        await observedUntil(bench(), 'it is let go', ({ layout }) => layout?.balloon === full);
      }
    });
  },
  ['hypervisor'],
);
