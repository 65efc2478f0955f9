/** The agent or libvirtd dies in each phase of a plug: the module is there in the end, once, and the guest has it. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { HostAnswer } from '../../../src/host/errors.ts';
import type { DomainObservation, Host, PlugAnswer } from '../../../src/host/port.ts';
import { bytes } from '../../../src/memory/bytes.ts';
import { claim, codeOf, eventually, plugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import { waitFor } from '../../lab/wait.ts';
import { type CrashBench, size, startCrashBench } from './crash-bench.ts';
import { holdDomainJob } from './domain-job.ts';
import { type Fate, procedures } from './rpc-relay.ts';

await describeLab(
  'a plug that is cut off',
  () => {
    let bench: CrashBench;

    beforeAll(async () => {
      bench = await startCrashBench();
    });
    afterAll(() => bench.stop());
    afterEach(() => bench.clear());

    const plug = async (host: Host, slot = 0, of = size): Promise<HostAnswer<PlugAnswer>> => {
      const { uuid, revision } = await bench.observe(host);
      return host.plug(uuid, revision, plugRequest(slot, of));
    };
    /** As a controller does it: observes, and plugs what is missing. Then nothing plugs it a second time. */
    async function finish(host: Host, before: DomainObservation): Promise<void> {
      await bench.reports(host);
      await eventually('the module is there', async () => {
        if ((await bench.moduleOf(host)) !== undefined) return true;
        await plug(host);
        return null;
      });
      const after = await bench.observe(host);
      const there = { slot: 0, alias: 'ua-dimmer-0', size, state: 'Plugged', mark: null };
      const slots = { usedByOthers: [], resting: [] };
      expect(after).toMatchObject({ claim, layout: { hotplugProblem: null, modules: [there], slots } });
      // The twin of the lost request, with the revision of before and with that of now.
      expect(codeOf(await host.plug(after.uuid, before.revision, plugRequest(0, size)))).toBe('stale-revision');
      expect(codeOf(await plug(host))).toBe('rejected');
      expect(await bench.guest.moduleAliases()).toEqual(['ua-dimmer-0']);
      await bench.guestHas(1);
    }

    test.each([
      ['before the claim is written', procedures.setMetadata, null],
      ['when the claim is written and nothing is attached', procedures.attachDevice, claim],
    ] as const)('agent killed %s', async (_when, procedure, claimed) => {
      const host = await bench.startProgram();
      const before = await bench.reports(host);
      const reached = bench.relay.intercept(procedure, async (): Promise<Fate> => {
        await bench.killProgram();
        return 'drop';
      });
      void plug(host);
      await reached;
      const again = await bench.startProgram();
      expect(await bench.observe(again)).toMatchObject({ claim: claimed, layout: { modules: [] } });
      await finish(again, before);
    });

    test('agent killed when the module is attached and nobody heard the answer', async () => {
      const host = await bench.startProgram();
      const before = await bench.reports(host);
      const reached = bench.relay.intercept(procedures.attachDevice, () => 'mute');
      void plug(host);
      await reached;
      await waitFor(async () => (await bench.guest.moduleAliases()).length === 1, {
        ...{ what: 'the module to be attached', timeoutMs: 20_000 },
      });
      await bench.killProgram();
      const again = await bench.startProgram();
      expect(await bench.moduleOf(again)).toMatchObject({ slot: 0, state: 'Plugged' });
      await finish(again, before);
    });

    test('agent killed when the attach waits behind another job: it runs later, and a twin of it plugs no second one', async () => {
      const { guest, lab } = bench;
      const other = await bench.startInProcess();
      const host = await bench.startProgram();
      await bench.reports(other);
      // The claim is written, so that nothing but the attach itself waits.
      valueOf(await plug(host, 1));
      await bench.guestHas(1);
      const qemu = lab.hypervisor.qemuPid(guest.uuid);
      process.kill(qemu, 'SIGSTOP');
      try {
        const job = await holdDomainJob(lab.hypervisor, guest);
        const sendAttach = async (by: Host, of = size) => {
          const reached = bench.relay.intercept(procedures.attachDevice, () => 'forward');
          const answered = plug(by, 0, of);
          await reached;
          // libvirtd reads a connection in order: with this answer it has the attach.
          const { layout } = await bench.observe(by);
          expect(layout?.modules).toMatchObject([{ slot: 1 }]);
          return { answered };
        };
        await sendAttach(host);
        await bench.killProgram();
        // Of a guest that says nothing the new agent can't know that it isn't booting.
        expect(codeOf(await plug(await bench.startProgram()))).toBe('busy');
        // An agent that knew it before sees no module either, and plugs.
        const twin = await sendAttach(other, bytes(2 * size));
        process.kill(qemu, 'SIGCONT');
        await job.ended;
        // Which of the two libvirt wakes first is its affair; the other finds the slot taken. The size tells which it was.
        const answer = codeOf(await twin.answered);
        const { layout } = await bench.observe(other);
        const there = layout?.modules.find(({ slot }) => slot === 0)?.size;
        expect([answer, there]).toEqual(there === size ? ['rejected', size] : ['ok', 2 * size]);
        expect((await guest.moduleAliases()).toSorted()).toEqual(['ua-dimmer-0', 'ua-dimmer-1']);
        await bench.guestHas(there === size ? 2 : 3);
      } finally {
        process.kill(qemu, 'SIGCONT');
      }
    });

    test.each([
      ['killed before the claim is written', 'SIGKILL', procedures.setMetadata, null],
      ['killed when the claim is written and nothing is attached', 'SIGKILL', procedures.attachDevice, claim],
      ['ended before the claim is written', 'SIGTERM', procedures.setMetadata, null],
      ['ended when the claim is written and nothing is attached', 'SIGTERM', procedures.attachDevice, claim],
    ] as const)('libvirtd %s (%s)', async (_when, signal, procedure, claimed) => {
      const host = await bench.startInProcess();
      const before = await bench.reports(host);
      const reached = bench.relay.intercept(procedure, async (): Promise<Fate> => {
        await bench.lab.hypervisor.killDaemon(signal);
        return 'drop';
      });
      const answered = plug(host);
      await reached;
      expect(['outcome-unknown', 'hypervisor-unreachable']).toContain(codeOf(await answered));
      await bench.lab.hypervisor.startDaemon();
      await bench.backAgain(host);
      expect(await bench.observe(host)).toMatchObject({ claim: claimed, layout: { modules: [] } });
      await finish(host, before);
    });

    test('libvirtd ended (SIGTERM) in the middle of the attach', async () => {
      const { hypervisor } = bench.lab;
      const host = await bench.startInProcess();
      const before = await bench.reports(host);
      const qemu = hypervisor.qemuPid(bench.guest.uuid);
      const reached = bench.relay.intercept(procedures.attachDevice, () => {
        process.kill(qemu, 'SIGSTOP');
        return 'forward';
      });
      const answered = plug(host);
      await reached;
      try {
        await waitFor(async () => (await bench.guest.moduleAliases()).length === 1, {
          ...{ what: 'the attach to begin', timeoutMs: 10_000 },
        });
        const ended = hypervisor.killDaemon('SIGTERM');
        process.kill(qemu, 'SIGCONT');
        await ended;
      } finally {
        process.kill(qemu, 'SIGCONT');
      }
      expect(['ok', 'outcome-unknown', 'hypervisor-unreachable']).toContain(codeOf(await answered));
      await hypervisor.startDaemon();
      await bench.backAgain(host);
      await finish(host, before);
    });

    test.each([
      ['the claim is to be written', procedures.setMetadata],
      ['the module is to be attached', procedures.attachDevice],
    ] as const)('libvirtd stopped in its tracks when %s, and let go on', async (_when, procedure) => {
      const host = await bench.startInProcess();
      const before = await bench.reports(host);
      valueOf(await bench.whileFrozen(procedure, () => plug(host)));
      expect(await bench.moduleOf(host)).toMatchObject({ slot: 0 });
      await finish(host, before);
    });
  },
  ['hypervisor'],
);
