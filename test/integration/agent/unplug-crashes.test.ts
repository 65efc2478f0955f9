/** The agent or libvirtd dies in each phase of an unplug: the module is gone in the end, once, and nothing else is. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Host } from '../../../src/host/port.ts';
import { stateNamespace } from '../../../src/libvirt/state-xml.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { claim, codeOf, eventually, observedUntil, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';
import { type AgentFixture, type AgentPki, createAgentPki, startAgentFixture } from './agent-fixture.ts';
import { type AgentProcess, startAgentProcess } from './agent-process.ts';
import { type Fate, procedures, type RpcRelay, startRpcRelay } from './rpc-relay.ts';

const size = mib(128);

await describeLab(
  'an unplug that is cut off',
  () => {
    let lab: Lab;
    let guest: LabGuest;
    let pki: AgentPki;
    let relay: RpcRelay;
    let baseKib: number;
    let agent: AgentFixture | null = null;
    let program: AgentProcess | null = null;

    beforeAll(async () => {
      lab = await startLab({
        guests: [{ kind: 'accepting', kernelArgs: ['page_alloc.shuffle=1', 'init_on_alloc=0'] }],
      });
      guest = lab.guest('accepting');
      baseKib = await guest.memTotalKiB();
      pki = await createAgentPki(lab.hypervisor.directory);
      relay = await startRpcRelay(join(lab.hypervisor.directory, 'relay.sock'), lab.hypervisor.socketPath);
    });
    afterAll(async () => {
      relay.close();
      await lab.stop();
    });
    afterEach(async () => {
      await program?.end('SIGKILL');
      await agent?.stop();
      [program, agent] = [null, null];
      await lab.hypervisor.startDaemon();
      if ((await guest.sh('test -e /tmp/pin.pid')).code === 0) await guest.letGo();
      await waitFor(
        async () => {
          const aliases = await guest.moduleAliases();
          for (const alias of aliases) await guest.unplugDimm(alias);
          return aliases.length === 0;
        },
        { what: 'the guest to be without modules', timeoutMs: 30_000, intervalMs: 500 },
      );
      await lab.hypervisor.virsh(['metadata', guest.uuid, stateNamespace, '--live', '--remove']);
    });

    const startProgram = async (): Promise<Host> => {
      program = await startAgentProcess([`--libvirt-uri=${relay.uri}`], pki);
      return program.client;
    };
    const kill = async (): Promise<void> => {
      const killed = program;
      program = null;
      await killed?.end('SIGKILL');
    };
    const reports = (host: Host) =>
      observedUntil({ host, uuid: guest.uuid }, 'the guest reports', (o) => o.guest?.fresh === true && !o.booting);
    const moduleOf = async (host: Host) => valueOf(await host.observe(guest.uuid)).layout?.modules[0];
    const ask = async (host: Host) => {
      const { revision } = valueOf(await host.observe(guest.uuid));
      return host.unplug(guest.uuid, revision, unplugRequest(0));
    };
    /** A module in slot 0 that the guest has taken up. */
    async function plug(host: Host): Promise<void> {
      const { revision } = await reports(host);
      valueOf(await host.plug(guest.uuid, revision, plugRequest(0, size)));
      await waitFor(async () => (await guest.memTotalKiB()) > baseKib, {
        ...{ what: 'the guest to take the module up', timeoutMs: 20_000 },
      });
    }
    /** As a controller does it: observes, and asks again while the module is there. */
    async function finish(host: Host): Promise<void> {
      await reports(host);
      await eventually('the module is gone', async () => {
        if ((await moduleOf(host)) === undefined) return true;
        await ask(host);
        return null;
      });
      const after = valueOf(await host.observe(guest.uuid));
      expect(after).toMatchObject({ claim, layout: { modules: [], slots: { resting: [0] } } });
      expect(codeOf(await host.plug(guest.uuid, after.revision, plugRequest(0, size)))).toBe('busy');
      expect(await guest.moduleAliases()).toEqual([]);
      await waitFor(async () => (await guest.memTotalKiB()) === baseKib, {
        ...{ what: 'the guest to have what it had', timeoutMs: 10_000 },
      });
    }

    test('agent killed before it marked the module: nothing has happened', async () => {
      const host = await startProgram();
      await plug(host);
      const reached = relay.intercept(procedures.setMetadata, async (): Promise<Fate> => {
        await kill();
        return 'drop';
      });
      void ask(host);
      await reached;
      const again = await startProgram();
      expect(await moduleOf(again)).toMatchObject({ state: 'Plugged', mark: null });
      await finish(again);
    });

    test('agent killed when the mark is written and nobody is asked: it counts as leaving until it is asked', async () => {
      const host = await startProgram();
      await plug(host);
      const reached = relay.intercept(procedures.detachDeviceAlias, async (): Promise<Fate> => {
        await kill();
        return 'drop';
      });
      void ask(host);
      await reached;
      const again = await startProgram();
      expect(await moduleOf(again)).toMatchObject({ state: 'Leaving', mark: { attempts: 1 } });
      await finish(again);
    });

    test('agent killed when the guest has been asked and nobody heard the answer', async () => {
      const host = await startProgram();
      await plug(host);
      const reached = relay.intercept(procedures.detachDeviceAlias, () => 'mute');
      void ask(host);
      await reached;
      await waitFor(async () => (await guest.moduleAliases()).length === 0, {
        ...{ what: 'the guest to give the module up', timeoutMs: 20_000 },
      });
      await kill();
      const again = await startProgram();
      expect(await moduleOf(again)).toBeUndefined();
      await finish(again);
    });

    test('agent killed while the module is silently leaving, which it does in the meantime', async () => {
      const host = await startProgram();
      await plug(host);
      await guest.pin();
      valueOf(await ask(host));
      await kill();
      await guest.letGo();
      const again = await startProgram();
      await finish(again);
    });

    const startInProcess = async (): Promise<Host> => {
      agent = await startAgentFixture(relay.uri, pki);
      return agent.client;
    };
    const backAgain = (host: Host) =>
      eventually('the agent is back', async () => ((await host.observe(guest.uuid)).ok ? true : null));

    test.each([
      ['before the mark is written', procedures.setMetadata, 'drop', ['Plugged']],
      ['when the mark is written', procedures.detachDeviceAlias, 'drop', ['Leaving']],
      ['right after the guest was asked', procedures.detachDeviceAlias, 'forward', ['Leaving', 'gone']],
    ] as const)('libvirtd killed %s', async (_when, procedure, fate, states) => {
      const host = await startInProcess();
      await plug(host);
      const before = valueOf(await host.observe(guest.uuid));
      const reached = relay.intercept(procedure, async () => {
        if (fate === 'drop') await lab.hypervisor.killDaemon();
        return fate;
      });
      const answered = ask(host);
      await reached;
      if (fate === 'forward') await lab.hypervisor.killDaemon();
      expect(['ok', 'outcome-unknown', 'hypervisor-unreachable']).toContain(codeOf(await answered));
      await lab.hypervisor.startDaemon();
      await backAgain(host);
      expect(states).toContain((await moduleOf(host))?.state ?? 'gone');
      expect(valueOf(await host.observe(guest.uuid)).runtimeId).toBe(before.runtimeId);
      await finish(host);
    });

    test('libvirtd killed while the module is silently leaving, which it does in the meantime', async () => {
      const host = await startInProcess();
      await plug(host);
      await guest.pin();
      valueOf(await ask(host));
      await lab.hypervisor.killDaemon();
      await guest.letGo();
      await lab.hypervisor.startDaemon();
      await backAgain(host);
      await finish(host);
    });

    test('libvirtd stopped in its tracks when the guest is to be asked, and let go on', async () => {
      const host = await startInProcess();
      await plug(host);
      const reached = relay.intercept(procedures.detachDeviceAlias, () => {
        lab.hypervisor.freezeDaemon();
        return 'forward';
      });
      const answered = ask(host);
      await reached;
      try {
        expect(await Promise.race([answered, delay(500, 'no answer yet')])).toBe('no answer yet');
      } finally {
        lab.hypervisor.thawDaemon();
      }
      valueOf(await answered);
      await finish(host);
    });
  },
  ['hypervisor'],
);
