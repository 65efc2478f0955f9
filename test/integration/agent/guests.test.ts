/** Guests that are not simply up and willing: what they do with memory, and what the agent makes of it. */
import { expect, test } from 'vitest';
import type { DomainObservation } from '../../../src/host/port.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { codeOf, valueOf } from '../../contract/bench.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { waitFor } from '../../lab/wait.ts';
import { describeAgent } from './agent-bench.ts';

const moduleXml = `<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>`;
/** How far the agent's clock is ahead. */
let aheadMs = 0;

await describeAgent(
  'guests in all states',
  {
    guests: [
      { kind: 'accepting', name: 'offline', kernelArgs: ['memhp_default_state=offline'] },
      { kind: 'accepting', name: 'booted', extraDevicesXml: moduleXml, boots: true },
      { kind: 'no-os', name: 'bare' },
    ],
    uncleared: true,
    agent: { clock: { ...systemClock, now: () => systemClock.now() + aheadMs } },
  },
  (bench) => {
    /** A guest of the lab, by itself and through the agent. */
    const the = (name: string) => {
      const guest = bench.lab.guests.find((candidate) => candidate.name === name);
      if (guest === undefined) throw new Error(`the lab has no guest ${name}`);
      const seen = bench.of(guest);
      const isGone = (slot: number) => (o: DomainObservation) =>
        o.layout?.modules.every((module) => module.slot !== slot) === true;
      return {
        ...{ ...guest, ...seen },
        gone: (slot: number, ms?: number) => seen.until('the module is gone', isGone(slot), ms),
      };
    };
    const blocks = async (guest: Pick<LabGuest, 'shOk'>): Promise<string[]> =>
      (await guest.shOk('cat /sys/devices/system/memory/memory*/state')).trim().split('\n');

    test('one that leaves new memory offline has no more of it, and gives the module back at once', async () => {
      const offline = the('offline');
      await offline.reports();
      const before = { total: await offline.memTotalKiB(), blocks: await blocks(offline) };
      valueOf(await offline.plug(0));
      await waitFor(async () => (await blocks(offline)).length > before.blocks.length, {
        ...{ what: 'the guest to notice the module', timeoutMs: 20_000 },
      });
      expect(await blocks(offline)).toEqual([...before.blocks, 'offline']);
      expect(await offline.memTotalKiB()).toBe(before.total);
      const pluggedAtMs = Date.now();
      const { guest } = await offline.until(
        'the guest reports again',
        (o) => (o.guest?.reportedAtMs ?? 0) > pluggedAtMs,
      );
      expect(guest?.total).toBe(before.total * 1024);
      valueOf(await offline.unplug(0));
      await offline.gone(0);
      expect(await offline.memTotalKiB()).toBe(before.total);
    });

    /** Longer than a guest takes to give an idle module up: a quarter of a second. */
    const silenceMs = 2_000;

    test('one that was started with a module gives it back when asked once or twice', async () => {
      const booted = the('booted');
      const { layout } = await booted.reports();
      const [module] = layout?.modules ?? [];
      expect(module).toMatchObject({ slot: 0, alias: 'dimm0', size: mib(128), state: 'Plugged' });
      valueOf(await booted.unplug(0));
      const left = await booted.gone(0, silenceMs).catch(() => null);
      if (left === null) {
        valueOf(await booted.unplug(0));
        await booted.gone(0);
      }
      expect(await booted.moduleAliases()).toEqual([]);
    });

    test('one that got a module while it booted swallows the first request for it, and follows the second', async () => {
      const booted = the('booted');
      await booted.reset();
      await booted.plugDimm(128, 'ua-early');
      const early = await booted.until('it is there', ({ layout }) => layout?.modules.length === 1);
      expect(early.booting).toBe(true);
      const slot = early.layout?.modules[0]?.slot ?? NaN;
      expect(codeOf(await booted.unplug(slot))).toBe('busy');
      await booted.waitReady();
      await booted.reports();
      valueOf(await booted.unplug(slot));
      await expect(booted.gone(slot, silenceMs)).rejects.toThrow(/gave up/);
      expect((await booted.observe()).layout?.modules).toMatchObject([{ state: 'Leaving', mark: { attempts: 1 } }]);
      valueOf(await booted.unplug(slot));
      await booted.gone(slot);
    });

    test('a paused one that is asked stays silent, and gives the module back when it goes on', async () => {
      const offline = the('offline');
      await offline.reports();
      valueOf(await offline.plug(1));
      await bench.lab.hypervisor.virshOk(['suspend', offline.uuid]);
      try {
        valueOf(await offline.unplug(1));
        await expect(offline.gone(1, silenceMs)).rejects.toThrow(/gave up/);
        expect(await offline.observe()).toMatchObject({
          state: 'Paused',
          layout: { modules: [{ slot: 1, state: 'Leaving', mark: { attempts: 1 } }] },
        });
      } finally {
        await bench.lab.hypervisor.virshOk(['resume', offline.uuid]);
      }
      await offline.gone(1);
    });

    test('what is stored of a VM stays as it is: only the running one changes', async () => {
      const booted = the('booted');
      const stored = () => bench.lab.hypervisor.virshOk(['dumpxml', '--inactive', booted.uuid]);
      const before = await stored();
      await booted.reports();
      const { length } = await blocks(booted);
      const isTakenUp = (states: readonly string[]) => states.length > length && !states.includes('offline');
      valueOf(await booted.plug(2));
      expect(await stored()).toBe(before);
      await waitFor(async () => isTakenUp(await blocks(booted)), {
        what: 'the guest to take it up',
        timeoutMs: 20_000,
      });
      valueOf(await booted.unplug(2));
      expect(await stored()).toBe(before);
      await booted.gone(2);
      expect(await stored()).toBe(before);
    });

    test('one without an operating system takes modules and gives none back, once it can no longer be booting', async () => {
      const bare = the('bare');
      expect(codeOf(await bare.plug(0))).toBe('busy');
      aheadMs += 61_000;
      valueOf(await bare.plug(0));
      expect(codeOf(await bare.unplug(0, { minUsableAfter: mib(1) }))).toBe('guest-memory-unknown');
      valueOf(await bare.unplug(0));
      await expect(bare.gone(0, silenceMs)).rejects.toThrow(/gave up/);
      valueOf(await bare.unplug(0));
      expect((await bare.observe()).layout?.modules).toMatchObject([{ state: 'Leaving', mark: { attempts: 2 } }]);
      expect(codeOf(await bare.plug(1))).toBe('ok');
    });
  },
);
