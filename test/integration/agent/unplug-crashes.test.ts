/** The agent or libvirtd dies in each phase of an unplug: the module is gone in the end, once, and nothing else is. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Host } from '../../../src/host/port.ts';
import { claim, codeOf, collectEvents, eventually, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import { waitFor } from '../../lab/wait.ts';
import { type CrashBench, size, startCrashBench } from './crash-bench.ts';
import { type Fate, procedures } from './rpc-relay.ts';

await describeLab(
  'an unplug that is cut off',
  () => {
    let bench: CrashBench;

    beforeAll(async () => {
      bench = await startCrashBench();
    });
    afterAll(() => bench.stop());
    afterEach(() => bench.clear());

    const ask = async (host: Host) => {
      const { uuid, revision } = await bench.observe(host);
      return host.unplug(uuid, revision, unplugRequest(0));
    };
    /** A module in slot 0 that the guest has taken up. */
    async function plug(host: Host): Promise<void> {
      const { uuid, revision } = await bench.reports(host);
      valueOf(await host.plug(uuid, revision, plugRequest(0, size)));
      await bench.guestHas(1);
    }
    /** As a controller does it: observes, and asks again while the module is there. */
    async function finish(host: Host): Promise<void> {
      await bench.reports(host);
      await eventually('the module is gone', async () => {
        if ((await bench.moduleOf(host)) === undefined) return true;
        await ask(host);
        return null;
      });
      const after = await bench.observe(host);
      expect(after).toMatchObject({ claim, layout: { modules: [], slots: { resting: [0] } } });
      expect(codeOf(await host.plug(after.uuid, after.revision, plugRequest(0, size)))).toBe('busy');
      expect(await bench.guest.moduleAliases()).toEqual([]);
      await bench.guestHas(0);
    }

    test('agent killed before it marked the module: nothing has happened', async () => {
      const host = await bench.startProgram();
      await plug(host);
      const reached = bench.relay.intercept(procedures.setMetadata, async (): Promise<Fate> => {
        await bench.killProgram();
        return 'drop';
      });
      void ask(host);
      await reached;
      const again = await bench.startProgram();
      expect(await bench.moduleOf(again)).toMatchObject({ state: 'Plugged', mark: null });
      await finish(again);
    });

    test('agent killed when the mark is written and nobody is asked: it counts as leaving until it is asked', async () => {
      const host = await bench.startProgram();
      await plug(host);
      const reached = bench.relay.intercept(procedures.detachDeviceAlias, async (): Promise<Fate> => {
        await bench.killProgram();
        return 'drop';
      });
      void ask(host);
      await reached;
      const again = await bench.startProgram();
      expect(await bench.moduleOf(again)).toMatchObject({ state: 'Leaving', mark: { attempts: 1 } });
      await finish(again);
    });

    test('agent killed when the guest has been asked and nobody heard the answer', async () => {
      const host = await bench.startProgram();
      await plug(host);
      const reached = bench.relay.intercept(procedures.detachDeviceAlias, () => 'mute');
      void ask(host);
      await reached;
      await waitFor(async () => (await bench.guest.moduleAliases()).length === 0, {
        ...{ what: 'the guest to give the module up', timeoutMs: 20_000 },
      });
      await bench.killProgram();
      const again = await bench.startProgram();
      expect(await bench.moduleOf(again)).toBeUndefined();
      await finish(again);
    });

    test('agent killed while the module is silently leaving, which it does in the meantime', async () => {
      const host = await bench.startProgram();
      await plug(host);
      await bench.guest.pin();
      valueOf(await ask(host));
      await bench.killProgram();
      await bench.guest.letGo();
      const again = await bench.startProgram();
      await finish(again);
    });

    test.each([
      ['before the mark is written', procedures.setMetadata, 'drop', ['Plugged']],
      ['when the mark is written', procedures.detachDeviceAlias, 'drop', ['Leaving']],
      ['right after the guest was asked', procedures.detachDeviceAlias, 'forward', ['Leaving', 'gone']],
    ] as const)('libvirtd killed %s', async (_when, procedure, fate, states) => {
      const host = await bench.startInProcess();
      await plug(host);
      const before = await bench.observe(host);
      const reached = bench.relay.intercept(procedure, async () => {
        if (fate === 'drop') await bench.lab.hypervisor.killDaemon();
        return fate;
      });
      const answered = ask(host);
      await reached;
      if (fate === 'forward') await bench.lab.hypervisor.killDaemon();
      expect(['ok', 'outcome-unknown', 'hypervisor-unreachable']).toContain(codeOf(await answered));
      await bench.lab.hypervisor.startDaemon();
      await bench.backAgain(host);
      expect(states).toContain((await bench.moduleOf(host))?.state ?? 'gone');
      expect((await bench.observe(host)).runtimeId).toBe(before.runtimeId);
      await finish(host);
    });

    test.each([
      ['killed', 'SIGKILL', 'meanwhile'],
      ['ended', 'SIGTERM', 'meanwhile'],
      ['killed', 'SIGKILL', 'afterwards'],
      ['ended', 'SIGTERM', 'afterwards'],
    ] as const)('libvirtd %s (%s) while the module is silently leaving; it leaves %s', async (_how, signal, when) => {
      const { guest, lab } = bench;
      const host = await bench.startInProcess();
      await plug(host);
      await guest.pin();
      valueOf(await ask(host));
      await lab.hypervisor.killDaemon(signal);
      if (when === 'meanwhile') await guest.letGo();
      await lab.hypervisor.startDaemon();
      await bench.backAgain(host);
      if (when === 'afterwards') {
        expect(await bench.moduleOf(host)).toMatchObject({ state: 'Leaving', mark: { attempts: 1 } });
        const watching = collectEvents(host);
        await eventually('the watch begins', () => (watching.events.length > 0 ? true : null));
        await guest.letGo();
        // Nobody asks again: the restarted libvirtd hears the answer to what its predecessor asked.
        await eventually('the removal is told', () =>
          watching.events.some(({ kind }) => kind === 'module-removed') ? true : null,
        );
        watching.stop();
      }
      await finish(host);
    });

    test.each([
      ['the mark is to be written', procedures.setMetadata],
      ['the guest is to be asked', procedures.detachDeviceAlias],
    ] as const)('libvirtd stopped in its tracks when %s, and let go on', async (_when, procedure) => {
      const host = await bench.startInProcess();
      await plug(host);
      valueOf(await bench.whileFrozen(procedure, () => ask(host)));
      await finish(host);
    });
  },
  ['hypervisor'],
);
