/** What happens to the agent's work when something dies, resets, stops or is busy in the middle of it. */
import { beforeEach, expect, test } from 'vitest';
import { type Bytes, MiB, mib } from '../../../src/memory/bytes.ts';
import { codeOf, eventually, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { waitFor } from '../../lab/wait.ts';
import { describeAgent } from './agent-bench.ts';

const size = mib(128);

await describeAgent(
  'agent when things go wrong',
  {
    agentOfEach: true,
    guests: [{ kind: 'accepting', kernelArgs: ['page_alloc.shuffle=1'] }, { kind: 'no-os' }],
  },
  (bench) => {
    const { backAgain, moduleOf, observe, plug, reports, start, unplug, until } = bench;
    const bare = () => bench.lab.guest('no-os');
    beforeEach(async () => {
      await reports();
    });

    test('a restarted agent finds the same run, claim and unplug under way; a late departure is noticed', async () => {
      valueOf(await plug(0));
      await bench.guest.pin();
      valueOf(await unplug(0));
      const before = await observe();
      await bench.agent.stop();
      await start();
      const after = await observe();
      expect(after).toMatchObject({ runtimeId: before.runtimeId, revision: before.revision, claim: before.claim });
      expect(after.layout?.modules).toMatchObject([{ slot: 0, state: 'Leaving', mark: { attempts: 1 } }]);

      await bench.agent.stop();
      await bench.guest.letGo();
      await waitFor(async () => (await bench.guest.moduleAliases()).length === 0, {
        what: 'the module to leave while nobody listens',
        timeoutMs: 10_000,
      });
      await start();
      expect((await observe()).layout).toMatchObject({ modules: [], slots: { resting: [0] } });
    });

    test('a refusal that nobody heard is settled by asking for the same module again', async () => {
      valueOf(await plug(0));
      await bench.guest.refuse(true);
      const { revision } = await observe();
      // The agent dies right after it asked.
      valueOf(await bench.agent.service.unplug(bench.guest.uuid, revision, unplugRequest(0)));
      await bench.lab.hypervisor.killDaemon();
      await bench.agent.stop();
      await bench.lab.hypervisor.startDaemon();
      await start();
      const left = await moduleOf(0);
      if (left?.state === 'Leaving') {
        await reports();
        valueOf(await unplug(0));
      }
      await until('the mark is cleared', ({ layout }) => layout?.modules[0]?.state === 'Plugged');
    });

    test('the run is another one when the VM was started anew, and no state of the old one is left', async () => {
      valueOf(await plug(0));
      const before = await observe();
      await bench.guest.destroy();
      const off = await observe();
      expect(off).toMatchObject({ state: 'ShutOff', runtimeId: null, claim: null });
      await bench.guest.start();
      const after = await reports();
      expect(after.runtimeId).not.toBe(before.runtimeId);
      expect(after).toMatchObject({ claim: null, layout: { modules: [] } });
    });

    test('libvirtd stopped in its tracks: errors in time, and everything again when it goes on', async () => {
      bench.lab.hypervisor.freezeDaemon();
      try {
        const startedAt = Date.now();
        expect(['timeout', 'hypervisor-unreachable', 'outcome-unknown']).toContain(
          codeOf(await bench.client.observe(bench.guest.uuid)),
        );
        expect(Date.now() - startedAt).toBeLessThan(7_000);
        await eventually('the agent notices', () => (bench.agent.service.readiness().ready ? null : true), 30_000);
      } finally {
        bench.lab.hypervisor.thawDaemon();
      }
      await backAgain();
      await reports();
      valueOf(await plug(0));
    }, 90_000);

    test('a guest reset keeps the module and forgets the request; nothing is changed while it boots', async () => {
      valueOf(await plug(0));
      await bench.guest.pin();
      valueOf(await unplug(0));
      expect((await moduleOf(0))?.state).toBe('Leaving');
      await bench.guest.reset();
      const booting = await until('the reset is noticed', (o) => o.booting, 5_000);
      expect(booting.layout?.modules).toMatchObject([{ state: 'Plugged', mark: null }]);
      expect(codeOf(await plug(1))).toBe('busy');
      await bench.guest.waitReady();
      await reports();
      valueOf(await plug(1));
    });

    test('memory that the guest is using is not taken, and no process in the guest dies', async () => {
      for (const slot of [0, 1, 2, 3]) valueOf(await plug(slot));
      await waitFor(async () => (await bench.guest.memTotalKiB()) > 900 * 1024, {
        what: 'the guest to online its modules',
        timeoutMs: 20_000,
      });
      const use = await bench.guest.useMemory(600);
      await until('the use is reported', (o) => (o.guest?.usable ?? Infinity) < 400 * MiB);
      const margin = { minUsableAfter: (300 * MiB) as Bytes };
      expect(codeOf(await unplug(0, margin))).toBe('guest-memory-in-use');
      expect(await use.isAlive()).toBe(true);
      expect((await moduleOf(0))?.state).toBe('Plugged');
      await use.free();
      await until('the memory is free again', (o) => (o.guest?.usable ?? 0) > 600 * MiB);
      valueOf(await unplug(0, margin));
      await until('it leaves', ({ layout }) => layout?.modules.length === 3);
    });

    test('a paused guest can be given memory, and is not asked on the word of old statistics', async () => {
      await bench.lab.hypervisor.virshOk(['suspend', bench.guest.uuid]);
      try {
        expect(await observe()).toMatchObject({ state: 'Paused', booting: false });
        valueOf(await plug(0));
        await until('statistics are old', (o) => o.guest?.fresh === false, 15_000);
        expect(codeOf(await unplug(0, { minUsableAfter: 0 as Bytes }))).toBe('guest-late');
      } finally {
        await bench.lab.hypervisor.virshOk(['resume', bench.guest.uuid]);
      }
    });

    test('a guest without an operating system counts as booting at first', async () => {
      const observation = valueOf(await bench.client.observe(bare().uuid));
      expect(observation).toMatchObject({ booting: true, guest: null });
      const answer = await bench.client.plug(bare().uuid, observation.revision, plugRequest(0, size));
      expect(codeOf(answer)).toBe('busy');
    });

    test('a VM that is not admitted is not there', async () => {
      await bench.agent.stop();
      await start({ allowDomains: 'accepting-*' });
      expect(valueOf(await bench.client.listDomains()).map(({ uuid }) => uuid)).toEqual([bench.guest.uuid]);
      expect(codeOf(await bench.client.observe(bare().uuid))).toBe('not-found');
      expect(codeOf(await bench.client.plug(bare().uuid, 'any', plugRequest(0, size)))).toBe('not-found');
      // Its memory is promised all the same.
      expect(valueOf(await bench.client.facts()).memory.committed).toBeGreaterThanOrEqual(1024 * MiB);
    });

    test('every change leaves an audit record', async () => {
      valueOf(await plug(0));
      expect(codeOf(await plug(0))).toBe('rejected');
      valueOf(await unplug(0));
      const who = { client: 'spiffe://dimmer.test/controller', uuid: bench.guest.uuid, slot: 0, namespace: 'tenants' };
      expect(bench.agent.audit).toMatchObject([
        { ...who, operation: 'plug', from: 512 * MiB, to: 640 * MiB, result: 'done', generation: 1 },
        { ...who, operation: 'plug', from: 640 * MiB, to: null, result: 'rejected' },
        { ...who, operation: 'unplug', from: 640 * MiB, to: 512 * MiB, result: 'accepted' },
      ]);
    });
  },
);
