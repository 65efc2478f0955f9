/** What libvirt and QEMU refuse, or fail at, as the agent tells it. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { mib } from '../../../src/memory/bytes.ts';
import { codeOf, isUp, observedUntil, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';
import { type AgentFixture, type AgentPki, createAgentPki, startAgentFixture } from './agent-fixture.ts';
import { holdDomainJob } from './domain-job.ts';
import { type Fate, procedures, type RpcRelay, startRpcRelay } from './rpc-relay.ts';

const size = mib(128);

await describeLab(
  'what libvirt refuses',
  () => {
    let lab: Lab;
    let guest: LabGuest;
    let pki: AgentPki;
    let relay: RpcRelay;
    let agent: AgentFixture;

    beforeAll(async () => {
      lab = await startLab({
        // The host has huge pages, and libvirt no file system to take them from.
        hypervisor: { hugePages: 96, qemuConf: ['hugetlbfs_mount = []'] },
        // Room for two modules of the size of these tests.
        guests: [{ kind: 'accepting', slots: 3, maxMemoryMib: 768 }],
      });
      guest = lab.guest('accepting');
      pki = await createAgentPki(lab.hypervisor.directory);
      relay = await startRpcRelay(join(lab.hypervisor.directory, 'relay.sock'), lab.hypervisor.socketPath);
    });
    afterAll(async () => {
      relay.close();
      await lab.stop();
    });
    beforeEach(async () => {
      if (!(await lab.hypervisor.virshOk(['domstate', guest.uuid])).includes('running')) await guest.start();
      agent = await startAgentFixture(relay.uri, pki);
      await reports(agent);
    });
    afterEach(() => agent.stop());

    const reports = ({ client }: AgentFixture) => observedUntil({ host: client, uuid: guest.uuid }, 'it reports', isUp);
    const plug = async (slot: number, { client } = agent, more = {}) => {
      const { revision } = valueOf(await client.observe(guest.uuid));
      return client.plug(guest.uuid, revision, plugRequest(slot, size, more));
    };
    /** Plugs, and does something when libvirt is about to be asked. */
    async function plugAfter(act: () => Promise<void> | void) {
      const reached = relay.intercept(procedures.attachDevice, async (): Promise<Fate> => {
        await act();
        return 'forward';
      });
      const answered = plug(2);
      await Promise.race([reached, answered]);
      return { answered };
    }

    test('huge pages without a file system for them: failed in the words of libvirt, and nothing has changed', async () => {
      const before = valueOf(await agent.client.observe(guest.uuid));
      const answer = await plug(0, agent, { pageSize: mib(2) });
      expect(codeOf(answer)).toBe('hypervisor-failed');
      expect(answer.ok ? '' : answer.error.message).toContain('hugetlbfs filesystem is not mounted');
      const { layout, revision } = valueOf(await agent.client.observe(guest.uuid));
      expect({ layout, revision }).toEqual({ layout: before.layout, revision: before.revision });
      expect(await guest.moduleAliases()).toEqual([]);
    });

    test('over a socket for readers: nothing is changed, and it is said why', async () => {
      const socket = join(lab.hypervisor.socketDirectory, 'libvirt-sock-ro');
      const reader = await startAgentFixture(`qemu:///system?socket=${socket}`, pki);
      try {
        await reports(reader);
        const answer = await plug(0, reader);
        expect(answer).toMatchObject({ ok: false, error: { code: 'rejected' } });
        expect(answer.ok ? '' : answer.error.message).toMatch(/read only access/);
        expect(await guest.moduleAliases()).toEqual([]);
      } finally {
        await reader.stop();
      }
    });

    test('memory up to the maximum exactly is given, and none above it', async () => {
      valueOf(await plug(0));
      valueOf(await plug(2));
      const more = await plug(1);
      expect(more).toMatchObject({ ok: false, error: { code: 'rejected' } });
      expect(more.ok ? '' : more.error.message).toContain("would exceed the VM's maximum of 768Mi");
      expect(await guest.moduleAliases()).toHaveLength(2);
      await guest.destroy();
    });

    test('a domain that another job holds for longer than libvirt waits (30 s): busy, and nothing is changed', async () => {
      valueOf(await plug(0));
      const before = valueOf(await agent.client.observe(guest.uuid));
      const qemu = lab.hypervisor.qemuPid(guest.uuid);
      process.kill(qemu, 'SIGSTOP');
      try {
        const job = await holdDomainJob(lab.hypervisor, guest);
        const answer = await agent.client.unplug(guest.uuid, before.revision, unplugRequest(0));
        expect(answer).toMatchObject({ ok: false, error: { code: 'busy' } });
        expect(answer.ok ? '' : answer.error.message).toContain('cannot acquire state change lock');
        process.kill(qemu, 'SIGCONT');
        await job.ended;
      } finally {
        process.kill(qemu, 'SIGCONT');
      }
      const after = valueOf(await agent.client.observe(guest.uuid));
      expect([after.revision, after.layout?.modules]).toEqual([before.revision, before.layout?.modules]);
    }, 90_000);

    test('a VM that is switched off when it is to be plugged: not-running', async () => {
      const { answered } = await plugAfter(() => guest.destroy());
      expect(codeOf(await answered)).toBe('not-running');
    });

    test('a VM whose QEMU dies in the middle of a plug: not-running', async () => {
      const qemu = lab.hypervisor.qemuPid(guest.uuid);
      const { answered } = await plugAfter(() => void process.kill(qemu, 'SIGSTOP'));
      await waitFor(async () => (await guest.moduleAliases()).length === 1, {
        ...{ what: 'the attach to begin', timeoutMs: 10_000 },
      });
      process.kill(qemu, 'SIGKILL');
      expect(codeOf(await answered)).toBe('not-running');
      expect(valueOf(await agent.client.observe(guest.uuid))).toMatchObject({ state: 'ShutOff', claim: null });
    });

    test('a VM that is taken away when it is to be plugged: not-found', async () => {
      const { answered } = await plugAfter(async () => {
        await guest.destroy();
        await guest.undefine();
      });
      expect(codeOf(await answered)).toBe('not-found');
      expect(codeOf(await agent.client.observe(guest.uuid))).toBe('not-found');
    });
  },
  ['hypervisor'],
);
