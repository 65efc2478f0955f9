/** `dimmer standalone` and `dimmer status` as they ship. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { defaultStateDir } from '../../../src/cmd/standalone/state-dir.ts';
import { waitFor } from '../../lab/wait.ts';
import { builtMain, runProgram } from '../../support/built-program.ts';

let root: string;
let state: string;
let log = '';
let child: ChildProcess | null = null;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dimmer-standalone-'));
  state = join(root, 'state');
  mkdirSync(join(root, 'vms'));
});
afterEach(async () => {
  await end('SIGKILL');
  rmSync(root, { recursive: true });
});

async function start(options: readonly string[] = [], node: readonly string[] = []): Promise<void> {
  log = '';
  const driver = ['--driver=simulated', '--simulated-vms=demo'];
  const args = ['standalone', `--manifests=${join(root, 'vms')}`, `--state-dir=${state}`, ...driver, ...options];
  const started = spawn(process.execPath, [...node, builtMain, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  started.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  child = started;
  await waitFor(() => log.includes('standalone is ready'), {
    what: 'it to be ready',
    timeoutMs: 15_000,
    details: () => log,
  });
}
async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
  const ending = child;
  child = null;
  if (ending === null) return null;
  const ended = once(ending, 'close') as Promise<[number | null]>;
  ending.kill(signal);
  return (await ended)[0];
}
function edit(name: string, memory: string, digit = 1): void {
  const text = `apiVersion: dimmer.dev/v1alpha1\nkind: VirtualMachineMemory\nmetadata: {name: ${name}}\nspec:\n  virtualMachine: {uuid: 00000000-0000-4000-8000-0000000000d${digit}}\n  memory: ${memory}\n`;
  writeFileSync(join(root, 'aside'), text, { flush: true });
  renameSync(join(root, 'aside'), join(root, 'vms', `${name}.yaml`));
}
const status = (...args: readonly string[]) => runProgram(['status', `--state-dir=${state}`, ...args]);
const reaches = (name: string, memory: string) =>
  waitFor(async () => new RegExp(`default/${name} .* ${memory} +True +Converged`).test((await status()).stdout), {
    ...{ what: `${name} to have ${memory}`, timeoutMs: 15_000, intervalMs: 200 },
    details: () => log.slice(-2_000),
  });

test('from a manifest to memory, killed in between, and what it says of it', async () => {
  edit('web', '2Gi');
  await start();
  await reaches('web', '2Gi');
  edit('web', '1Gi');
  await waitFor(() => readFileSync(join(state, 'simulated-host.json'), 'utf8').includes('"leaving"'), {
    ...{ what: 'a module to leave', timeoutMs: 10_000, intervalMs: 5 },
  });
  await end('SIGKILL');
  expect((await status('web')).stdout).toContain("Note: no 'dimmer standalone' runs: this is what was last known.");
  await start();
  await reaches('web', '1Gi');
  expect((await status('web', '-o', 'json')).stdout).toMatch(/"from": "2Gi",\n +"to": "1Gi"/);
  expect(await end('SIGTERM')).toBe(0);
});

test('a second one over the same state directory is refused by name', async () => {
  await start();
  const driver = ['--driver=simulated', `--manifests=${join(root, 'vms')}`, `--state-dir=${state}`];
  expect(await runProgram(['standalone', ...driver])).toEqual({
    ...{ exit: 1, stdout: '' },
    stderr: `dimmer standalone: the state directory ${state} is used by another dimmer standalone (process ${child?.pid ?? 0})\n`,
  });
});

test('metrics and probes', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  server.close();
  writeFileSync(join(root, 'vms/bad.yaml'), 'a: [');
  await start([`--metrics-bind-address=127.0.0.1:${port}`, `--health-probe-bind-address=127.0.0.1:${port}`]);
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(metrics).toMatch(/^dimmer_standalone_manifest_problems 1$/m);
  expect(metrics).toMatch(/^controller_runtime_active_workers/m);
  expect((await status()).stdout).toMatch(/Manifests that do not count\n {2}! bad\.yaml:1:5 /);
});

test('observe-only changes nothing', async () => {
  edit('web', '2Gi');
  await start(['--observe-only']);
  await waitFor(async () => (await status()).stdout.includes('Paused'), { what: 'Paused', timeoutMs: 10_000 });
  expect((await status('web')).stdout).toMatch(/^ {2}current +1Gi: boot 1Gi/m);
});

test('it loads neither the client of an API server nor what speaks HTTPS', async () => {
  const preload = pathToFileURL(join(import.meta.dirname, '../../support/loaded-modules.ts')).href;
  await start([], ['--import', preload]);
  await end('SIGTERM');
  const line = log.split('\n').find((text) => text.includes('loaded modules')) ?? '{}';
  const { modules, packages } = JSON.parse(line) as Record<'modules' | 'packages', readonly string[]>;
  expect(packages).toContain('@bufbuild/cel');
  expect(modules).toContain('api/v1alpha1/reasons.ts');
  expect(modules.filter((path) => path.startsWith('view/'))).toEqual([]);
  expect(
    packages.filter((name) => ['@kubernetes/client-node', 'fastify', 'undici', 'xmlbuilder2'].includes(name)),
  ).toEqual([]);
});

describe('status', () => {
  test('of nothing, of a name that is not there, and in other forms', async () => {
    await start();
    expect((await status()).stdout).toBe('No manifest of a VirtualMachineMemory counts.\n');
    expect(await status('web')).toMatchObject({
      ...{ exit: 1, stderr: "dimmer status: there is no resource web; 'dimmer status' lists them\n" },
    });
    edit('web', '2Gi');
    await reaches('web', '2Gi');
    expect((await status('default/web', '-o', 'yaml')).stdout).toMatch(/^apiVersion: dimmer\.dev\/v1alpha1\nkind: V/);
    const list = JSON.parse((await status('-o', 'json')).stdout) as { readonly items: readonly unknown[] };
    expect(list.items).toHaveLength(1);
    const wide = await status('-o', 'wide');
    expect(wide.stdout).toMatch(/HOST +BOOT +MAX +SLOTS +MESSAGE\n.* localhost +1Gi +64Gi +\d+\/16 +the guest has 2Gi/);
  });

  test('what only looks loads no package but for YAML', async () => {
    edit('web', '2Gi');
    await start();
    await reaches('web', '2Gi');
    const preload = pathToFileURL(join(import.meta.dirname, '../../support/loaded-modules.ts')).href;
    const env = { NODE_OPTIONS: `--import=${preload}` };
    for (const line of ['status', 'status web', 'plan web', 'why web', 'events web', 'hosts', 'resize web 1300Mi']) {
      const { stderr } = await runProgram([...line.split(' '), `--state-dir=${state}`], { env });
      expect([line, JSON.parse(stderr)]).toMatchObject([line, { packages: [] }]);
    }
  });
});

describe("in an operator's hand", () => {
  const dimmer = (...args: readonly string[]) => runProgram([...args, `--state-dir=${state}`]);
  const manifest = (name: string) => readFileSync(join(root, `vms/${name}.yaml`), 'utf8');

  test('a resize that is waited for, and what is said of it', async () => {
    edit('web', '2Gi # two');
    await start();
    await reaches('web', '2Gi');
    const plan = await dimmer('plan', 'web', '--memory=1280Mi');
    expect([plan.exit, plan.stderr]).toEqual([0, '']);
    expect(plan.stdout).toMatch(
      /^Steps\n +1\. unplug +512Mi +slot 3 +then 1536Mi\n +2\. unplug +256Mi +slot 2 +then 1280Mi$/m,
    );
    expect(plan.stdout).toMatch(/^ {2}guest +can spare the 768Mi that leave/m);
    expect(JSON.parse((await dimmer('plan', 'web', '--memory=1280Mi', '-o=json')).stdout)).toMatchObject({
      ...{ decision: 'unplug', resultMemory: '1280Mi' },
    });
    const grown = await dimmer('resize', 'web', '3Gi', '--yes', '--wait');
    expect([grown.exit, grown.stderr]).toEqual([0, '']);
    expect(grown.stdout).toMatch(/asks for 3Gi now, in web\.yaml\.\n(?:.*\n)*.* 3Gi, Converged: the guest has 3Gi/);
    expect(manifest('web')).toMatch(/^ {2}memory: 3Gi # two$/m);
    const shrunk = await dimmer('resize', 'web', '1280Mi', '--yes', '--wait', '--timeout=30s');
    expect([shrunk.exit, shrunk.stderr]).toEqual([0, '']);
    // Asked for already, and there already.
    expect((await dimmer('resize', 'web', '1280Mi', '--wait')).stdout).toContain('asks for 1280Mi already.');
    expect((await dimmer('why', 'web')).stdout).toMatch(/ wants 1280Mi and has 1280Mi\. Nothing stands in\s+between/);
    expect((await dimmer('events', 'web')).stdout).toMatch(/^ +\d+s +Converged +resized from 1Gi to 2Gi$/m);
    const events = JSON.parse((await dimmer('events', 'web', '-o', 'json')).stdout) as readonly object[];
    expect(events[0]).toMatchObject({ type: 'Normal', reason: 'Converged' });
    expect((await dimmer('hosts')).stdout).toMatch(/^NAME .* WAITING\nlocalhost +True +256Gi/);
  });

  test('a size that can not be had, or not yet, or not without a yes', async () => {
    edit('web', '2Gi');
    edit('db', '2Gi', 2);
    edit('cache', '4Gi', 3);
    await start();
    await reaches('web', '2Gi');
    await reaches('db', '2Gi');
    await reaches('cache', '4Gi');
    const unreachable = await dimmer('resize', 'web', '1300Mi', '--yes', '--wait');
    expect([unreachable.exit, manifest('web')]).toEqual([2, expect.stringContaining('memory: 2Gi')]);
    expect(unreachable.stdout).toMatch(
      /Nothing is changed: 1300Mi can't be had; the nearest sizes are 1280Mi and\s1408Mi\.\n$/,
    );
    expect(await dimmer('resize', 'web', '3Gi')).toMatchObject({
      ...{ exit: 1, stderr: 'Nothing is changed: where nobody can be asked, --yes says that it is meant.\n' },
    });
    expect(manifest('web')).toContain('memory: 2Gi');
    for (const [argv, problem] of [
      [['web', 'much'], "SIZE: 'much' is not a quantity"],
      [['web', '3Gi', '--timeout=soon'], "--timeout: 'soon' is not a duration"],
      [['nobody', '3Gi'], 'there is no resource nobody'],
    ] as const) {
      expect((await dimmer('resize', ...argv, '--yes')).stderr).toContain(`dimmer resize: ${problem}`);
    }

    const refused = await dimmer('resize', 'db', '1Gi', '--yes', '--wait');
    expect([refused.exit, refused.stderr]).toEqual([2, '']);
    expect(refused.stdout).toMatch(/GuestRefused: [^]*The guest doesn't have 1Gi, which is still asked for\./);
    expect((await dimmer('why', 'db')).stdout).toMatch(/The\s+guest\s+refused\s+\S+\s+\(512Mi,\s+slot\s+0\)\s+once/);

    const held = await dimmer('resize', 'cache', '2Gi', '--yes');
    expect(held.exit).toBe(3);
    expect(held.stdout).toMatch(/^ {2}guest +can't spare the 2Gi that would leave/m);
    expect(held.stdout).toContain('Steps, once the guest can spare them');
    expect((await dimmer('resize', 'cache', '2Gi', '--wait', '--timeout=3s')).exit).toBe(4);
  });

  test('on a terminal it asks; what GitOps owns needs more than --yes', async () => {
    edit('web', '2Gi');
    await start();
    await reaches('web', '2Gi');
    const typed = (answer: string, ...args: readonly string[]) => {
      const line = [process.execPath, builtMain, 'resize', 'web', ...args, `--state-dir=${state}`];
      const words = line.map((word) => `'${word}'`).join(' ');
      return spawnSync('script', ['-qec', words, '/dev/null'], {
        ...{ input: answer, encoding: 'utf8' },
        env: { ...process.env, TERM: 'xterm', NO_COLOR: '1' },
      });
    };
    const no = typed('n\n', '3Gi');
    expect(no.stdout).toContain('Resize default/web to 3Gi? [y/N]');
    expect([no.status, manifest('web')]).toEqual([1, expect.stringContaining('memory: 2Gi')]);
    const yes = typed('y\n', '3Gi');
    expect([yes.status, manifest('web')]).toEqual([0, expect.stringContaining('memory: 3Gi')]);
    await reaches('web', '3Gi');

    const path = join(root, 'vms/web.yaml');
    const owned = manifest('web').replace(
      '{name: web}',
      '{name: web, labels: {kustomize.toolkit.fluxcd.io/name: vms}}',
    );
    writeFileSync(path, owned);
    await waitFor(async () => (await status('web', '-o=json')).stdout.includes('fluxcd'), {
      what: 'the label',
      timeoutMs: 20_000,
    });
    const skipped = await dimmer('resize', 'web', '2Gi', '--yes');
    expect(skipped).toMatchObject({ exit: 1, stderr: expect.stringContaining('--force-conflicts says') as string });
    expect(skipped.stdout).toContain('WARNING  Flux manages it (kustomize.toolkit.fluxcd.io/name: vms).');
    expect(manifest('web')).toBe(owned);
    expect(typed('n\n', '2Gi', '--yes').stdout).toContain('Resize default/web to 2Gi? [y/N]');
    expect((await dimmer('resize', 'web', '2Gi', '--yes', '--force-conflicts', '--wait')).exit).toBe(0);
  });

  test('a manifest that says something else than what was shown, and one that nobody reads', async () => {
    edit('web', '2Gi');
    await start();
    await reaches('web', '2Gi');
    await end('SIGTERM');
    const unread = await dimmer('resize', 'web', '3Gi', '--yes', '--wait');
    expect([unread.exit, unread.stdout]).toEqual([3, expect.stringContaining("no 'dimmer standalone' runs")]);
    // Now it says 3Gi, which nobody has read.
    const changed = await dimmer('resize', 'web', '4Gi', '--yes');
    expect([changed.exit, changed.stderr]).toEqual([
      1,
      expect.stringContaining('was changed by somebody else meanwhile'),
    ]);
    expect(manifest('web')).toContain('memory: 3Gi');
  });

  test('--watch shows it anew when it has changed', async () => {
    edit('web', '2Gi');
    await start();
    await reaches('web', '2Gi');
    const watching = spawn(process.execPath, [builtMain, 'status', '--watch', `--state-dir=${state}`]);
    let shown = '';
    watching.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
    const sees = (text: string) =>
      waitFor(() => shown.includes(text), { what: text, timeoutMs: 20_000, details: () => shown });
    await sees('2Gi     2Gi      True   Converged');
    edit('web', '3Gi');
    await sees('3Gi     3Gi      True   Converged');
    edit('db', '2Gi', 2);
    await sees('default/db ');
    const ended = once(watching, 'close') as Promise<[number | null]>;
    watching.kill('SIGINT');
    expect((await ended)[0]).toBe(0);
  });
});

test.each([
  [{ STATE_DIRECTORY: '/var/lib/x:/var/lib/y' }, false, '/var/lib/x'],
  [{}, true, '/var/lib/dimmer'],
  [{ XDG_STATE_HOME: '/home/u/state' }, false, '/home/u/state/dimmer'],
])('the state directory of %j is %s', (environment, isRoot, path) => {
  expect(defaultStateDir(environment, isRoot)).toBe(path);
});
