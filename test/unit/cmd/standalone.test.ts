/** `dimmer standalone` and `dimmer status` as they ship. */
import { type ChildProcess, spawn } from 'node:child_process';
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
  expect((await status('web')).stdout).toContain('current 1Gi');
});

test('it loads neither the client of an API server nor what speaks HTTPS', async () => {
  const preload = pathToFileURL(join(import.meta.dirname, '../../support/loaded-modules.ts')).href;
  await start([], ['--import', preload]);
  await end('SIGTERM');
  const line = log.split('\n').find((text) => text.includes('loaded modules')) ?? '{}';
  const { packages } = JSON.parse(line) as { readonly packages: readonly string[] };
  expect(packages).toContain('@bufbuild/cel');
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

  test('loads no package but for YAML', async () => {
    await start();
    const preload = pathToFileURL(join(import.meta.dirname, '../../support/loaded-modules.ts')).href;
    const { stderr } = await runProgram(['status', `--state-dir=${state}`], {
      env: { NODE_OPTIONS: `--import=${preload}` },
    });
    expect(JSON.parse(stderr)).toMatchObject({ packages: [] });
  });
});

test.each([
  [{ STATE_DIRECTORY: '/var/lib/x:/var/lib/y' }, false, '/var/lib/x'],
  [{}, true, '/var/lib/dimmer'],
  [{ XDG_STATE_HOME: '/home/u/state' }, false, '/home/u/state/dimmer'],
])('the state directory of %j is %s', (environment, isRoot, path) => {
  expect(defaultStateDir(environment, isRoot)).toBe(path);
});
