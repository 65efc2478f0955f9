/** Standalone and the agent of another host, both as they ship. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../../lab/wait.ts';
import { builtMain, runProgram } from '../../support/built-program.ts';
import { type AgentPki, createAgentPki } from '../agent/agent-fixture.ts';
import { type AgentProcess, startAgentProcess } from '../agent/agent-process.ts';

let root: string;
let pki: AgentPki;
let agent: AgentProcess;
let child: ChildProcess | null = null;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'dimmer-remote-'));
  pki = await createAgentPki(root);
  agent = await startAgentProcess(['--driver=simulated', '--simulated-vms=5-5'], pki);
  mkdirSync(join(root, 'vms'));
  const host = { address: `https://127.0.0.1:${agent.port}`, allowedNamespaces: { from: 'All' } };
  const objects = [
    { kind: 'HypervisorHost', metadata: { name: 'hv-2' }, spec: host },
    {
      kind: 'VirtualMachineMemory',
      metadata: { name: 'there' },
      spec: { virtualMachine: { name: 'accepting-5' }, hostRef: { name: 'hv-2' }, memory: '2Gi' },
    },
    {
      kind: 'VirtualMachineMemory',
      metadata: { name: 'here' },
      spec: { virtualMachine: { name: 'accepting-1' }, hostRef: { name: 'localhost' }, memory: '2Gi' },
    },
  ];
  const list = {
    apiVersion: 'v1',
    kind: 'List',
    items: objects.map((object) => ({ apiVersion: 'dimmer.dev/v1alpha1', ...object })),
  };
  writeFileSync(join(root, 'vms/all.json'), JSON.stringify(list));
});
afterEach(async () => {
  if (child === null) return;
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  await ended;
  child = null;
});
afterAll(async () => {
  await agent.end('SIGKILL');
  for (const tls of [pki.agentTls, pki.clientTls]) tls.close();
  rmSync(root, { recursive: true });
});

function start(options: readonly string[]): void {
  const args = ['standalone', `--manifests=${join(root, 'vms')}`, `--state-dir=${join(root, 'state')}`];
  child = spawn(process.execPath, [builtMain, ...args, '--driver=simulated', ...options], { stdio: 'ignore' });
}
const shows = (pattern: RegExp): Promise<unknown> => {
  let stdout = '';
  return waitFor(
    async () => {
      ({ stdout } = await runProgram(['status', '-o', 'wide', `--state-dir=${join(root, 'state')}`]));
      return pattern.test(stdout);
    },
    { what: String(pattern), timeoutMs: 20_000, intervalMs: 300, details: () => stdout },
  );
};

test('without a certificate for it the other host is out of reach, and the message says what is missing', async () => {
  start([]);
  await shows(/default\/here +accepting-1 +2Gi +2Gi +True/);
  await shows(/default\/there .* HostUnreachable .*--agent-client-cert-file/);
});

test('with one, VMs of both hosts have what their manifests say', async () => {
  const { directory, caFile } = pki.pki;
  start([
    `--agent-client-cert-file=${join(directory, 'controller.crt')}`,
    `--agent-client-key-file=${join(directory, 'controller.key')}`,
    `--agent-ca-file=${caFile}`,
  ]);
  await shows(/default\/there +accepting-5 +2Gi +2Gi +True +Converged +hv-2/);
  await shows(/default\/here +accepting-1 +2Gi +2Gi +True +Converged +localhost/);
});

test('what adopt writes of the VMs of an agent is what they have, and is written once', async () => {
  const { directory, caFile } = pki.pki;
  const folder = join(root, 'adopted/below');
  const adopt = (...options: readonly string[]) =>
    runProgram([
      ...['adopt', `--agent=https://127.0.0.1:${agent.port}`, `--agent-ca-file=${caFile}`],
      `--agent-client-cert-file=${join(directory, 'controller.crt')}`,
      `--agent-client-key-file=${join(directory, 'controller.key')}`,
      ...options,
    ]);
  const uuid = '00000000-0000-4000-8000-000000000005';

  // The standalone of the test before acts on it.
  const claimed = await adopt();
  expect([claimed.exit, claimed.stdout]).toEqual([0, '']);
  expect(claimed.stderr).toMatch(
    /^dimmer adopt: accepting-5: no manifest: VirtualMachineMemory \S+ in namespace default of/,
  );

  const shown = await adopt('--include-claimed', '--namespace=tenants', '--host-ref=hv-2');
  expect(shown.exit).toBe(0);
  expect(shown.stdout).toMatch(/^# VM accepting-5 as 'dimmer adopt' found it at \S+ \(https:/);
  expect(shown.stdout).toContain(
    `metadata:\n  name: accepting-5\n  namespace: tenants\nspec:\n  virtualMachine:\n    uuid: ${uuid}\n  hostRef:\n    name: hv-2\n  memory: 2Gi\n`,
  );

  const written = await adopt('--include-claimed', `--output-dir=${folder}`);
  expect([written.exit, written.stdout, readdirSync(folder)]).toEqual([0, 'accepting-5.yaml\n', ['accepting-5.yaml']]);
  const text = readFileSync(join(folder, 'accepting-5.yaml'), 'utf8');
  // Below another directory, as standalone reads them, it is known all the same.
  const again = await adopt('--include-claimed', `--output-dir=${join(root, 'adopted')}`);
  expect([again.exit, again.stdout]).toEqual([0, '']);
  expect(again.stderr).toContain('accepting-5.yaml names it already');
  // Somebody else's file is never touched.
  writeFileSync(join(folder, 'accepting-5.yaml'), '# mine\n');
  const refused = await adopt('--include-claimed', `--output-dir=${folder}`);
  expect([refused.exit, refused.stdout]).toEqual([1, '']);
  expect(refused.stderr).toContain('accepting-5.yaml is there already');
  expect(readdirSync(folder)).toEqual(['accepting-5.yaml']);
  expect(readFileSync(join(folder, 'accepting-5.yaml'), 'utf8')).toBe('# mine\n');
  expect(text).toContain(uuid);
});
