/** Guests that are restored from one boot: each is its own, and a state that is no good is made again. */
import { globSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeLab } from '../../lab/describe.ts';
import { cacheDirectory } from '../../lab/directory.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { startGuest } from '../../lab/guest.ts';
import { type LabHypervisor, startHypervisor } from '../../lab/hypervisor.ts';
import { waitFor } from '../../lab/wait.ts';

await describeLab(
  'guests that booted once',
  () => {
    let hypervisor: LabHypervisor;
    let cache: string;

    beforeAll(async () => {
      // A cache without any, as on a new machine.
      const known = cacheDirectory();
      cache = mkdtempSync(join(tmpdir(), 'dimmer-saved-guests-'));
      mkdirSync(join(cache, 'dimmer-lab'));
      for (const name of ['guest', 'libvirt-capabilities']) {
        symlinkSync(join(known, name), join(cache, 'dimmer-lab', name));
      }
      vi.stubEnv('XDG_CACHE_HOME', cache);
      hypervisor = await startHypervisor();
    });
    afterAll(async () => {
      await hypervisor.stop();
      vi.unstubAllEnvs();
      rmSync(cache, { recursive: true });
    });

    const kept = (): string[] => globSync(join(cache, 'dimmer-lab/saved-guests/*.save'));

    const reason = async ({ uuid }: Pick<LabGuest, 'uuid'>): Promise<string> =>
      (await hypervisor.virshOk(['domstate', uuid, '--reason'])).trim();

    test('of one boot there may be many, each with a name, a run, a console and modules of its own', async () => {
      // The same hardware and the same kernel, at the same moment: one boots, and nothing else is made.
      const [first, second] = await Promise.all([
        startGuest(hypervisor, { kind: 'accepting', name: 'first' }),
        startGuest(hypervisor, { kind: 'mixed' }),
      ]);
      expect(kept()).toHaveLength(1);
      expect([first, second].map(({ uuid }) => hypervisor.qemuPid(uuid)).every((pid) => pid > 0)).toBe(true);
      for (const guest of [first, second]) {
        expect(await reason(guest)).toBe('running (restored)');
        const xml = await guest.dumpXml();
        expect(xml).toContain(`<uuid>${guest.uuid}</uuid>`);
        expect(xml).not.toContain('@');
        expect(await hypervisor.virshOk(['domname', guest.uuid])).toBe(`${guest.name}\n\n`);
      }
      await first.plugDimm(128, 'ua-first');
      const [one, other] = [await first.memTotalKiB(), await second.memTotalKiB()];
      await waitFor(async () => (await first.memTotalKiB()) === other + 128 * 1024, {
        ...{ what: `the guest with ${one} KiB to take the module up`, timeoutMs: 20_000 },
      });
      expect(await second.memTotalKiB()).toBe(other);
      expect([await first.moduleAliases(), await second.moduleAliases()]).toEqual([['ua-first'], []]);
      await first.unplugDimm('ua-first');
      await waitFor(async () => (await first.moduleAliases()).length === 0, {
        ...{ what: 'the module to leave', timeoutMs: 20_000 },
      });
      await second.shOk('echo "said by the second" >/dev/ttyS0');
      await waitFor(() => second.consoleLog().includes('said by the second'), {
        ...{ what: 'the console', timeoutMs: 10_000 },
      });
      expect(first.consoleLog()).not.toContain('said by the second');
    });

    test('a state that is cut off is made again', async () => {
      const options = { kind: 'accepting' } as const;
      const [file = ''] = kept();
      truncateSync(file, 1024 * 1024);
      const said = vi.spyOn(console, 'error');
      const guest = await startGuest(hypervisor, options);
      expect(await guest.memTotalKiB()).toBeGreaterThan(300 * 1024);
      expect(kept()).toEqual([file]);
      expect(said.mock.calls.join('\n')).toContain(`guest ${guest.name} boots anew, ${file} can't be restored`);
      await startGuest(hypervisor, options);
      expect(said.mock.calls.filter((words) => words.join(' ').includes('boots anew'))).toHaveLength(1);
    });
  },
  ['hypervisor'],
);
