/** What happens to the agent's work when something dies, resets, stops or is busy in the middle of it. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Bytes, MiB, mib } from '../../../src/memory/bytes.ts';
import { codeOf, eventually, isUp, observedUntil, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';
import { type AgentFixture, type AgentPki, createAgentPki, startAgentFixture } from './agent-fixture.ts';
import { clearGuest } from './clear-guest.ts';

const size = mib(128);

await describeLab(
  'agent when things go wrong',
  () => {
    let lab: Lab;
    let guest: LabGuest;
    let bare: LabGuest;
    let pki: AgentPki;
    let agent: AgentFixture;

    beforeAll(async () => {
      lab = await startLab({
        guests: [{ kind: 'accepting', kernelArgs: ['page_alloc.shuffle=1', 'init_on_alloc=0'] }, { kind: 'no-os' }],
      });
      [guest, bare] = lab.guests as [LabGuest, LabGuest];
      pki = await createAgentPki(lab.hypervisor.directory);
    });
    afterAll(() => lab.stop());

    const start = async (): Promise<void> => {
      agent = await startAgentFixture(lab.hypervisor.uri, pki);
    };
    const bench = () => ({ host: agent.client, uuid: guest.uuid });
    const observe = async () => valueOf(await agent.client.observe(guest.uuid));
    const plug = async (slot: number, more = {}) =>
      agent.client.plug(guest.uuid, (await observe()).revision, plugRequest(slot, size, more));
    const unplug = async (slot: number, more = {}) =>
      agent.client.unplug(guest.uuid, (await observe()).revision, unplugRequest(slot, more));
    const moduleOf = async (slot: number) => (await observe()).layout?.modules.find((module) => module.slot === slot);
    const reports = () => observedUntil(bench(), 'the guest reports', isUp);

    const backAgain = () =>
      eventually('the agent is back', async () => ((await agent.client.observe(guest.uuid)).ok ? true : null));

    beforeEach(async () => {
      await start();
      await reports();
    });
    afterEach(async () => {
      await agent.stop();
      await lab.hypervisor.startDaemon();
      await clearGuest(lab.hypervisor, guest);
    });

    test('a restarted agent finds the same run, claim and unplug under way; a late departure is noticed', async () => {
      valueOf(await plug(0));
      await guest.pin();
      valueOf(await unplug(0));
      const before = await observe();
      await agent.stop();
      await start();
      const after = await observe();
      expect(after).toMatchObject({ runtimeId: before.runtimeId, revision: before.revision, claim: before.claim });
      expect(after.layout?.modules).toMatchObject([{ slot: 0, state: 'Leaving', mark: { attempts: 1 } }]);

      await agent.stop();
      await guest.letGo();
      await waitFor(async () => (await guest.moduleAliases()).length === 0, {
        what: 'the module to leave while nobody listens',
        timeoutMs: 10_000,
      });
      await start();
      expect((await observe()).layout).toMatchObject({ modules: [], slots: { resting: [0] } });
    });

    test('a refusal that nobody heard is settled by asking for the same module again', async () => {
      valueOf(await plug(0));
      await guest.refuse(true);
      const { revision } = await observe();
      // The agent dies right after it asked.
      valueOf(await agent.service.unplug(guest.uuid, revision, unplugRequest(0)));
      await lab.hypervisor.killDaemon();
      await agent.stop();
      await lab.hypervisor.startDaemon();
      await start();
      const left = await moduleOf(0);
      if (left?.state === 'Leaving') {
        await reports();
        valueOf(await unplug(0));
      }
      await observedUntil(bench(), 'the mark is cleared', ({ layout }) => layout?.modules[0]?.state === 'Plugged');
    });

    test('the run is another one when the VM was started anew, and no state of the old one is left', async () => {
      valueOf(await plug(0));
      const before = await observe();
      await guest.destroy();
      const off = await observe();
      expect(off).toMatchObject({ state: 'ShutOff', runtimeId: null, claim: null });
      await guest.start();
      const after = await reports();
      expect(after.runtimeId).not.toBe(before.runtimeId);
      expect(after).toMatchObject({ claim: null, layout: { modules: [] } });
    });

    test('libvirtd stopped in its tracks: errors in time, and everything again when it goes on', async () => {
      lab.hypervisor.freezeDaemon();
      try {
        const startedAt = Date.now();
        expect(['timeout', 'hypervisor-unreachable', 'outcome-unknown']).toContain(
          codeOf(await agent.client.observe(guest.uuid)),
        );
        expect(Date.now() - startedAt).toBeLessThan(7_000);
        await eventually('the agent notices', () => (agent.service.readiness().ready ? null : true), 30_000);
      } finally {
        lab.hypervisor.thawDaemon();
      }
      await backAgain();
      await reports();
      valueOf(await plug(0));
    }, 90_000);

    test('a guest reset keeps the module and forgets the request; nothing is changed while it boots', async () => {
      valueOf(await plug(0));
      await guest.pin();
      valueOf(await unplug(0));
      expect((await moduleOf(0))?.state).toBe('Leaving');
      await guest.reset();
      const booting = await observedUntil(bench(), 'the reset is noticed', (o) => o.booting, 5_000);
      expect(booting.layout?.modules).toMatchObject([{ state: 'Plugged', mark: null }]);
      expect(codeOf(await plug(1))).toBe('busy');
      await guest.waitReady();
      await reports();
      valueOf(await plug(1));
    });

    test('memory that the guest is using is not taken, and no process in the guest dies', async () => {
      for (const slot of [0, 1, 2, 3]) valueOf(await plug(slot));
      await waitFor(async () => (await guest.memTotalKiB()) > 900 * 1024, {
        what: 'the guest to online its modules',
        timeoutMs: 20_000,
      });
      const use = await guest.useMemory(600);
      await observedUntil(bench(), 'the use is reported', (o) => (o.guest?.usable ?? Infinity) < 400 * MiB);
      const margin = { minUsableAfter: (300 * MiB) as Bytes };
      expect(codeOf(await unplug(0, margin))).toBe('guest-memory-in-use');
      expect(await use.isAlive()).toBe(true);
      expect((await moduleOf(0))?.state).toBe('Plugged');
      await use.free();
      await observedUntil(bench(), 'the memory is free again', (o) => (o.guest?.usable ?? 0) > 600 * MiB);
      valueOf(await unplug(0, margin));
      await observedUntil(bench(), 'it leaves', ({ layout }) => layout?.modules.length === 3);
    });

    test('a paused guest can be given memory, and is not asked on the word of old statistics', async () => {
      await lab.hypervisor.virshOk(['suspend', guest.uuid]);
      try {
        expect(await observe()).toMatchObject({ state: 'Paused', booting: false });
        valueOf(await plug(0));
        await observedUntil(bench(), 'statistics are old', (o) => o.guest?.fresh === false, 15_000);
        expect(codeOf(await unplug(0, { minUsableAfter: 0 as Bytes }))).toBe('guest-late');
      } finally {
        await lab.hypervisor.virshOk(['resume', guest.uuid]);
      }
    });

    test('a guest without an operating system counts as booting at first', async () => {
      const observation = valueOf(await agent.client.observe(bare.uuid));
      expect(observation).toMatchObject({ booting: true, guest: null });
      const answer = await agent.client.plug(bare.uuid, observation.revision, plugRequest(0, size));
      expect(codeOf(answer)).toBe('busy');
    });

    test('a VM that is not admitted is not there', async () => {
      await agent.stop();
      agent = await startAgentFixture(lab.hypervisor.uri, pki, { allowDomains: 'accepting-*' });
      expect(valueOf(await agent.client.listDomains()).map(({ uuid }) => uuid)).toEqual([guest.uuid]);
      expect(codeOf(await agent.client.observe(bare.uuid))).toBe('not-found');
      expect(codeOf(await agent.client.plug(bare.uuid, 'any', plugRequest(0, size)))).toBe('not-found');
      // Its memory is promised all the same.
      expect(valueOf(await agent.client.facts()).memory.committed).toBeGreaterThanOrEqual(1024 * MiB);
    });

    test('every change leaves an audit record', async () => {
      valueOf(await plug(0));
      expect(codeOf(await plug(0))).toBe('rejected');
      valueOf(await unplug(0));
      const who = { client: 'spiffe://dimmer.test/controller', uuid: guest.uuid, slot: 0, namespace: 'tenants' };
      expect(agent.audit).toMatchObject([
        { ...who, operation: 'plug', from: 512 * MiB, to: 640 * MiB, result: 'done', generation: 1 },
        { ...who, operation: 'plug', from: 640 * MiB, to: null, result: 'rejected' },
        { ...who, operation: 'unplug', from: 640 * MiB, to: 512 * MiB, result: 'accepted' },
      ]);
    });
  },
  ['hypervisor'],
);
