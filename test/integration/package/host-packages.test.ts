/**
 * The `.deb` and the `.rpm` on a machine that a real systemd runs, typed as docs/operations.md says: installed, configured
 * with certificates of `dimmer pki`, upgraded, removed. rpm does it there as well, though the machine is a Debian.
 */
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createHttpsHost } from '../../../src/host/http/client.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { openTlsFiles } from '../../../src/runtime/tls-files.ts';
import { codeOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import { type LabMachine, startMachine } from '../../lab/machine.ts';
import { runOk, run } from '../../lab/run.ts';
import { waitFor } from '../../lab/wait.ts';
import { type Checkout, copyCheckout } from '../../support/checkout.ts';
import { commandsOf, documented, patternOf, type Snippet } from '../../support/documents.ts';

const desk = '/srv/admin';
const patienceMs = 45_000;
const unit = 'dimmer-agent';
/** What `npm run packages` is told here: nothing is made small, which would take a minute. */
const quick = '--compression none';
const epoch = { SOURCE_DATE_EPOCH: '1790000000' };
// What packs and what looks through the packages takes half a minute of a processor, of which three other files have their part.
vi.setConfig({ testTimeout: 400_000 });

await describeLab(
  'packages for hosts',
  () => {
    let directory: string;
    let admin: string;
    let checkout: Checkout;
    let machine: LabMachine;

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'dimmer-host-packages-'));
      admin = join(directory, 'admin');
      mkdirSync(admin);
      checkout = copyCheckout(directory);
      const [made] = commandsOf(documented('docs/operations.md', 'npm run packages'));
      await checkout.shOk(`${made?.command ?? ''} -- ${quick} --output-dir ${admin}`, epoch);
      await checkout.shOk(`node scripts/packages.ts ${quick} --revision 2 --output-dir ${admin}`, epoch);
      machine = await startMachine({ shows: { [desk]: admin } });
      // What a Debian knows of what it has, as far as our package asks for it; what this one starts is not up to a policy.
      const needed = ['libc6', 'libgcc-s1', 'libstdc++6', 'systemd', 'init-system-helpers'];
      const status = await runOk('dpkg-query', ['--status', ...needed]);
      writeFileSync(join(admin, 'status'), status);
      await shOk(
        `mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates; cp status /var/lib/dpkg/; rm -f /usr/sbin/policy-rc.d`,
      );
      await shOk(
        'mkdir -p /etc/systemd/system-preset; echo "disable *" > /etc/systemd/system-preset/99-default-disable.preset',
      );
      for (const name of ['dimmer-agent.service', 'dimmer-standalone.service']) {
        // The machine's systemd looks for units here alone.
        symlinkSync(`/usr/lib/systemd/system/${name}`, join(machine.etcDirectory, 'systemd/lab', name));
      }
    });
    afterAll(async () => {
      await machine.stop();
      rmSync(directory, { recursive: true });
    });

    const shOk = async (command: string): Promise<string> => {
      const { code, stdout, stderr } = await machine.run('sh', ['-euc', `cd ${desk}\n${command}`], {
        timeoutMs: 150_000,
      });
      expect(code, `${command}\n${stdout}${stderr}`).toBe(0);
      return stdout;
    };
    /** Types what a console shows, and compares what is printed with what is said to be. */
    const type = async (snippet: Snippet, varies: readonly RegExp[] = []): Promise<void> => {
      for (const { command, printed } of commandsOf(snippet)) {
        const answer = await shOk(command);
        if (printed !== '') expect(answer).toMatch(patternOf(printed, varies));
      }
    };
    const property = async (name: string): Promise<string> =>
      (await shOk(`systemctl show --property ${name} --value ${unit}`)).trim();
    const stateOf = async (): Promise<string> => (await machine.run('systemctl', ['is-active', unit])).stdout.trim();
    const fileNamed = (pattern: RegExp): string => readdirSync(admin).find((name) => pattern.test(name)) ?? 'missing';
    /** Asks the agent as the controller would, with the folder that `dimmer pki controller` made. */
    const controllerIs = async (code: string): Promise<void> => {
      const port = await machine.relayPort(9443);
      const [certFile, keyFile, caFile] = ['tls.crt', 'tls.key', 'ca.crt'].map((name) =>
        join(directory, 'controller', name),
      );
      const tls = openTlsFiles(
        { certFile: certFile ?? '', keyFile: keyFile ?? '', caFile: caFile ?? '' },
        systemClock,
        silentLogger,
      );
      const client = createHttpsHost({
        address: `https://127.0.0.1:${port}`,
        tlsServerName: 'hv-07.example.net',
        tls,
        clock: systemClock,
      });
      try {
        let last = '';
        await waitFor(async () => (last = codeOf(await client.facts())) === code, {
          ...{ what: `the agent to answer ${code}`, timeoutMs: patienceMs, details: () => last },
        });
      } finally {
        await client.close();
        tls.close();
      }
    };

    test('the same commit gives the same bytes, whoever builds it; linters find nothing in them that has no reason', async () => {
      // Node's own binary would take a minute to pack, and another to be looked through.
      const stub = join(directory, 'stub');
      mkdirSync(join(stub, 'bin'), { recursive: true });
      cpSync('/bin/true', join(stub, 'bin/node'));
      writeFileSync(join(stub, 'LICENSE'), 'none\n');
      const build = async (name: string, how: string): Promise<readonly (readonly [string, string])[]> => {
        const output = join(directory, name);
        const command = `node scripts/packages.ts --node ${stub}/bin/node --output-dir ${output}`;
        await checkout.shOk(`${how}; ${command}`, epoch);
        return readdirSync(output).map((file) => [file, readFileSync(join(output, file)).toString('base64')] as const);
      };
      const one = await build('one', 'umask 022');
      const other = await build('other', 'umask 077; export TZ=Asia/Tokyo LANG=de_DE.UTF-8');
      expect(one).toHaveLength(2);
      expect(one).toEqual(other);

      const [rpm, deb] = one.map(([file]) => join(directory, 'one', file)).toSorted();
      const rules = join(checkout.directory, 'scripts/packages/rpm/rpmlint.toml');
      const lintian = await run('lintian', ['--tag-display-limit', '0', deb ?? ''], { timeoutMs: 150_000 });
      expect(lintian.stdout).toBe('');
      const rpmlint = await run('rpmlint', ['--config', rules, rpm ?? ''], { timeoutMs: 150_000 });
      expect(rpmlint.stdout).toMatch(/ 0 errors, 0 warnings/);
    });

    test('the .deb is installed, and nothing is started before it is configured', async () => {
      await type(documented('docs/operations.md', 'dpkg --install dimmer'));
      expect(await stateOf()).toBe('inactive');
      expect(await shOk('id --name --groups dimmer')).toMatch(/\blibvirt\b/);
      expect(await shOk('stat --format="%U:%G %a" /etc/dimmer /etc/dimmer/vms')).toBe(
        'root:dimmer 750\nroot:root 755\n',
      );
      expect(await shOk('dpkg --verify dimmer')).toBe('');
      for (const file of [
        'bash-completion/completions/dimmer',
        'man/man1/dimmer.1.gz',
        'doc/dimmer/copyright',
        'doc/dimmer/operations.md',
      ]) {
        await shOk(`test -s /usr/share/${file}`);
      }
      expect(await shOk('kubectl-dimmer --version')).toMatch(/^kubectl dimmer /);
      expect(await shOk('kubectl_complete-dimmer sta')).toContain('status');
    });

    test('certificates are made without a CA, and brought to the host', async () => {
      await shOk('mkdir -p /root/pki-desk');
      const made = documented('docs/operations.md', 'dimmer pki init example.net');
      for (const { command, printed } of commandsOf(made)) {
        expect(await shOk(`cd /root/pki-desk; ${command}`)).toMatch(patternOf(printed, [/\d{4}-\d\d-\d\d/]));
      }
      // As the guide says, in the folder that was copied.
      const install = documented('docs/operations.md', 'install -d -m 0750 -g dimmer');
      for (const { command } of commandsOf(install)) await shOk(`cd /root/pki-desk/pki/agents/*; ${command}`);
      const files = (
        await shOk('cat /root/pki-desk/pki/controller/tls.crt /root/pki-desk/pki/controller/tls.key')
      ).split(/(?<=-----END CERTIFICATE-----\n)/);
      mkdirSync(join(directory, 'controller'));
      writeFileSync(join(directory, 'controller/tls.crt'), files[0] ?? '');
      writeFileSync(join(directory, 'controller/tls.key'), files[1] ?? '');
      writeFileSync(join(directory, 'controller/ca.crt'), await shOk('cat /root/pki-desk/pki/ca.crt'));
    });

    test('configured, it is started by its unit, and serves the controller', async () => {
      const env = join(machine.etcDirectory, 'dimmer/agent.env');
      const sample = readFileSync(env, 'utf8');
      const flags = documented('docs/operations.md', 'DIMMER_AGENT_FLAGS=').text;
      expect(sample).toContain(`\n#${flags}\n`);
      writeFileSync(env, sample.replace('\n#DIMMER', '\nDIMMER'));
      await shOk(documented('docs/operations.md', '`systemctl enable --now dimmer-agent`').text);
      expect(await stateOf()).toBe('active');
      await controllerIs('hypervisor-unreachable');
      // Its own Node, whatever else is on the PATH.
      expect(await shOk(`readlink /proc/${await property('MainPID')}/exe`)).toBe('/usr/lib/dimmer/bin/node\n');
      expect(
        await shOk('test -s "$(systemctl show --property Documentation --value dimmer-agent | sed s,file://,,)"'),
      ).toBe('');
    });

    test('a renewed certificate is taken up where it is put', async () => {
      const shown = async (): Promise<string> => {
        const port = await machine.relayPort(9443);
        return run('sh', [
          '-c',
          `openssl s_client -connect 127.0.0.1:${port} </dev/null 2>/dev/null | openssl x509 -noout -serial`,
        ]).then(({ stdout }) => stdout);
      };
      const before = await shown();
      const pid = await property('MainPID');
      const [renewed] = commandsOf(documented('docs/operations.md', '$ dimmer pki agent hv-07.example.net --renew'));
      await shOk(`cd /root/pki-desk; ${renewed?.command ?? ''}`);
      const install = commandsOf(documented('docs/operations.md', 'install -d -m 0750 -g dimmer'));
      for (const { command } of install) await shOk(`cd /root/pki-desk/pki/agents/*; ${command}`);
      let now = '';
      await waitFor(async () => (now = await shown()) !== before && now !== '', {
        ...{ what: 'the new certificate to be shown', timeoutMs: patienceMs, details: () => now, intervalMs: 500 },
      });
      expect(await property('MainPID')).toBe(pid);
      expect(await shOk(`cd /root/pki-desk; ${documented('docs/operations.md', '`dimmer pki list`').text}`)).toContain(
        'hv-07.example.net',
      );
      await controllerIs('hypervisor-unreachable');
    });

    test('an upgrade restarts what runs, and leaves alone what an admin has written', async () => {
      const before = await property('MainPID');
      const env = join(machine.etcDirectory, 'dimmer/agent.env');
      appendFileSync(env, '# mine\n');
      await shOk(`dpkg --install ${fileNamed(/-2_amd64\.deb$/)}`);
      expect(await stateOf()).toBe('active');
      expect(await property('MainPID')).not.toBe(before);
      expect(readFileSync(env, 'utf8')).toMatch(/# mine\n$/);
      await controllerIs('hypervisor-unreachable');
    });

    test('removed, it is stopped; purged, what is left is what an admin has brought', async () => {
      await type(documented('docs/operations.md', 'dpkg --remove dimmer'));
      expect(await stateOf()).toBe('inactive');
      expect((await machine.run('sh', ['-c', 'ls /usr/lib/dimmer /usr/bin/dimmer'])).code).not.toBe(0);
      await shOk('test -s /etc/dimmer/agent.env');
      await shOk('dpkg --purge dimmer');
      expect((await shOk('ls /etc/dimmer')).split('\n')).toEqual(['ca.crt', 'tls.crt', 'tls.key', '']);
      expect(await shOk('find /etc/systemd/system -path "*.wants/dimmer*"')).toBe('');
      // Only here: a unit that systemd has by a link from elsewhere gets another when it is enabled.
      await shOk('rm -f /etc/systemd/system/dimmer-agent.service');
      expect(await shOk('id --name --user dimmer')).toBe('dimmer\n');
    });

    test('the .rpm, by rpm in a database of its own: installed, upgraded, erased, with its scriptlets', async () => {
      // rpm warns on a Debian, and knows of nothing that is installed here.
      const rpm = (argv: string) => shOk(`rpm --force-debian --nodeps --dbpath /var/lib/rpm-of-the-test ${argv}`);
      await shOk('userdel dimmer; ! getent group dimmer');
      await rpm(`--install ${fileNamed(/-1\.x86_64\.rpm$/)}`);
      expect(await shOk('stat --format="%U:%G %a" /etc/dimmer /etc/dimmer/agent.env')).toBe(
        'root:dimmer 750\nroot:root 644\n',
      );
      expect(await shOk('id --name --groups dimmer')).toMatch(/\blibvirt\b/);
      expect((await machine.run('systemctl', ['is-enabled', unit])).stdout).toBe('disabled\n');
      // Whatever differs from what the package says: nothing.
      expect(await rpm('--verify dimmer')).toBe('');
      const env = join(machine.etcDirectory, 'dimmer/agent.env');
      writeFileSync(env, readFileSync(env, 'utf8').replace('\n#DIMMER', '\nDIMMER'));
      await shOk(`chgrp dimmer /etc/dimmer/tls.key; systemctl enable --now ${unit}`);
      await controllerIs('hypervisor-unreachable');
      const before = await property('MainPID');
      await rpm(`--upgrade ${fileNamed(/-2\.x86_64\.rpm$/)}`);
      expect([await stateOf(), (await property('MainPID')) === before]).toEqual(['active', false]);
      expect(readFileSync(env, 'utf8')).toMatch(/^DIMMER_AGENT_FLAGS/m);
      await rpm('--erase dimmer');
      expect(await stateOf()).toBe('inactive');
      expect(await shOk('find /etc/systemd/system -name "dimmer*"; ls /etc/dimmer')).toBe(
        'agent.env.rpmsave\nca.crt\ntls.crt\ntls.key\n',
      );
      expect((await machine.run('sh', ['-c', 'ls /usr/lib/dimmer /usr/bin/dimmer'])).code).not.toBe(0);
    });
  },
  ['machine', 'packagers'],
);
