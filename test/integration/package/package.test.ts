/** What people install: the package that `npm pack` makes holds all that it needs, and every command works from it. */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { mib } from '../../../src/memory/bytes.ts';
import { plugRequest, valueOf } from '../../contract/bench.ts';
import { type ControlPlane, startControlPlane } from '../../lab/control-plane.ts';
import { type Daemon, startDaemon } from '../../lab/daemon.ts';
import { describeLab } from '../../lab/describe.ts';
import { findControlPlane } from '../../lab/control-plane-binaries.ts';
import { type CommandResult, run, runOk } from '../../lab/run.ts';
import { freePorts } from '../../lab/ports.ts';
import { waitFor } from '../../lab/wait.ts';
import { copyCheckout, nodePath } from '../../support/checkout.ts';
import { commandsOf, documented, patternOf } from '../../support/documents.ts';
import { check, installed as checkers, STRANGERS } from '../../strangers/checkers.ts';
import { type AgentPki, controllerUri, createAgentPki } from '../agent/agent-fixture.ts';
import { type AgentProcess, startAgentProcess } from '../agent/agent-process.ts';
import { type InstalledPackage, installPackage } from './installed-package.ts';

const root = join(import.meta.dirname, '../../..');
const uuid = '00000000-0000-4000-8000-000000000001';

// Packing builds, a few seconds each time on a machine with much else to do.
vi.setConfig({ testTimeout: 180_000 });

let installed: InstalledPackage;
let pki: AgentPki;
beforeAll(async () => {
  installed = await installPackage();
  pki = await createAgentPki(installed.directory);
});
afterAll(() => {
  for (const tls of [pki.agentTls, pki.clientTls]) tls.close();
  installed.remove();
});

describe('the package', () => {
  test('is installed without a network, alone, in seconds', () => {
    const { code, stdout, stderr, ms } = installed.installation;
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/added 1 package\b/);
    expect(ms).toBeLessThan(30_000);
    expect(globSync(join(installed.home, '../*'))).toEqual([installed.home]);
    expect(existsSync(join(installed.home, 'node_modules'))).toBe(false);
  });

  test('declares nothing that it contains, and says which Node it needs', () => {
    const manifest = manifestOf(installed.home);
    expect(Object.keys(manifest).filter((field) => /dependencies/i.test(field))).toEqual([]);
    const { name, version, license, engines, bin } = manifestOf(root);
    expect(manifest).toMatchObject({ name, version, license, engines, bin, type: 'module' });
  });

  test('holds what the documents speak of, and nothing of how it is made', () => {
    const files = globSync(join(installed.home, '**')).map((path) => path.slice(installed.home.length + 1));
    for (const file of [
      ...['README.md', 'docs/operations.md', 'docs/openapi/agent-v1.json', 'dist/THIRD-PARTY-LICENSES.txt'],
      'dist/dimmer.cdx.json',
      ...['deploy/agent/dimmer-agent.service', 'deploy/Kustomization', 'crds/Kustomization'],
      ...['LICENSE', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs/api.md', 'docs/glossary.md'],
    ]) {
      expect(files).toContain(file);
    }
    const tops = new Set(files.map((file) => file.split('/')[0] ?? ''));
    expect([...tops].filter((top) => /^(src|test|scripts|node_modules|\..+|.*config.*|.*\.tgz)$/.test(top))).toEqual(
      [],
    );
    expect(readFileSync(join(installed.home, 'LICENSE'), 'utf8')).toBe(readFileSync(join(root, 'LICENSE'), 'utf8'));
    expect(statSync(installed.program).mode & 0o111).toBe(0o111);
  });

  test('is made again with the same bytes, somewhere else, of a checkout of another day', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'dimmer-package-made-again-'));
    try {
      const other = copyCheckout(join(elsewhere, 'deeper'));
      await other.shOk('find . -path ./node_modules -prune -o -type f -exec touch -d 2001-02-03 {} + && npm pack');
      const bytes = (checkout: string) => {
        const [file = ''] = readdirSync(checkout).filter((name) => name.endsWith('.tgz'));
        return createHash('sha512')
          .update(readFileSync(join(checkout, file)))
          .digest('hex');
      };
      expect(bytes(other.directory)).toBe(bytes(installed.checkout.directory));
    } finally {
      rmSync(elsewhere, { recursive: true });
    }
  });

  test("leaves the repository's package.json as it was, also where packing fails; README's preview begins without a build", async () => {
    const { directory, sh, shOk } = installed.checkout;
    const file = join(directory, 'package.json');
    const before = readFileSync(join(root, 'package.json'), 'utf8');
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect((await sh('npm pack --pack-destination /nowhere/at/all')).code).not.toBe(0);
    expect(readFileSync(file, 'utf8')).not.toBe(before);
    rmSync(join(directory, 'dist'), { recursive: true });
    const typed = commandsOf(documented('README.md', 'npm run -s dimmer -- plan'));
    expect(typed[0]?.command).toBe('npm run build');
    for (const { command, printed } of typed) {
      const answer = await shOk(command);
      if (printed !== '') expect(answer).toMatch(patternOf(printed));
    }
    expect(typed.at(-1)?.printed).toContain('Unplug');
    expect([existsSync(`${file}.aside`), readFileSync(file, 'utf8')]).toEqual([false, before]);
    // Nor is lost what somebody wrote there in between. (What a pack and a build do about the manifest, without them.)
    const edited = before.replace('"private": true', '"private": false');
    await shOk('node scripts/pack.ts replace');
    writeFileSync(file, edited);
    await shOk('node scripts/pack.ts restore');
    expect([existsSync(`${file}.aside`), readFileSync(file, 'utf8')]).toEqual([false, edited]);
    writeFileSync(file, before);
  });
});

test('`npm ci` of the README says nothing of engines, under the oldest Node that it names', async () => {
  const old = "Object.defineProperty(process, 'version', { value: 'v20.20.2' })";
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(old)}` };
  const command = documented('docs/operations.md', '`npm ci`').text;
  expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(`\n${command} && npm test\n`);
  const ci = (flags = '') => installed.checkout.sh(`${command} --dry-run --offline --no-audit ${flags}`, env);
  const quiet = await ci();
  expect([quiet.code, quiet.stderr]).toEqual([0, '']);
  // The packages would have something to say.
  expect((await ci('--loglevel=warn')).stderr).toContain('EBADENGINE');
});

describe('its commands', () => {
  const shrink = ['plan', '--boot=1Gi', '--modules=384Mi,256Mi,256Mi', '--memory=1408Mi'];

  test('help and version', async () => {
    const { version } = manifestOf(root);
    expect(await installed.dimmer(['--version'])).toEqual({
      code: 0,
      stdout: `dimmer ${String(version)}\n`,
      stderr: '',
    });
    for (const argv of [[], ['plan'], ['agent'], ['agent', 'check'], ['agent', 'release'], ['controller']]) {
      const { code, stdout, stderr } = await installed.dimmer([...argv, '--help']);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/^Usage: dimmer /);
    }
  });

  test('plan, as text, JSON and YAML', async () => {
    const text = await installed.dimmer(shrink);
    expect([text.code, text.stderr]).toEqual([0, '']);
    expect(text.stdout).toContain('Unplug (Unplugging): unplug 2 x 256Mi (slots 1, 2)');
    const [json, yaml] = await Promise.all(
      ['json', 'yaml'].map((format) => installed.dimmer([...shrink, '-o', format])),
    );
    expect([json?.code, yaml?.code, json?.stderr, yaml?.stderr]).toEqual([0, 0, '', '']);
    expect(JSON.parse(json?.stdout ?? '')).toMatchObject({ decision: 'unplug', resultMemory: '1408Mi' });
    expect(parse(yaml?.stdout ?? '')).toEqual(JSON.parse(json?.stdout ?? ''));
  });

  test('plan, many at once and from a domain', async () => {
    const input = '{"id":1,"boot":"1Gi","memory":"2Gi"}\n{"id":2,"boot":"1Gi"}\n';
    const batch = await installed.dimmer(['plan', '--batch'], { input });
    expect([batch.code, batch.stderr]).toEqual([1, '']);
    expect(batch.stdout).toMatch(/^\{"id":1,"decision":"plug".*\n\{"id":2,"error":"memory: .*\n$/);
    const domain = await installed.dimmer(['plan', '--domain-xml=-', '--memory=2Gi', '-o', 'json'], {
      input: domainXml,
    });
    expect([domain.code, domain.stderr]).toEqual([0, '']);
    expect(JSON.parse(domain.stdout)).toMatchObject({ decision: 'plug', resultMemory: '2Gi' });
  });

  test('agent check and release, where there is no libvirt', async () => {
    const uri = '--libvirt-uri=qemu:///system?socket=/nowhere/sock';
    const check = await installed.dimmer(['agent', 'check', uri, '--allow-client=urn:x']);
    expect([check.code, check.stderr]).toEqual([1, '']);
    expect(check.stdout).toMatch(/problem +libvirt +there is no \/nowhere\/sock/);
    const release = await installed.dimmer(['agent', 'release', uuid, uri]);
    expect([release.code, release.stdout]).toEqual([1, '']);
    expect(release.stderr).toMatch(/^dimmer agent release: libvirt cannot be reached: [^\n]+\n$/);
  });

  test('agent, with simulated VMs', async () => {
    const agent = await startAgentProcess(['--driver=simulated'], pki, { program: installed.program });
    try {
      const { revision } = valueOf(await agent.client.observe(uuid));
      valueOf(await agent.client.plug(uuid, revision, plugRequest(0, mib(512))));
      expect(valueOf(await agent.client.observe(uuid)).layout?.modules).toMatchObject([{ slot: 0, size: mib(512) }]);
    } finally {
      expect(await agent.end('SIGTERM')).toBe(0);
    }
  });

  test('agent, that meets an error nobody foresaw: one line after its log', async () => {
    const late = "setTimeout(() => { throw new RangeError('too\\nlate'); }, 1500)";
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(late)}` };
    const { directory, caFile } = pki.pki;
    const { code, stderr } = await installed.dimmer(
      [
        ...['agent', '--driver=simulated', '--listen=127.0.0.1:0', `--allow-client=${controllerUri}`],
        ...[`--tls-cert-file=${join(directory, 'agent.crt')}`, `--client-ca-file=${caFile}`],
        `--tls-private-key-file=${join(directory, 'agent.key')}`,
      ],
      { env },
    );
    const lines = stderr.trimEnd().split('\n');
    expect(code).toBe(1);
    expect(lines.at(-1)).toMatch(/^dimmer agent: unforeseen error, .*: RangeError: too late$/);
    expect(lines.slice(0, -1).map((line) => (JSON.parse(line) as { msg: string }).msg)).toContain('agent is ready');
  });
});

await describeLab(
  'as a stranger sees it',
  () => {
    test('publint finds nothing, not even to suggest', async () => {
      const [tarball = ''] = readdirSync(installed.checkout.directory).filter((name) => name.endsWith('.tgz'));
      const args = ['--strict', join(installed.checkout.directory, tarball)];
      const { stdout, code } = await check(checkers().publint, args);
      expect([code, stdout]).toEqual([0, expect.stringContaining('All good!')]);
    });
  },
  STRANGERS,
);

await describeLab(
  'by krew',
  () => {
    test('kubectl gets the plugin from our manifest and the archive it speaks of, and nothing else', async () => {
      const desk = join(installed.directory, 'krew');
      const bin = join(desk, 'bin');
      mkdirSync(bin, { recursive: true });
      symlinkSync(checkers().krew[0], join(bin, 'kubectl-krew'));
      symlinkSync((await findControlPlane())?.kubectl ?? '', join(bin, 'kubectl'));
      symlinkSync(join(root, 'scripts'), join(desk, 'scripts'));
      const [archive = ''] = readdirSync(installed.checkout.directory).filter((name) => name.endsWith('.tgz'));
      copyFileSync(join(installed.checkout.directory, archive), join(desk, archive));
      const KREW_ROOT = join(desk, 'krew');
      const env = { PATH: [bin, join(KREW_ROOT, 'bin'), nodePath].join(delimiter), KREW_ROOT, HOME: desk };
      const sh = (command: string): Promise<CommandResult> => run('sh', ['-euc', command], { cwd: desk, env });

      const [fill, install] = commandsOf(documented('docs/operations.md', 'node scripts/krew.ts'));
      expect(await sh(fill?.command ?? '')).toMatchObject({ code: 0, stderr: '' });
      // What is published is at the manifest's address; krew takes it from here, and compares it all the same.
      const here = `${install?.command ?? ''} --archive=${archive}`;
      writeFileSync(join(desk, 'other.tgz'), 'another archive');
      const refused = await sh(here.replace(archive, 'other.tgz'));
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain('checksum does not match');
      const done = await sh(here);
      expect([done.code, done.stderr]).toEqual([0, expect.stringContaining('Installed plugin: dimmer')]);

      const { version } = manifestOf(root);
      expect(await sh('kubectl dimmer version')).toMatchObject({
        code: 0,
        stdout: `kubectl dimmer ${String(version)}\n`,
        stderr: '',
      });
      expect((await sh('kubectl plugin list')).stdout).toContain(`${KREW_ROOT}/bin/kubectl-dimmer\n`);
      // It lists and removes only beside a list of plugins that it has cloned from the network.
      mkdirSync(join(KREW_ROOT, 'index/default/.git'), { recursive: true });
      expect((await sh('kubectl krew list')).stdout).toMatch(/\bdimmer$/m);
      expect(await sh('kubectl krew uninstall dimmer')).toMatchObject({ code: 0 });
      expect(globSync(join(KREW_ROOT, '{bin,store}/*dimmer*'))).toEqual([]);
    });
  },
  [...STRANGERS, 'control-plane'],
);

await describeLab(
  'its controller, with its manifests and its agent',
  () => {
    let plane: ControlPlane;
    let agent: AgentProcess;
    let controller: Daemon;
    let probe: string;

    beforeAll(async () => {
      plane = await startControlPlane();
      await plane.kubectlOk(['apply', '-k', join(installed.home, 'deploy')]);
      await plane.kubectlOk(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
      agent = await startAgentProcess(['--driver=simulated'], pki, { program: installed.program });
      const kubeconfig = await plane.createKubeconfigForServiceAccount('dimmer-system', 'dimmer-controller');
      const [port = 0] = await freePorts(1);
      probe = `http://127.0.0.1:${port}`;
      controller = await startDaemon({
        name: 'controller',
        command: process.execPath,
        // As kubectl has it: what isn't there counts for nothing.
        env: { KUBECONFIG: `/nowhere/at/all:${kubeconfig}` },
        args: [
          ...[installed.program, 'controller'],
          ...[`--agent-client-cert-file=${join(pki.pki.directory, 'controller.crt')}`],
          ...[`--agent-client-key-file=${join(pki.pki.directory, 'controller.key')}`],
          ...[`--agent-ca-file=${pki.pki.caFile}`, `--health-probe-bind-address=127.0.0.1:${port}`],
        ],
        logFile: join(installed.directory, 'controller.log'),
      });
    });
    afterAll(async () => {
      await controller.stop(15_000);
      await agent.end('SIGTERM');
      await plane.stop();
    });

    test('is ready, and gives a VM its memory', async () => {
      await waitFor(async () => (await fetch(`${probe}/readyz`)).ok, {
        ...{ what: 'the controller to be ready', timeoutMs: 30_000, details: controller.logTail },
      });
      const items = [
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'tenants' } },
        {
          ...{ apiVersion: 'dimmer.dev/v1alpha1', kind: 'HypervisorHost', metadata: { name: 'hv-1' } },
          spec: { address: `https://127.0.0.1:${agent.port}`, allowedNamespaces: { from: 'All' } },
        },
        {
          ...{ apiVersion: 'dimmer.dev/v1alpha1', kind: 'VirtualMachineMemory' },
          metadata: { name: 'vm', namespace: 'tenants' },
          spec: { virtualMachine: { uuid }, memory: '2Gi' },
        },
      ];
      const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
      await plane.kubectlOk(['apply', '-f', '-'], { input });
      const ready = ['wait', '--for=condition=Ready', '--timeout=60s', 'vmmem/vm', '-n', 'tenants'];
      await plane.kubectlOk(ready, { timeoutMs: 70_000 });
      const current = ['get', 'vmmem', 'vm', '-n', 'tenants', '-o', 'jsonpath={.status.memory.current}'];
      expect(await plane.kubectlOk(current)).toBe('2Gi');
      expect(agent.lines.find(({ audit }) => audit === true)).toMatchObject({ client: controllerUri, uuid });
      expect(controller.ended()).toBeNull();
    });

    test('it has said what it met: the API server, the version that the tests are for', () => {
      const log = readFileSync(join(installed.directory, 'controller.log'), 'utf8');
      const met = log.split('\n').filter((line) => line.includes('"versions met here"'));
      expect(met).toHaveLength(1);
      expect(met[0]).toMatch(/"Kubernetes":"v[\d.]+ \(tested\)"/);
    });

    test('certificates of `dimmer pki` get into its Secret, and out of one, as the guide says', async () => {
      const desk = join(installed.directory, 'desk');
      mkdirSync(desk);
      const sh = (command: string): Promise<string> => {
        const PATH = `${dirname(plane.kubectlPath)}:${process.env['PATH'] ?? ''}`;
        const options = {
          cwd: desk,
          env: { KUBECONFIG: plane.adminKubeconfig, PATH },
          timeoutMs: 60_000,
        };
        return runOk('sh', ['-euc', command], options);
      };
      for (const argv of [['init', 'example.net'], ['agent', 'hv-07.example.net'], ['controller']]) {
        expect((await installed.dimmer(['pki', ...argv], { cwd: desk })).code).toBe(0);
      }
      const renewals = commandsOf(documented('docs/operations.md', '$ dimmer pki agent hv-07.example.net --renew'));
      expect(renewals).toHaveLength(3);
      const [put] = commandsOf(documented('docs/operations.md', '--from-file=pki/controller'));
      const held = (name: string): string => readFileSync(join(desk, 'pki/controller', name), 'utf8');
      const files = ['tls.crt', 'tls.key', 'ca.crt'];
      const before = held('tls.crt');
      const holdsThem = async (): Promise<void> => {
        await sh(put?.command ?? '');
        const secret = await sh('kubectl get secret dimmer-agent-client --namespace dimmer-system --output json');
        const { data } = JSON.parse(secret) as { data: Readonly<Record<string, string>> };
        const stored = files.map((name) => Buffer.from(data[name] ?? '', 'base64').toString());
        expect(stored).toEqual(files.map(held));
      };
      await holdsThem();
      for (const { command } of renewals) {
        const argv = command.split(' ').slice(1);
        expect((await installed.dimmer(argv, { cwd: desk })).code).toBe(0);
      }
      expect(held('tls.crt')).not.toBe(before);
      await holdsThem();

      // As cert-manager makes it for an agent.
      await sh(
        'kubectl create secret generic agent-hv-07 --namespace dimmer-system --from-file=pki/agents/hv-07.example.net',
      );
      for (const { command } of commandsOf(documented('docs/operations.md', 'kubectl get secret agent-hv-07')))
        await sh(command);
      for (const name of files) {
        const own = join(desk, 'pki/agents/hv-07.example.net', name);
        expect(readFileSync(join(desk, name), 'utf8')).toBe(readFileSync(own, 'utf8'));
      }
    });
  },
  ['control-plane'],
);

function manifestOf(directory: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Record<string, unknown>;
}

const domainXml = `
  <domain type='qemu' id='3'>
    <name>vm</name><uuid>6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11</uuid><maxMemory slots='4' unit='GiB'>8</maxMemory>
    <memory unit='GiB'>1</memory><os><type arch='x86_64'>hvm</type></os><features><acpi/></features>
    <cpu><numa><cell id='0' memory='1048576' unit='KiB'/></numa></cpu><devices/>
  </domain>`;
