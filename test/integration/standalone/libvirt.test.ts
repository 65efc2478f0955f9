/** `dimmer standalone` as it ships on a real libvirtd with real guests: the stories of the cluster, without one. */
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { type Daemon, startDaemon } from '../../lab/daemon.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { run, SEARCH_PATH } from '../../lab/run.ts';
import { waitFor } from '../../lab/wait.ts';
import { builtMain, runProgram } from '../../support/built-program.ts';
import { commandsOf, documented } from '../../support/documents.ts';

/** The machine under the lab is small and shared: the guests' memory is never really used up. */
const localhost = `apiVersion: dimmer.dev/v1alpha1
kind: HypervisorHost
metadata: {name: localhost}
spec:
  address: https://localhost
  allowedNamespaces: {from: All}
  memoryReserve: 256Mi
  memoryOvercommit: "8.0"
`;

await describeLab(
  'standalone on libvirt',
  () => {
    let lab: Lab;
    let manifests: string;
    let state: string;
    let daemon: Daemon;

    beforeAll(async () => {
      lab = await startLab({
        guests: [
          { kind: 'accepting', name: 'db-1' },
          { kind: 'refusing', name: 'web-1' },
          // Nothing can be done with it.
          { kind: 'no-os', name: 'Odd_1', maxMemoryMib: null, balloon: false, nodes: [{ mib: 100, vcpus: 1 }] },
        ],
      });
    });
    afterAll(() => lab.stop());

    beforeEach(async () => {
      const root = join(lab.hypervisor.directory, `standalone-${Date.now()}`);
      manifests = join(root, 'manifests');
      state = join(root, 'state');
      mkdirSync(manifests, { recursive: true });
      rename('localhost.yaml', localhost);
      await start();
    });
    afterEach(async () => {
      await daemon.stop(15_000);
      // The next one is another instance, and these guests are its, too.
      for (const guest of lab.guests) {
        const uri = `qemu:///system?socket=${lab.hypervisor.socketPath}`;
        expect(await runProgram(['agent', 'release', guest.uuid, `--libvirt-uri=${uri}`])).toMatchObject({ exit: 0 });
      }
    });

    async function start(): Promise<void> {
      const logFile = join(state, '../standalone.log');
      const args = [`--manifests=${manifests}`, `--state-dir=${state}`];
      daemon = await startDaemon({
        name: 'dimmer standalone',
        command: process.execPath,
        args: [builtMain, 'standalone', ...args, `--libvirt-uri=qemu:///system?socket=${lab.hypervisor.socketPath}`],
        logFile,
      });
      await waitFor(() => daemon.logTail().includes('standalone is ready'), {
        what: 'standalone to be ready',
        timeoutMs: 20_000,
        details: daemon.logTail,
      });
    }

    function rename(name: string, text: string): void {
      writeFileSync(join(manifests, `.${name}`), text, { flush: true });
      renameSync(join(manifests, `.${name}`), join(manifests, name));
    }
    const wish = (guest: LabGuest, memory: string, more = ''): void =>
      rename(
        `${guest.name}.yaml`,
        `apiVersion: dimmer.dev/v1alpha1\nkind: VirtualMachineMemory\nmetadata: {name: ${guest.name}}\nspec:\n  virtualMachine: {uuid: ${guest.uuid}}\n  growPolicy: Whole\n  memory: ${memory}\n${more}`,
      );
    const read = (guest: LabGuest): VirtualMachineMemory =>
      JSON.parse(
        readFileSync(join(state, `virtualmachinememories/default/${guest.name}/resource.json`), 'utf8'),
      ) as VirtualMachineMemory;
    const readyOf = (resource: VirtualMachineMemory) =>
      resource.status?.conditions?.find(({ type }) => type === 'Ready');
    const reaches = (guest: LabGuest, reason: string, memory: string, timeoutMs = 60_000) =>
      waitFor(
        () => {
          const resource = read(guest);
          const isCurrent = resource.status?.observedGeneration === resource.metadata.generation;
          return resource.spec.memory === memory && isCurrent && readyOf(resource)?.reason === reason && resource;
        },
        {
          what: `${guest.name} to say ${reason} of ${memory}`,
          timeoutMs,
          details: () => `${JSON.stringify(readyOf(read(guest)))}\n${daemon.logTail()}`,
        },
      );
    const sizes = ({ status }: VirtualMachineMemory): readonly string[] =>
      (status?.modules ?? []).map(({ size }) => size);

    test("the user guide's first resize on one host: adopted VMs, odd ones too, stay as they are until a manifest is changed", async () => {
      await daemon.stop(15_000);
      const home = join(state, '../guide');
      mkdirSync(join(home, 'vms'), { recursive: true });
      mkdirSync(join(home, 'bin'));
      writeFileSync(join(home, 'vms/localhost.yaml'), localhost);
      const uri = `--libvirt-uri=qemu:///system?socket=${lab.hypervisor.socketPath}`;
      const program = `#!/bin/sh\nc=$1; shift\ncase $c in adopt|standalone) set -- '${uri}' "$@" ;; esac\nexec '${process.execPath}' '${builtMain}' "$c" "$@"\n`;
      writeFileSync(join(home, 'bin/dimmer'), program, { mode: 0o755 });
      const env = { STATE_DIRECTORY: state, PATH: `${join(home, 'bin')}:${SEARCH_PATH}` };
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
      daemon = await startDaemon({ name: 'the guide', command: 'sh', args: exec, logFile, cwd: home, env });
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
        wish(guest, memory);
        await reaches(guest, 'Converged', memory);
      }
      expect((await guest.memTotalKiB()) - before).toBe(896 * 1024);
      wish(guest, '896Mi');
      expect(sizes(await reaches(guest, 'Converged', '896Mi'))).toEqual(['384Mi']);
      expect((await guest.memTotalKiB()) - before).toBe(384 * 1024);
      wish(guest, '640Mi');
      const stuck = await reaches(guest, 'UnreachableSize', '640Mi');
      expect(readyOf(stuck)?.message).toMatch(/512Mi, 896Mi/);
      wish(guest, '512Mi');
      await reaches(guest, 'Converged', '512Mi');
      expect(await guest.memTotalKiB()).toBe(before);

      await delay(3_000);
      const look = async (): Promise<unknown> => [
        readdirSync(state, { recursive: true, encoding: 'utf8' }).map((name) => [
          name,
          statSync(join(state, name)).mtimeMs,
        ]),
        await guest.dumpXml(),
      ];
      const quiet = await look();
      await delay(8_000);
      expect(await look()).toEqual(quiet);
    });

    test('memory in use is not asked for, and is once it is free', async () => {
      const guest = lab.guest('accepting');
      wish(guest, '896Mi');
      await reaches(guest, 'Converged', '896Mi');
      const work = await guest.useMemory(500);
      await waitFor(
        async () =>
          Number(/usable (\d+)/.exec(await lab.hypervisor.virshOk(['dommemstat', guest.uuid]))?.[1]) < 384 * 1024,
        { what: 'the statistics to show it', timeoutMs: 20_000 },
      );
      wish(guest, '512Mi');
      await reaches(guest, 'GuestMemoryInUse', '512Mi');
      expect(await work.isAlive()).toBe(true);
      await work.free();
      await reaches(guest, 'Converged', '512Mi');
    });

    test('a guest that refuses is told of, module by module', async () => {
      const guest = lab.guest('refusing');
      wish(guest, '640Mi');
      await reaches(guest, 'Converged', '640Mi');
      wish(guest, '512Mi');
      const refused = await reaches(guest, 'GuestRefused', '512Mi');
      expect(refused.status?.modules).toMatchObject([{ alias: 'ua-dimmer-0', state: 'Refused', refusals: 1 }]);
      const { stdout, exit } = await runProgram(['status', guest.name, `--state-dir=${state}`]);
      expect([exit, stdout]).toEqual([0, expect.stringMatching(/ 0 +128Mi +█+ +refused; asked again in /)]);
      wish(guest, '640Mi');
      await reaches(guest, 'Converged', '640Mi');
      // The guest keeps it: the next test begins with it.
    });

    test('what somebody does by virsh is seen', async () => {
      const guest = lab.guest('accepting');
      wish(guest, '896Mi');
      await reaches(guest, 'Converged', '896Mi');
      await guest.unplugDimm('ua-dimmer-0');
      await waitFor(() => read(guest).status?.lastResize?.from === '512Mi', {
        what: 'it to be put back',
        timeoutMs: 60_000,
        details: () => JSON.stringify(read(guest).status),
      });
      await reaches(guest, 'Converged', '896Mi');
      wish(guest, '512Mi');
      await reaches(guest, 'Converged', '512Mi');
    });

    test.each([[5], [40], [120]])('killed %i ms after a wish, it comes to the same end', async (ms) => {
      const guest = lab.guest('accepting');
      wish(guest, '896Mi');
      await reaches(guest, 'Converged', '896Mi');
      for (const memory of ['1152Mi', '896Mi']) {
        wish(guest, memory);
        await delay(ms);
        daemon.kill('SIGKILL');
        await daemon.whenEnded;
        await start();
        await reaches(guest, 'Converged', memory);
      }
      expect(await guest.moduleAliases()).toEqual(['ua-dimmer-0']);
      wish(guest, '512Mi');
      await reaches(guest, 'Converged', '512Mi');
    });

    test('another instance leaves the VM alone, and says the way out', async () => {
      const guest = lab.guest('accepting');
      wish(guest, '640Mi');
      await reaches(guest, 'Converged', '640Mi');
      await daemon.stop(15_000);
      state = `${state}-lost`;
      wish(guest, '768Mi');
      await start();
      const left = await reaches(guest, 'ClaimedByOther', '768Mi');
      expect(readyOf(left)?.message).toContain('dimmer agent release');
      const uri = `qemu:///system?socket=${lab.hypervisor.socketPath}`;
      await runProgram(['agent', 'release', guest.uuid, `--libvirt-uri=${uri}`]);
      wish(guest, '512Mi');
      await reaches(guest, 'Converged', '512Mi', 90_000);
    });
  },
  ['hypervisor'],
);
