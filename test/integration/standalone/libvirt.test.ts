/** `dimmer standalone` as it ships on a real libvirtd with real guests: the stories of the cluster, without one. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { describeLab } from '../../lab/describe.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';
import { StandaloneProcess } from '../../support/standalone-process.ts';

await describeLab(
  'standalone on libvirt',
  () => {
    let lab: Lab;
    let standalone: StandaloneProcess;
    let instances = 0;

    beforeAll(async () => {
      lab = await startLab({ guests: [{ kind: 'accepting' }, { kind: 'refusing' }, { kind: 'silent' }] });
    });
    afterAll(() => lab.stop());

    beforeEach(async () => {
      instances += 1;
      standalone = new StandaloneProcess(lab.hypervisor, join(lab.hypervisor.directory, `standalone-${instances}`));
      await standalone.start();
    });
    afterEach(async () => {
      await standalone.stop();
      // The next one is another instance, and these guests are its, too.
      for (const guest of lab.guests) await standalone.release(guest);
    });

    const sizes = ({ status }: VirtualMachineMemory): readonly string[] =>
      (status?.modules ?? []).map(({ size }) => size);

    test('grows, shrinks by an exact set, says what cannot be reached, and touches nothing while nothing changes', async () => {
      const guest = lab.guest('accepting');
      const before = await guest.memTotalKiB();
      for (const memory of ['896Mi', '1152Mi', '1408Mi']) {
        standalone.wish(guest, memory);
        await standalone.reaches(guest, 'Converged', memory);
      }
      expect((await guest.memTotalKiB()) - before).toBe(896 * 1024);
      standalone.wish(guest, '896Mi');
      expect(sizes(await standalone.reaches(guest, 'Converged', '896Mi'))).toEqual(['384Mi']);
      expect((await guest.memTotalKiB()) - before).toBe(384 * 1024);
      standalone.wish(guest, '640Mi');
      await standalone.reaches(guest, 'UnreachableSize', '640Mi');
      expect(standalone.ready(guest)?.message).toMatch(/512Mi, 896Mi/);
      standalone.wish(guest, '512Mi');
      await standalone.reaches(guest, 'Converged', '512Mi');
      expect(await guest.memTotalKiB()).toBe(before);

      const look = async (): Promise<unknown> => [
        readdirSync(standalone.state, { recursive: true, encoding: 'utf8' }).map((name) => [
          name,
          statSync(join(standalone.state, name)).mtimeMs,
        ]),
        await guest.dumpXml(),
      ];
      // What is written of an end may come a moment after it.
      await delay(3_000);
      const quiet = await look();
      await delay(8_000);
      expect(await look()).toEqual(quiet);
    });

    test('memory in use is not asked for, and is once it is free', async () => {
      const guest = lab.guest('accepting');
      standalone.wish(guest, '896Mi');
      await standalone.reaches(guest, 'Converged', '896Mi');
      const work = await guest.useMemory(500);
      await waitFor(
        async () =>
          Number(/usable (\d+)/.exec(await lab.hypervisor.virshOk(['dommemstat', guest.uuid]))?.[1]) < 384 * 1024,
        { what: 'the statistics to show it', timeoutMs: 20_000 },
      );
      standalone.wish(guest, '512Mi');
      await standalone.reaches(guest, 'GuestMemoryInUse', '512Mi');
      expect(await work.isAlive()).toBe(true);
      await work.free();
      await standalone.reaches(guest, 'Converged', '512Mi');
    });

    test('a guest that refuses is told of, module by module', async () => {
      const guest = lab.guest('refusing');
      standalone.wish(guest, '640Mi');
      await standalone.reaches(guest, 'Converged', '640Mi');
      standalone.wish(guest, '512Mi');
      const refused = await standalone.reaches(guest, 'GuestRefused', '512Mi');
      expect(refused.status?.modules).toMatchObject([{ alias: 'ua-dimmer-0', state: 'Refused', refusals: 1 }]);
      const { stdout, exit } = await standalone.status(guest.name);
      expect([exit, stdout]).toEqual([0, expect.stringMatching(/ 0 +128Mi +█+ +refused; asked again in /)]);
      standalone.wish(guest, '640Mi');
      await standalone.reaches(guest, 'Converged', '640Mi');
      // The guest keeps it.
    });

    test('a guest that says nothing is unknown, through a restart too, and done with when it lets go', async () => {
      const guest = lab.guest('silent');
      standalone.wish(guest, '640Mi');
      await standalone.reaches(guest, 'Converged', '640Mi');
      await guest.waitPinned();
      standalone.wish(guest, '512Mi', '  unplugTimeout: 2s\n');
      const silent = await standalone.reaches(guest, 'UnplugUnknown', '512Mi');
      expect(silent.status?.modules).toMatchObject([{ alias: 'ua-dimmer-0', state: 'Leaving' }]);
      await standalone.kill();
      await standalone.start();
      expect((await standalone.status(guest.name)).stdout).toMatch(/ 0 +128Mi +\S+ +leaving/);
      expect(await guest.moduleAliases()).toEqual(['ua-dimmer-0']);
      await guest.letGo();
      await standalone.reaches(guest, 'Converged', '512Mi');
      expect(await guest.moduleAliases()).toEqual([]);
    });

    test('what somebody does by virsh is seen, and put right', async () => {
      const guest = lab.guest('accepting');
      standalone.wish(guest, '896Mi');
      await standalone.reaches(guest, 'Converged', '896Mi');
      await guest.unplugDimm('ua-dimmer-0');
      const untilPutRight = (what: string, isIt: () => boolean | Promise<boolean>): Promise<unknown> =>
        waitFor(isIt, { what, timeoutMs: 60_000, details: () => JSON.stringify(standalone.read(guest).status) });
      await untilPutRight('it to be put back', () => standalone.read(guest).status?.lastResize?.from === '512Mi');
      await standalone.reaches(guest, 'Converged', '896Mi');
      await guest.plugDimm(128, 'ua-by-hand');
      await untilPutRight('it to be taken out', async () => !(await guest.moduleAliases()).includes('ua-by-hand'));
      await standalone.reaches(guest, 'Converged', '896Mi');
      expect(await guest.moduleAliases()).toEqual(['ua-dimmer-0']);
      standalone.wish(guest, '512Mi');
      await standalone.reaches(guest, 'Converged', '512Mi');
    });

    const killStandalone = async (): Promise<void> => {
      await standalone.kill();
      await standalone.start();
    };
    const killLibvirtd = async (): Promise<void> => {
      await lab.hypervisor.killDaemon('SIGKILL');
      await lab.hypervisor.startDaemon();
    };
    /** Standalone comes back first, and finds nobody. */
    const killBoth = async (): Promise<void> => {
      await lab.hypervisor.killDaemon('SIGKILL');
      await killStandalone();
      await lab.hypervisor.startDaemon();
    };
    test.each([
      ['standalone', 5, killStandalone],
      ['standalone', 120, killStandalone],
      ['libvirtd', 40, killLibvirtd],
      ['everything', 40, killBoth],
    ])('%s killed %i ms after a wish, it comes to the same end', async (_, ms, kill) => {
      const guest = lab.guest('accepting');
      const before = await guest.memTotalKiB();
      standalone.wish(guest, '896Mi');
      await standalone.reaches(guest, 'Converged', '896Mi');
      for (const memory of ['1152Mi', '896Mi']) {
        standalone.wish(guest, memory);
        await delay(ms);
        await kill();
        await standalone.reaches(guest, 'Converged', memory);
      }
      expect(await guest.moduleAliases()).toEqual(['ua-dimmer-0']);
      expect((await guest.memTotalKiB()) - before).toBe(384 * 1024);
      standalone.wish(guest, '512Mi');
      await standalone.reaches(guest, 'Converged', '512Mi');
    });

    test('another instance leaves the VM alone, and says the way out', async () => {
      const guest = lab.guest('accepting');
      standalone.wish(guest, '640Mi');
      await standalone.reaches(guest, 'Converged', '640Mi');
      await standalone.stop();
      standalone.state = `${standalone.state}-lost`;
      standalone.wish(guest, '768Mi');
      await standalone.start();
      await standalone.reaches(guest, 'ClaimedByOther', '768Mi');
      expect(standalone.ready(guest)?.message).toContain('dimmer agent release');
      await standalone.release(guest);
      standalone.wish(guest, '512Mi');
      await standalone.reaches(guest, 'Converged', '512Mi', 90_000);
    });
  },
  ['hypervisor'],
);
