/** What libvirt and QEMU refuse, or fail at, as the agent tells it. */
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { mib } from '../../../src/memory/bytes.ts';
import { codeOf, isUp, observedUntil, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { waitFor } from '../../lab/wait.ts';
import { describeAgent } from './agent-bench.ts';
import { type AgentFixture, startAgentFixture } from './agent-fixture.ts';
import { holdDomainJob } from './domain-job.ts';
import { type Fate, procedures } from './rpc-relay.ts';

const size = mib(128);

await describeAgent(
  'what libvirt refuses',
  {
    agentOfEach: true,
    relayed: true,
    uncleared: true,
    // Room for two modules of the size of these tests.
    guests: [{ kind: 'accepting', slots: 3, maxMemoryMib: 768 }],
  },
  (bench) => {
    beforeEach(async () => {
      if (!(await bench.lab.hypervisor.virshOk(['domstate', bench.guest.uuid])).includes('running'))
        await bench.guest.start();
      await bench.reports();
    });

    const reports = ({ client }: AgentFixture) =>
      observedUntil({ host: client, uuid: bench.guest.uuid }, 'it reports', isUp);
    const plug = async (slot: number, { client }: Pick<AgentFixture, 'client'> = bench, more = {}) => {
      const { revision } = valueOf(await client.observe(bench.guest.uuid));
      return client.plug(bench.guest.uuid, revision, plugRequest(slot, size, more));
    };
    /** Plugs, and does something when libvirt is about to be asked. */
    async function plugAfter(act: () => Promise<void> | void) {
      const reached = bench.relay.intercept(procedures.attachDevice, async (): Promise<Fate> => {
        await act();
        return 'forward';
      });
      const answered = plug(2);
      await Promise.race([reached, answered]);
      return { answered };
    }

    test('over a socket for readers: nothing is changed, and it is said why', async () => {
      const socket = join(bench.lab.hypervisor.socketDirectory, 'libvirt-sock-ro');
      const reader = await startAgentFixture(`qemu:///system?socket=${socket}`, bench.pki);
      try {
        await reports(reader);
        const answer = await plug(0, reader);
        expect(answer).toMatchObject({ ok: false, error: { code: 'rejected' } });
        expect(answer.ok ? '' : answer.error.message).toMatch(/read only access/);
        expect(await bench.guest.moduleAliases()).toEqual([]);
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
      expect(await bench.guest.moduleAliases()).toHaveLength(2);
      await bench.guest.destroy();
    });

    test('a domain that another job holds for longer than libvirt waits (30 s): busy, and nothing is changed', async () => {
      valueOf(await plug(0));
      const before = valueOf(await bench.client.observe(bench.guest.uuid));
      const qemu = bench.lab.hypervisor.qemuPid(bench.guest.uuid);
      process.kill(qemu, 'SIGSTOP');
      try {
        const job = await holdDomainJob(bench.lab.hypervisor, bench.guest);
        const answer = await bench.client.unplug(bench.guest.uuid, before.revision, unplugRequest(0));
        expect(answer).toMatchObject({ ok: false, error: { code: 'busy' } });
        expect(answer.ok ? '' : answer.error.message).toContain('cannot acquire state change lock');
        process.kill(qemu, 'SIGCONT');
        await job.ended;
      } finally {
        process.kill(qemu, 'SIGCONT');
      }
      const after = valueOf(await bench.client.observe(bench.guest.uuid));
      expect([after.revision, after.layout?.modules]).toEqual([before.revision, before.layout?.modules]);
    }, 90_000);

    test('a VM that is switched off when it is to be plugged: not-running', async () => {
      const { answered } = await plugAfter(() => bench.guest.destroy());
      expect(codeOf(await answered)).toBe('not-running');
    });

    test('a VM whose QEMU dies in the middle of a plug: not-running', async () => {
      const qemu = bench.lab.hypervisor.qemuPid(bench.guest.uuid);
      const { answered } = await plugAfter(() => void process.kill(qemu, 'SIGSTOP'));
      await waitFor(async () => (await bench.guest.moduleAliases()).length === 1, {
        ...{ what: 'the attach to begin', timeoutMs: 10_000 },
      });
      process.kill(qemu, 'SIGKILL');
      expect(codeOf(await answered)).toBe('not-running');
      expect(valueOf(await bench.client.observe(bench.guest.uuid))).toMatchObject({ state: 'ShutOff', claim: null });
    });

    test('a VM that is taken away when it is to be plugged: not-found', async () => {
      const { answered } = await plugAfter(async () => {
        await bench.guest.destroy();
        await bench.guest.undefine();
      });
      expect(codeOf(await answered)).toBe('not-found');
      expect(codeOf(await bench.client.observe(bench.guest.uuid))).toBe('not-found');
    });
  },
);
