/** Standalone and the agent of another host, both as they ship. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
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
