/** Guests that are not simply up and willing: what they do with memory, and what the agent makes of it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DomainObservation, UnplugRequest } from '../../../src/host/port.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { codeOf, isUp, observedUntil, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';
import { type AgentFixture, createAgentPki, startAgentFixture } from './agent-fixture.ts';

const size = mib(128);
const moduleXml = `<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>`;

await describeLab(
  'guests in all states',
  () => {
    let lab: Lab;
    let agent: AgentFixture;
    let offline: LabGuest;
    let booted: LabGuest;
    let bare: LabGuest;
    /** How far the agent's clock is ahead. */
    let aheadMs = 0;

    beforeAll(async () => {
      lab = await startLab({
        guests: [
          { kind: 'accepting', name: 'offline', kernelArgs: ['memhp_default_state=offline'] },
          { kind: 'accepting', name: 'booted', extraDevicesXml: moduleXml },
          { kind: 'no-os' },
        ],
      });
      [offline, booted, bare] = lab.guests as [LabGuest, LabGuest, LabGuest];
      agent = await startAgentFixture(lab.hypervisor.uri, await createAgentPki(lab.hypervisor.directory), {
        clock: { ...systemClock, now: () => systemClock.now() + aheadMs },
      });
    });
    afterAll(async () => {
      await agent.stop();
      await lab.stop();
    });

    const observe = async ({ uuid }: LabGuest) => valueOf(await agent.client.observe(uuid));
    const plug = async (guest: LabGuest, slot: number) =>
      agent.client.plug(guest.uuid, (await observe(guest)).revision, plugRequest(slot, size));
    const unplug = async (guest: LabGuest, slot: number, more: Partial<UnplugRequest> = {}) =>
      agent.client.unplug(guest.uuid, (await observe(guest)).revision, unplugRequest(slot, more));
    const until = (guest: LabGuest, what: string, holds: (observation: DomainObservation) => boolean, ms?: number) =>
      observedUntil({ host: agent.client, uuid: guest.uuid }, what, holds, ms);
    const reports = (guest: LabGuest) => until(guest, 'the guest reports', isUp);
    const gone = (guest: LabGuest, slot: number, ms?: number) =>
      until(
        guest,
        'the module is gone',
        ({ layout }) => layout?.modules.every((one) => one.slot !== slot) === true,
        ms,
      );
    const blocks = async (guest: LabGuest): Promise<string[]> =>
      (await guest.shOk('cat /sys/devices/system/memory/memory*/state')).trim().split('\n');

    test('one that leaves new memory offline has no more of it, and gives the module back at once', async () => {
      await reports(offline);
      const before = { total: await offline.memTotalKiB(), blocks: await blocks(offline) };
      valueOf(await plug(offline, 0));
      await waitFor(async () => (await blocks(offline)).length > before.blocks.length, {
        ...{ what: 'the guest to notice the module', timeoutMs: 20_000 },
      });
      expect(await blocks(offline)).toEqual([...before.blocks, 'offline']);
      expect(await offline.memTotalKiB()).toBe(before.total);
      const pluggedAtMs = Date.now();
      const { guest } = await until(
        offline,
        'the guest reports again',
        (o) => (o.guest?.reportedAtMs ?? 0) > pluggedAtMs,
      );
      expect(guest?.total).toBe(before.total * 1024);
      valueOf(await unplug(offline, 0));
      await gone(offline, 0);
      expect(await offline.memTotalKiB()).toBe(before.total);
    });

    /** Longer than a guest takes to give an idle module up: a quarter of a second. */
    const silenceMs = 2_000;

    test('one that was started with a module gives it back when asked once or twice', async () => {
      const { layout } = await reports(booted);
      const [module] = layout?.modules ?? [];
      expect(module).toMatchObject({ slot: 0, alias: 'dimm0', size, state: 'Plugged' });
      valueOf(await unplug(booted, 0));
      const left = await gone(booted, 0, silenceMs).catch(() => null);
      if (left === null) {
        valueOf(await unplug(booted, 0));
        await gone(booted, 0);
      }
      expect(await booted.moduleAliases()).toEqual([]);
    });

    test('one that got a module while it booted swallows the first request for it, and follows the second', async () => {
      await booted.reset();
      await booted.plugDimm(128, 'ua-early');
      const early = await until(booted, 'it is there', ({ layout }) => layout?.modules.length === 1);
      expect(early.booting).toBe(true);
      const slot = early.layout?.modules[0]?.slot ?? NaN;
      expect(codeOf(await unplug(booted, slot))).toBe('busy');
      await booted.waitReady();
      await reports(booted);
      valueOf(await unplug(booted, slot));
      await expect(gone(booted, slot, silenceMs)).rejects.toThrow(/gave up/);
      expect((await observe(booted)).layout?.modules).toMatchObject([{ state: 'Leaving', mark: { attempts: 1 } }]);
      valueOf(await unplug(booted, slot));
      await gone(booted, slot);
    });

    test('a paused one that is asked stays silent, and gives the module back when it goes on', async () => {
      await reports(offline);
      valueOf(await plug(offline, 1));
      await lab.hypervisor.virshOk(['suspend', offline.uuid]);
      try {
        valueOf(await unplug(offline, 1));
        await expect(gone(offline, 1, silenceMs)).rejects.toThrow(/gave up/);
        expect(await observe(offline)).toMatchObject({
          state: 'Paused',
          layout: { modules: [{ slot: 1, state: 'Leaving', mark: { attempts: 1 } }] },
        });
      } finally {
        await lab.hypervisor.virshOk(['resume', offline.uuid]);
      }
      await gone(offline, 1);
    });

    test('what is stored of a VM stays as it is: only the running one changes', async () => {
      const stored = () => lab.hypervisor.virshOk(['dumpxml', '--inactive', booted.uuid]);
      const before = await stored();
      await reports(booted);
      const { length } = await blocks(booted);
      const isTakenUp = (states: readonly string[]) => states.length > length && !states.includes('offline');
      valueOf(await plug(booted, 2));
      expect(await stored()).toBe(before);
      await waitFor(async () => isTakenUp(await blocks(booted)), {
        what: 'the guest to take it up',
        timeoutMs: 20_000,
      });
      valueOf(await unplug(booted, 2));
      expect(await stored()).toBe(before);
      await gone(booted, 2);
      expect(await stored()).toBe(before);
    });

    test('one without an operating system takes modules and gives none back, once it can no longer be booting', async () => {
      expect(codeOf(await plug(bare, 0))).toBe('busy');
      aheadMs += 61_000;
      valueOf(await plug(bare, 0));
      expect(codeOf(await unplug(bare, 0, { minUsableAfter: mib(1) }))).toBe('guest-memory-unknown');
      valueOf(await unplug(bare, 0));
      await expect(gone(bare, 0, silenceMs)).rejects.toThrow(/gave up/);
      valueOf(await unplug(bare, 0));
      expect((await observe(bare)).layout?.modules).toMatchObject([{ state: 'Leaving', mark: { attempts: 2 } }]);
      expect(codeOf(await plug(bare, 1))).toBe('ok');
    });
  },
  ['hypervisor'],
);
