/** `dimmer standalone` as it ships on a real libvirtd with real guests: the stories of the cluster, without one. */
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { startDaemon } from '../../lab/daemon.ts';
import { describeLab } from '../../lab/describe.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { run, SEARCH_PATH } from '../../lab/run.ts';
import { waitFor } from '../../lab/wait.ts';
import { builtMain } from '../../support/built-program.ts';
import { commandsOf, documented } from '../../support/documents.ts';
import { StandaloneProcess } from '../../support/standalone-process.ts';

await describeLab(
  'standalone on libvirt',
  () => {
    let lab: Lab;
    let standalone: StandaloneProcess;
    let instances = 0;

    beforeAll(async () => {
      lab = await startLab({
        guests: [
          { kind: 'accepting', name: 'db-1' },
          { kind: 'refusing', name: 'web-1' },
          { kind: 'silent' },
          // Nothing can be done with it.
          { kind: 'no-os', name: 'Odd_1', maxMemoryMib: null, balloon: false, nodes: [{ mib: 100, vcpus: 1 }] },
        ],
      });
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

    test("the user guide's first resize on one host: adopted VMs, odd ones too, stay as they are until a manifest is changed", async () => {
      await standalone.stop();
      const home = join(lab.hypervisor.directory, 'guide');
      mkdirSync(join(home, 'bin'), { recursive: true });
      cpSync(standalone.manifests, join(home, 'vms'), { recursive: true });
      const uri = `--libvirt-uri=qemu:///system?socket=${lab.hypervisor.socketPath}`;
      const program = `#!/bin/sh\nc=$1; shift\ncase $c in adopt|standalone) set -- '${uri}' "$@" ;; esac\nexec '${process.execPath}' '${builtMain}' "$c" "$@"\n`;
      writeFileSync(join(home, 'bin/dimmer'), program, { mode: 0o755 });
      const env = { STATE_DIRECTORY: join(home, 'state'), PATH: `${join(home, 'bin')}:${SEARCH_PATH}` };
      const adopt = documented('docs/user-guide.md', 'dimmer adopt --output-dir vms/');
      expect(commandsOf(documented('docs/operations.md', 'dimmer adopt --output-dir vms/'))[0]?.command).toBe(
        commandsOf(adopt)[0]?.command,
      );
      const [follows] = commandsOf(documented('docs/user-guide.md', 'dimmer standalone --manifests vms/'));
      const resize = commandsOf(documented('docs/user-guide.md', 'sed -i'));
      expect(documented('README.md', 'dimmer adopt --output-dir vms/').text.split('\n')).toEqual([
        commandsOf(adopt)[0]?.command,
        follows?.command,
      ]);
      const type = async (command: string) => {
        const { code, stdout, stderr } = await run('sh', ['-euc', command], { cwd: home, env });
        expect([command, code]).toEqual([command, 0]);
        return { stdout, stderr };
      };
      // By hand, and no two alike.
      const [db, web, odd] = [lab.guest('accepting'), lab.guest('refusing'), lab.guest('no-os')];
      await db.plugDimm(384, 'ua-by-hand');
      await web.plugDimm(128, 'ua-by-hand');
      // What runs and isn't defined is transient.
      await odd.undefine();

      for (const { command, printed } of commandsOf(adopt)) {
        const { stdout, stderr } = await type(command);
        for (const line of printed.split('\n')) expect(stdout).toContain(`${line}\n`);
        expect(stderr).toMatch(/^dimmer adopt: Odd_1: it can't be given more memory: The domain has no <maxMemory/m);
        expect(stderr).toMatch(/^dimmer adopt: Odd_1: it has no memory balloon/m);
        expect(stderr).toMatch(/^dimmer adopt: Odd_1: it is transient/m);
        expect(stderr).not.toMatch(/db-1|web-1/);
      }
      const manifestOf = (name: string) => readFileSync(join(home, `vms/${name}.yaml`), 'utf8');
      expect(manifestOf('odd-1')).toMatch(/^# WARNING: it has no memory balloon/m);
      expect(manifestOf('db-1')).toMatch(/^# Note: not plugged by Dimmer: 384Mi in slot 0/m);

      const before = await Promise.all([db, web, odd].map((guest) => guest.dumpXml()));
      const exec = ['-euc', `exec ${follows?.command ?? ''}`];
      const logFile = join(home, 'standalone.log');
      const daemon = await startDaemon({ name: 'the guide', command: 'sh', args: exec, logFile, cwd: home, env });
      let shown = '';
      const shows = (pattern: RegExp): Promise<unknown> =>
        waitFor(async () => pattern.test((shown = (await type('dimmer status -o wide')).stdout)), {
          ...{ what: String(pattern), timeoutMs: 60_000, intervalMs: 500 },
          details: () => `${shown}\n${daemon.logTail()}`,
        });
      for (const [name, size] of [
        ['db-1', '896Mi'],
        ['web-1', '640Mi'],
        ['odd-1', '100Mi'],
      ] as const) {
        await shows(new RegExp(`default/${name} .* ${size} +${size} +True +Converged`));
      }
      // What there was stays: no claim, no module more or less; but for the statistics, which Dimmer switches on.
      const bare = (xml: string) => xml.replaceAll(/<stats period='\d+'\/>|<currentMemory.*|\s+/g, '');
      const after = await Promise.all([db, web, odd].map((guest) => guest.dumpXml()));
      expect(after.map(bare)).toEqual(before.map(bare));

      for (const { command } of resize) await type(command);
      await shows(/default\/db-1 .* 1Gi +1Gi +True +Converged/);
      expect(await db.moduleAliases()).toEqual(['ua-by-hand', expect.stringMatching(/^ua-dimmer-/)]);
      expect((await type(resize.at(-1)?.command ?? '')).stdout).toMatch(/db-1[\s\S]*Converged/);
      expect(await db.shOk('cat /proc/cmdline')).toContain(
        documented('docs/user-guide.md', 'memhp_default_state').text,
      );
      await type("sed -i 's/memory: .*/memory: 512Mi/' vms/db-1.yaml");
      await shows(/default\/db-1 .* 512Mi +512Mi +True +Converged/);
      // The next tests begin without it; standalone would bring it back.
      await daemon.stop(15_000);
      await web.refuse(false);
      await web.unplugDimm('ua-by-hand');
      await waitFor(async () => (await web.moduleAliases()).length === 0, {
        what: 'the module to go',
        timeoutMs: 30_000,
      });
      await web.refuse(true);
    });

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
      const corrections = () => standalone.read(guest).status?.drift?.corrections?.length ?? 0;
      await untilPutRight('it to be put back', () => corrections() === 1);
      await standalone.reaches(guest, 'Converged', '896Mi');
      expect(await guest.moduleAliases()).toEqual(['ua-dimmer-0']);
      await guest.plugDimm(128, 'ua-by-hand');
      await untilPutRight('it to be taken out', () => corrections() === 2);
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
