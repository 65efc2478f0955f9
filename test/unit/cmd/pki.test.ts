/** `dimmer pki`: files, their modes, what is never overwritten, and what is said. */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runPki } from '../../../src/cmd/pki/run-pki.ts';

let directory: string;
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'dimmer-pki-')), 'pki');
});
afterEach(() => rmSync(join(directory, '..'), { recursive: true }));

type Ran = { readonly exit: number; readonly stdout: string; readonly stderr: string };

async function pki(...argv: string[]): Promise<Ran> {
  let [stdout, stderr] = ['', ''];
  const io = {
    stdin: process.stdin,
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    signal: new AbortController().signal,
  };
  const exit = await runPki([...argv, '--dir', directory], io);
  return { exit, stdout: stdout.replaceAll(directory, 'pki'), stderr: stderr.replaceAll(directory, 'pki') };
}
const done = async (...argv: string[]): Promise<string> => {
  const { exit, stdout, stderr } = await pki(...argv);
  expect([exit, stderr]).toEqual([0, '']);
  return stdout;
};
const read = (path: string): string => readFileSync(join(directory, path), 'utf8');
const certificate = (path: string): X509Certificate => new X509Certificate(read(path));
const modes = (): Record<string, string> =>
  Object.fromEntries(
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .toSorted()
      .map((path) => [path, (statSync(join(directory, path)).mode & 0o777).toString(8)]),
  );
const all = (): Record<string, string> =>
  Object.fromEntries(
    Object.keys(modes())
      .filter((path) => /\.(crt|key)$/.test(path))
      .map((path) => [path, read(path)]),
  );
const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

test('makes a CA, an agent and a controller, in files that only their owner can read the keys of', async () => {
  const before = process.umask(0);
  try {
    expect(await done('init', 'example.net')).toBe(
      `pki/ca.crt: the CA of example.net, until ${inDays(3650)}; hosts and controller trust it\n` +
        'pki/ca.key: its key; whoever has it can make certificates\n',
    );
    expect(await done('agent', 'hv-07.example.net', '--also', '10.0.0.7')).toBe(
      `pki/agents/hv-07.example.net: for the agent at hv-07.example.net, 10.0.0.7, until ${inDays(365)}; its files go to ` +
        '/etc/dimmer there\n',
    );
    expect(await done('controller')).toBe(
      `pki/controller: for the controller, until ${inDays(365)}; agents are told --allow-client ` +
        'spiffe://example.net/dimmer/controller\n',
    );
  } finally {
    process.umask(before);
  }
  const folder = { 'ca.crt': '644', 'tls.crt': '644', 'tls.key': '600' };
  const under = (name: string) =>
    Object.fromEntries(Object.entries(folder).map(([file, mode]) => [join(name, file), mode]));
  expect(modes()).toEqual({
    ...{ 'ca.crt': '644', 'ca.key': '600', agents: '700', 'agents/hv-07.example.net': '700', controller: '700' },
    ...{ ...under('agents/hv-07.example.net'), ...under('controller') },
  });
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(certificate('agents/hv-07.example.net/tls.crt').checkIssued(certificate('ca.crt'))).toBe(true);
  expect(read('controller/ca.crt')).toBe(read('ca.crt'));
  expect(certificate('ca.crt').subjectAltName).toBe('URI:spiffe://example.net');
});

test('overwrites nothing', async () => {
  await done('init', 'example.net');
  await done('agent', 'hv-07');
  await done('controller');
  const before = all();
  for (const argv of [['init', 'example.net'], ['init', 'other.net'], ['agent', 'hv-07'], ['controller']]) {
    const { exit, stdout, stderr } = await pki(...argv);
    expect([exit, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^dimmer pki: pki\/\S+ is there already, and stays as it is; --renew .*\n$/);
  }
  expect(all()).toEqual(before);
  expect(Object.keys(modes()).filter((path) => path.startsWith('.'))).toEqual([]);
});

test('a file in the way of a folder stays, too', async () => {
  await done('init', 'example.net');
  mkdirSync(join(directory, 'agents'));
  writeFileSync(join(directory, 'agents/hv-07'), 'mine');
  expect((await pki('agent', 'hv-07')).stderr).toContain('is there already');
  expect(read('agents/hv-07')).toBe('mine');
});

test('renews with a new key for the same names, and for others where they are given', async () => {
  await done('init', 'example.net');
  await done('agent', 'hv-07', '--also', '2001:db8::7');
  await done('controller', '--uri', 'spiffe://example.net/x');
  const before = all();
  expect(await done('agent', 'hv-07', '--renew')).toContain('hv-07, 2001:DB8:0:0:0:0:0:7,');
  await done('controller', '--renew', '--days', '10');
  const after = all();
  for (const path of ['agents/hv-07/tls.key', 'agents/hv-07/tls.crt', 'controller/tls.key', 'controller/tls.crt']) {
    expect(after[path]).not.toBe(before[path]);
  }
  expect(certificate('controller/tls.crt').subjectAltName).toBe('URI:spiffe://example.net/x');
  await done('agent', 'hv-07', '--also', '10.0.0.7', '--renew');
  expect(certificate('agents/hv-07/tls.crt').subjectAltName).toBe('DNS:hv-07, IP Address:10.0.0.7');
  expect(Object.values(modes()).filter((mode) => !['600', '644', '700'].includes(mode))).toEqual([]);
});

test('a renewed CA has the same key, and its certificate goes into every folder', async () => {
  await done('init', 'example.net', '--days', '100');
  await done('agent', 'hv-07');
  await done('controller');
  const before = all();
  expect(await done('init', '--renew')).toContain(`until ${inDays(3650)}`);
  expect(read('ca.key')).toBe(before['ca.key']);
  expect(read('ca.crt')).not.toBe(before['ca.crt']);
  expect([read('agents/hv-07/ca.crt'), read('controller/ca.crt')]).toEqual([read('ca.crt'), read('ca.crt')]);
  expect(certificate('agents/hv-07/tls.crt').verify(certificate('ca.crt').publicKey)).toBe(true);
  expect((await pki('init', 'other.net', '--renew')).stderr).toContain('the CA is that of example.net');
});

test('no certificate outlives its CA', async () => {
  await done('init', 'example.net', '--days', '100');
  expect(await done('agent', 'hv-07')).toContain(`until ${inDays(100)}`);
});

test('lists what there is, and fails where something is to be renewed', async () => {
  await done('init', 'example.net');
  await done('agent', 'hv-07', '--days', '20');
  await done('controller');
  const { exit, stdout } = await pki('list');
  expect(exit).toBe(1);
  expect(stdout.split('\n').map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
    `ca.crt ${inDays(3650)} 3649 days spiffe://example.net`,
    `agents/hv-07/tls.crt ${inDays(20)} 19 days, renew it hv-07`,
    `controller/tls.crt ${inDays(365)} 364 days spiffe://example.net/dimmer/controller`,
    '',
  ]);
  expect((await pki('list', '--within', '10')).exit).toBe(0);
});

test.each([
  [[], 'takes one of init, agent, controller, list'],
  [['init'], 'init: TRUST-DOMAIN is missing'],
  [['init', 'Example.net'], "'Example.net' is not a trust domain"],
  [['init', 'a', 'b'], 'init takes one TRUST-DOMAIN'],
  [['agent'], 'agent: NAME is missing'],
  [['agent', '../x'], "'../x' is not a host's name or IP address"],
  [['agent', 'x', '--also', 'a b'], "'a b' is not a host's name"],
  [['controller', 'x'], 'controller takes no arguments'],
  [['controller', '--uri', 'x'], "--uri: 'x' is not spiffe://TRUST-DOMAIN/PATH"],
  [['controller', '--days', '0'], "--days: '0' is not a number of days"],
  [['list', '--renew'], "Unknown option '--renew'"],
  [['agent', 'x'], "ca.key is not there; 'dimmer pki init' makes a CA"],
  [['init', '--renew'], 'ca.key is not there'],
])('%j: %s', async (argv, problem) => {
  const { exit, stdout, stderr } = await pki(...argv);
  expect([exit, stdout]).toEqual([1, '']);
  expect(stderr).toContain(problem);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
});

test('says so where there is nothing to renew, and where ca.crt is of somebody else', async () => {
  await done('init', 'example.net');
  expect((await pki('agent', 'hv-07', '--renew')).stderr).toContain("can't be renewed: there is no certificate");
  await done('agent', 'hv-07');
  for (const text of [read('agents/hv-07/tls.crt'), 'no certificate']) {
    writeFileSync(join(directory, 'ca.crt'), text);
    expect((await pki('agent', 'hv-08')).stderr).toContain('do not fit');
  }
});
