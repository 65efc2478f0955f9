/**
 * docs/operations.md done by an admin who types what it says, on a machine with systemd and libvirt that has no network to
 * fetch anything from. The package is the one that `npm pack` makes.
 */
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createHttpsHost } from '../../../src/host/http/client.ts';
import type { Host } from '../../../src/host/port.ts';
import { openTlsFiles } from '../../../src/runtime/tls-files.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { codeOf, plugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { type LabMachine, startMachine } from '../../lab/machine.ts';
import { createPki } from '../../lab/pki.ts';
import { type CommandResult, SEARCH_PATH } from '../../lab/run.ts';
import { waitFor } from '../../lab/wait.ts';
import { type Checkout, copyCheckout } from '../../support/checkout.ts';
import { commandsOf, documented, patternOf, type Snippet } from '../../support/documents.ts';

/** Where the admin has the package and the certificates. */
const desk = '/srv/admin';
const patienceMs = 45_000;
vi.setConfig({ testTimeout: 180_000 });

const showOwner = 'virsh metadata tenant-1 https://dimmer.dev/xmlns/owner/1';
const flags = documented('docs/operations.md', 'DIMMER_AGENT_FLAGS=').text;
const clientUri = /--allow-client (\S+)/.exec(flags)?.[1] ?? '';

await describeLab(
  'the guide to operations, typed',
  () => {
    let directory: string;
    let checkout: Checkout;
    let machine: LabMachine;
    let lab: Lab;
    let client: Host;

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'dimmer-admin-'));
      checkout = copyCheckout(directory);
      const admin = join(directory, 'admin');
      mkdirSync(admin);
      const pki = await createPki(join(directory, 'pki'), 'example.net');
      const names = { dns: ['localhost'], ip: ['127.0.0.1'] };
      await pki.issue({ name: 'tls', ...names });
      for (const name of ['tls.crt', 'tls.key', 'ca.crt']) cpSync(join(pki.directory, name), join(admin, name));
      const issued = await pki.issue({ name: 'controller', uri: [clientUri] });
      const clientTls = openTlsFiles({ ...issued, caFile: pki.caFile }, systemClock, silentLogger);

      machine = await startMachine({ shows: { [desk]: admin, ...nodeAndNpm() } });
      await machine.runOk('ln', ['-s', '../lib/node_modules/npm/bin/npm-cli.js', '/usr/local/bin/npm']);
      const soon = new Date(Date.now() + 9.5 * 86_400_000);
      const own = await pki.issue({ name: 'own', ...names, notAfter: soon });
      installLibvirtPki(machine.etcDirectory, { ...own, caFile: pki.caFile });

      const small = { kind: 'no-os', nodes: [{ mib: 128, vcpus: 1 }] } as const;
      lab = await startLab({
        hypervisor: { machine, libvirtdConf: documented('docs/operations.md', 'unix_sock_rw_perms').text.split('\n') },
        guests: [
          { kind: 'accepting', name: 'tenant-1', nodes: [{ mib: 4096, vcpus: 1 }], maxMemoryMib: 32 * 1024 },
          { kind: 'accepting', name: 'tenant-2', nodes: [{ mib: 2048, vcpus: 1 }], maxMemoryMib: null },
          { ...small, name: 'other' },
        ],
      });
      for (const [index, size] of [1024, 512, 512].entries())
        await lab.guests[0]?.plugDimm(size, `ua-by-hand-${index}`);
      // As they are where something else has asked for statistics already.
      for (const name of ['tenant-1', 'tenant-2']) {
        await lab.hypervisor.virshOk(['dommemstat', name, '--period', '1', '--live']);
      }
      const port = await machine.relayPort(9443);
      client = createHttpsHost({ address: `https://127.0.0.1:${port}`, tls: clientTls, clock: systemClock });
    });
    afterAll(async () => {
      try {
        await client.close();
        await lab.stop();
      } finally {
        await machine.stop();
        rmSync(directory, { recursive: true });
      }
    });

    const sh = (command: string): Promise<CommandResult> =>
      machine.run('sh', ['-euc', `cd ${desk}\n${command}`], { timeoutMs: 150_000 });
    const shOk = async (command: string): Promise<string> => {
      const { code, stdout, stderr } = await sh(command);
      // systemctl says there what it does.
      expect(code, `${command}\n${stdout}${stderr}`).toBe(0);
      return stdout;
    };
    /** Types what a console shows, and compares what is printed with what is said to be. */
    const type = async (snippet: Snippet): Promise<void> => {
      for (const { command, printed } of commandsOf(snippet)) {
        const answer = await shOk(command);
        if (printed !== '') expect(answer).toMatch(patternOf(printed));
      }
    };
    const agentAnswers = (code = 'ok') =>
      waitFor(async () => codeOf(await client.facts()) === code, {
        ...{ what: `the agent to answer ${code}`, timeoutMs: patienceMs },
      });
    /** Runs agents in the foreground, as typed, for as long as `use` takes. */
    const whileRunning = async (commands: string, use: () => Promise<void>): Promise<CommandResult> => {
      const stop = join(machine.etcDirectory, 'stop');
      const script = `${commands.replace(/&?$/, '&')}
        while [ ! -e /etc/stop ]; do sleep 0.1; done
        for agent in $(jobs -p); do kill -TERM $agent; wait $agent; done`;
      const running = machine.run('bash', ['-uc', `cd ${desk}\n${script}`], { timeoutMs: 120_000 });
      try {
        await use();
      } finally {
        writeFileSync(stop, '');
        await running;
        rmSync(stop);
      }
      return running;
    };

    test('1: `npm pack` makes the package, and it is installed', async () => {
      for (const { command } of commandsOf(documented('docs/operations.md', 'npm pack'))) await checkout.shOk(command);
      const [made, ...others] = readdirSync(checkout.directory).filter((name) => name.endsWith('.tgz'));
      expect(others).toEqual([]);
      cpSync(join(checkout.directory, made ?? ''), join(directory, 'admin', made ?? ''));
      await type(documented('docs/operations.md', 'npm install --global'));
    });

    test('2: its user', async () => {
      await type(documented('docs/operations.md', 'useradd --system'));
      expect(await shOk('id --name --groups dimmer')).toMatch(/\blibvirt\b/);
    });

    test("3: libvirt's socket is one that libvirt opens", async () => {
      const { stdout } = await sh(
        documented('docs/operations.md', '`systemctl is-active virtqemud.socket libvirtd.socket`').text,
      );
      expect(stdout).toBe('inactive\ninactive\n');
      expect(await shOk('stat --format="%G %a" /run/libvirt/libvirt-sock')).toBe('libvirt 770\n');
    });

    test('a VM is tied to a namespace', async () => {
      await type(documented('docs/operations.md', 'xmlns/owner/1 --key dimmer-owner'));
      expect(await shOk(showOwner)).toMatch(/namespace="tenants"/);
    });

    test('the check before anything is changed prints what the guide shows', async () => {
      const [shown] = commandsOf(documented('docs/operations.md', 'runuser -u dimmer -- dimmer agent check'));
      const { command = '', printed = '' } = shown ?? {};
      // Whatever is counted, measured, dated or named.
      const varies = [/\d[\d.-]*(?:[GM]i)?/];
      const { stdout, code } = await waitFor(
        async () => {
          const result = await sh(command);
          return /tenant-2 .* yes$/m.test(result.stdout) && result;
        },
        { what: 'the guests to report', timeoutMs: patienceMs },
      );
      expect(stdout).toMatch(patternOf(printed.replace('on hv-07', 'on ...'), varies));
      expect(stdout).toContain(`'tenant-*' admits 2 of ${lab.guests.length}\n`);
      const verdict = (report: string) => report.trimEnd().split('\n').at(-1);
      expect(verdict(stdout)).toBe(verdict(printed));
      expect(code).toBe(1);
    });

    test("an agent in the foreground, with libvirt's own certificates", async () => {
      const [agent] = commandsOf(documented('docs/operations.md', '$ dimmer agent --allow-client'));
      const { code } = await whileRunning(agent?.command ?? '', async () => {
        await agentAnswers();
        expect(valueOf(await client.listDomains()).map(({ name }) => name)).toContain('tenant-1');
      });
      expect(code).toBe(0);
    });

    test('4 to 6: certificates, what it is told, and a look before the leap', async () => {
      // What the check complained of is out of the way.
      await lab.guests[1]?.destroy();
      await lab.guests[1]?.undefine();
      await type(documented('docs/operations.md', 'install -d -m 0750 -g dimmer'));
      writeFileSync(join(machine.etcDirectory, 'dimmer/agent.env'), `${flags}\n`);
      const [look] = commandsOf(documented('docs/operations.md', 'runuser -u dimmer -- sh -c'));
      expect(await shOk(look?.command ?? '')).toMatch(/\n0 problems, /);
    });

    test('7: the unit is enabled, and the agent listens where it does by default', async () => {
      await type(documented('docs/operations.md', 'systemctl enable --now dimmer-agent'));
      expect(await shOk('systemctl is-active dimmer-agent')).toBe('active\n');
      await agentAnswers();
      expect(await shOk('systemctl show --property StatusText --value dimmer-agent')).toMatch(/0\.0\.0\.0:9443/);
      expect(await shOk('systemctl show --property NRestarts --value dimmer-agent')).toBe('0\n');
      const log = await shOk(documented('docs/operations.md', '`journalctl -u dimmer-agent`').text);
      expect(log).toContain('"agent is listening"');
      const rights = await shOk(documented('docs/operations.md', '`systemd-analyze security dimmer-agent`').text);
      expect(rights).toMatch(/Overall exposure level for dimmer-agent\.service: [\d.]+ OK/);
    });

    test('a VM is claimed, shown and released as it says', async () => {
      // The claim of this test is another namespace's.
      await shOk(`${showOwner} --remove --live --config`);
      const uuid = lab.guests[0]?.uuid ?? '';
      const { revision } = await waitFor(
        async () => {
          const seen = await client.observe(uuid);
          return seen.ok && !seen.value.booting && seen.value.guest?.fresh === true && seen.value;
        },
        { what: 'the guest to report', timeoutMs: patienceMs },
      );
      valueOf(await client.plug(uuid, revision, plugRequest(5, mib(128))));
      const state = documented('docs/operations.md', '`virsh metadata DOMAIN https://dimmer.dev/xmlns/state/1`');
      expect(await shOk(state.text.replace('DOMAIN', 'tenant-1'))).toMatch(/claim/);
      expect(await shOk(`${documented('docs/operations.md', '`virsh dominfo`').text} tenant-1`)).toMatch(
        /^State: +running/m,
      );
      const release = documented('docs/operations.md', '`dimmer agent release UUID`').text;
      expect(release).toBe(documented('docs/user-guide.md', '`dimmer agent release UUID`').text);
      expect(await shOk(release.replace('UUID', uuid))).toMatch(/is released/);
      const xml = await shOk(documented('docs/planner.md', '`virsh dumpxml VM`').text.replace('VM', 'tenant-1'));
      expect(xml).toContain(uuid);
      expect(await shOk(`virsh dumpxml tenant-1 | dimmer plan --domain-xml - --memory 8Gi`)).toMatch(/^Plug /);
    });

    test('a drop-in for the networks that have a controller', async () => {
      const place = join(machine.etcDirectory, 'systemd/system/dimmer-agent.service.d');
      mkdirSync(place);
      writeFileSync(join(place, 'override.conf'), `${documented('docs/operations.md', 'IPAddressDeny=any').text}\n`);
      const restart = documented('docs/operations.md', '`systemctl restart dimmer-agent`').text;
      await shOk(`systemctl daemon-reload; ${restart}`);
      expect(await shOk('systemctl show --property IPAddressAllow --value dimmer-agent')).toContain('10.20.0.0/24');
      await agentAnswers();
    });

    test('agents without libvirt, two beside each other', async () => {
      await shOk('systemctl stop dimmer-agent');
      const snippet = documented('docs/operations.md', '--simulated-vms 21-40');
      const commands = commandsOf(snippet).map(({ command }) => command);
      const { code } = await whileRunning(commands.join('\n'), async () => {
        await agentAnswers();
        const names = valueOf(await client.listDomains()).map(({ name }) => name);
        expect([names.length, names[0]]).toEqual([20, 'accepting-1']);
        await waitFor(async () => (await sh('ss --listening --tcp --numeric')).stdout.includes(':9444'), {
          ...{ what: 'the second agent to listen', timeoutMs: patienceMs },
        });
      });
      expect(code).toBe(0);
    });

    /** A manifest of the guest, renamed to where standalone follows it. */
    const wish = (folder: string, memory: string): void => {
      const uuid = lab.guests[0]?.uuid ?? '';
      const manifest = documented('README.md', 'kind: VirtualMachineMemory').text;
      const text = manifest.replace(/uuid: \S+/, `uuid: ${uuid}`).replace(/memory: \S+/, `memory: ${memory}`);
      writeFileSync(join(folder, '.db-1'), text, { flush: true });
      renameSync(join(folder, '.db-1'), join(folder, 'db-1.yaml'));
    };
    const installed = (): string => join(machine.etcDirectory, 'dimmer/vms');
    const showsReady = (memory: string): Promise<string> =>
      waitFor(
        async () => {
          // As the guide has it: all, then one.
          const [all, one] = commandsOf(documented('docs/operations.md', 'dimmer status db-1'));
          const table = await shOk(all?.command ?? '');
          return (
            new RegExp(`tenants/db-1 .* ${memory} +${memory} +True +Converged`).test(table) && shOk(one?.command ?? '')
          );
        },
        { what: `standalone to show ${memory}`, timeoutMs: patienceMs, intervalMs: 500 },
      );

    test('one host without a cluster, in the foreground', async () => {
      const vms = join(directory, 'admin/vms');
      mkdirSync(vms);
      const host = documented('docs/operations.md', 'metadata: { name: localhost }').text;
      writeFileSync(join(vms, 'localhost.yaml'), host.replace('4Gi', '64Mi'));
      wish(vms, '6400Mi');
      const [standalone] = commandsOf(documented('docs/operations.md', '$ dimmer standalone --manifests vms/'));
      const { code } = await whileRunning(standalone?.command ?? '', async () => {
        await waitFor(async () => (await sh('dimmer status')).code === 0, {
          ...{ what: 'a state directory', timeoutMs: patienceMs },
        });
        expect(await showsReady('6400Mi')).toMatch(/ 5 +128Mi +█/);
      });
      expect(code).toBe(0);
    });

    test('its unit, which goes on with what was done in the foreground', async () => {
      await type(documented('docs/operations.md', 'install -d -m 0755 /etc/dimmer/vms'));
      await shOk('cp vms/localhost.yaml /etc/dimmer/vms/');
      wish(installed(), '6528Mi');
      await type(documented('docs/operations.md', 'systemctl enable --now dimmer-standalone'));
      expect(await shOk('systemctl is-active dimmer-standalone')).toBe('active\n');
      await showsReady('6528Mi');
      expect(await shOk('systemctl show --property NRestarts --value dimmer-standalone')).toBe('0\n');
      expect(await shOk('stat --format=%U /var/lib/dimmer')).toBe('dimmer\n');
      expect(await shOk('systemd-analyze verify dimmer-standalone.service 2>&1')).toBe('');
      expect(await shOk('systemd-analyze security dimmer-standalone')).toMatch(
        /Overall exposure level for dimmer-standalone\.service: [\d.]+ OK/,
      );
      await shOk('systemctl kill --signal KILL dimmer-standalone');
      wish(installed(), '6656Mi');
      await showsReady('6656Mi');
    });

    test('a drop-in for agents of other hosts', async () => {
      const place = join(machine.etcDirectory, 'systemd/system/dimmer-standalone.service.d');
      mkdirSync(place);
      writeFileSync(
        join(place, 'override.conf'),
        `${documented('docs/operations.md', 'MemoryDenyWriteExecute=no').text}\n`,
      );
      await shOk('systemctl daemon-reload; systemctl restart dimmer-standalone');
      wish(installed(), '6784Mi');
      await showsReady('6784Mi');
    });

    test('uninstalled, nothing of it runs, and the VM has what it had', async () => {
      await shOk('systemctl disable --now dimmer-standalone; rm /etc/systemd/system/dimmer-standalone.service');
      const memory = await lab.guests[0]?.memTotalKiB();
      const uninstall = documented('docs/operations.md', 'systemctl disable --now dimmer-agent');
      const { text } = documented('docs/operations.md', '`npm uninstall --global --prefix /usr dimmer`');
      expect(commandsOf(uninstall).at(-1)?.command).toBe(text);
      await type(uninstall);
      expect((await sh('ls /usr/bin/dimmer /usr/lib/node_modules/dimmer')).code).not.toBe(0);
      expect(await shOk('systemctl list-units --all "dimmer*.service" --state=active --no-legend')).toBe('');
      expect(await lab.guests[0]?.memTotalKiB()).toBe(memory);
    });
  },
  ['hypervisor', 'machine'],
);

/** The tests' own Node where systemd looks for it, and the npm of this machine. */
function nodeAndNpm(): Record<string, string> {
  for (const place of SEARCH_PATH.split(delimiter)) {
    try {
      const npm = dirname(dirname(realpathSync(join(place, 'npm'))));
      return { '/usr/local/bin/node': process.execPath, '/usr/local/lib/node_modules/npm': npm };
    } catch {
      // Not here.
    }
  }
  throw new Error('there is no npm on the PATH');
}

/** Certificates where libvirt has its own, which are the agent's by default; here its group may read the key. */
function installLibvirtPki(etc: string, files: { certFile: string; keyFile: string; caFile: string }): void {
  for (const place of ['pki/CA', 'pki/libvirt/private']) mkdirSync(join(etc, place), { recursive: true });
  cpSync(files.caFile, join(etc, 'pki/CA/cacert.pem'));
  cpSync(files.certFile, join(etc, 'pki/libvirt/servercert.pem'));
  const key = join(etc, 'pki/libvirt/private/serverkey.pem');
  cpSync(files.keyFile, key);
  // The group libvirt of the machine, of which the agent's user is a member (machine-etc.ts).
  chownSync(key, 0, 150);
  chmodSync(key, 0o640);
}
