/** `kubectl dimmer console`, the built program, over a real API server and the user's own kubectl. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConsoleEvent, type EventName, paths } from '../../../src/console/wire.ts';
import { run } from '../../lab/run.ts';
import { builtMain } from '../../support/built-program.ts';
import { ask, changeCode, streamOf } from '../../support/console-bench.ts';
import { type DimmerCluster, eventually, memory, startClusterWithOne } from './support/dimmer-cluster.ts';

type Data<K extends EventName> = Extract<ConsoleEvent, { event: K }>['data'];
type Shown = { readonly metadata: Record<string, unknown>; readonly spec: Record<string, unknown> };

/** The program, its link opened, and all that the page heard. */
class RunningConsole {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly heard: ConsoleEvent[] = [];
  output = '';
  port = 0;
  code = '';
  secret = '';
  readonly #ending = new AbortController();

  constructor(env: Readonly<Record<string, string>>, ...args: readonly string[]) {
    const program = join(dirname(builtMain), 'kubectl-dimmer.js');
    this.child = spawn(process.execPath, [program, 'console', ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
  }

  async open(): Promise<this> {
    const link = await eventually(
      'the link',
      () => /http:\/\/127\.0\.0\.1:(\d+)\/#code=(\S+)/.exec(this.output) ?? undefined,
      () => this.output,
    );
    [this.port, this.code] = [Number(link[1]), link[2] ?? ''];
    this.secret = (JSON.parse((await changeCode(this.port, this.code)).body) as { secret: string }).secret;
    void this.#listen();
    return this;
  }

  async #listen(): Promise<void> {
    try {
      for await (const event of streamOf(this.port, this.secret, this.#ending.signal)) this.heard.push(event);
    } catch {
      // The end of the console.
    }
  }

  /** The last that was heard of a kind. */
  last<K extends EventName>(event: K): Data<K> | undefined {
    return this.heard.findLast((each) => each.event === event)?.data as Data<K> | undefined;
  }

  /** A resource as it was heard of last. */
  shown(name: string): { readonly object: Shown; readonly writers: readonly { what: string }[] } | undefined {
    const items = this.heard.flatMap(({ event, data }) =>
      event === 'resources' ? data.items : event === 'resource' ? [data.item] : [],
    );
    const found = items.findLast(({ object }) => (object as Shown).metadata['name'] === name);
    return found as ReturnType<RunningConsole['shown']>;
  }

  hears<T>(what: string, probe: () => T | undefined | false): Promise<T> {
    return eventually(what, probe, () => JSON.stringify(this.heard.slice(-4)).slice(0, 4_000) + this.output);
  }

  async post(
    path: string,
    body: object,
  ): Promise<{ readonly status: number; readonly answer: Record<string, unknown> }> {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${this.secret}` };
    const sent = await ask(this.port, path, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: sent.status, answer: JSON.parse(sent.body) as Record<string, unknown> };
  }

  /** Asks for a size onto what was heard of it last. */
  setMemory(name: string, size: string, more: { readonly dryRun?: boolean; readonly force?: boolean } = {}) {
    const resourceVersion = this.shown(name)?.object.metadata['resourceVersion'];
    const rest = { resourceVersion, dryRun: false, force: false, ...more };
    return this.post(paths.memory, { namespace: 't', name, memory: size, ...rest });
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.#ending.abort();
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill(signal);
      await once(this.child, 'close');
    }
    return this.child.exitCode;
  }
}

let plane: DimmerCluster;
let env: Record<string, string>;
let console: RunningConsole;

/** Boot 1 GiB and a module of 1 GiB: nothing lies between. */
const status = {
  observedGeneration: 1,
  memory: { boot: '1Gi', plugged: '1Gi', current: '2Gi' },
  reachable: { complete: true, ranges: ['1Gi', '2Gi'].map((size) => ({ from: size, to: size, step: '128Mi' })) },
};
const stored = async (name = 'db') => (await plane.get('vmmem', name, '-n', 't')) as unknown as Shown;

beforeAll(async () => {
  plane = await startClusterWithOne('db', { isOwn: true });
  await plane.putStatus('vmmem', 'db', status, 't');
  const path = [dirname(plane.kubectlPath), process.env['PATH'] ?? ''].join(delimiter);
  env = { PATH: path, KUBECONFIG: plane.adminKubeconfig, HOME: plane.directory };
  console = await new RunningConsole(env).open();
  await console.hears('all there is', () => console.shown('db') !== undefined);
});
afterAll(async () => {
  await console.end();
  await plane.stop();
});

it('shows all that the user may see, and hears what changes', async () => {
  expect(console.last('hello')).toMatchObject({ place: 'cluster', title: 'lab, all namespaces', canEdit: true });
  await console.hears('the host', () => JSON.stringify(console.last('hosts')).includes('"hv"'));
  await plane.apply(memory('other', 't', { memory: '1Gi' }));
  await console.hears('another', () => console.shown('other') !== undefined);
  await plane.kubectlOk(['delete', 'vmmem', 'other', '-n', 't']);
  await console.hears('that it is gone', () => console.last('gone')?.name === 'other');
  expect(JSON.stringify(console.heard)).not.toContain('managedFields');
});

describe('a size', () => {
  it('that the API server refuses is refused in its words, by a dry run, and nothing is written', async () => {
    const refusal = await console
      .hears('the admission to be in force', () => console.shown('db') !== undefined)
      .then(() =>
        eventually('a refusal', async () => {
          const { answer } = await console.setMemory('db', '1536Mi', { dryRun: true });
          return answer['outcome'] === 'refused' ? answer : undefined;
        }),
      );
    expect(refusal['message']).toMatch(
      /denied request: .*makes 1536Mi; nearest sizes that can be reached: 1Gi and 2Gi/,
    );
    expect((await console.setMemory('db', '1Gi', { dryRun: true })).answer).toEqual({
      outcome: 'set',
      by: 'in the cluster',
    });
    expect((await stored()).spec['memory']).toBe('2Gi');
  });

  it('is written as a person does it', async () => {
    expect((await console.setMemory('db', '3Gi')).answer).toEqual({ outcome: 'set', by: 'in the cluster' });
    const { spec, metadata } = await stored();
    expect(spec['memory']).toBe('3Gi');
    expect(JSON.stringify(metadata['managedFields'])).toContain('"manager":"dimmer-console"');
    const shown = await console.hears(
      'its own change',
      () => console.shown('db')?.object.spec['memory'] === '3Gi' && console.shown('db'),
    );
    expect(shown.writers).toEqual([]);
  });

  it("is not put over somebody else's, whose name is told before it is taken from them", async () => {
    const before = console.shown('db')?.object.metadata['resourceVersion'];
    const theirs = memory('db', 't', { memory: '4Gi' });
    const { code, output } = await plane.tryApply(
      theirs,
      '--server-side',
      '--force-conflicts',
      '--field-manager=argocd-controller',
    );
    expect([code, output]).toEqual([0, expect.any(String)]);
    await console.hears('their change', () => console.shown('db')?.object.spec['memory'] === '4Gi');
    const late = { namespace: 't', name: 'db', memory: '5Gi', resourceVersion: before, dryRun: false, force: true };
    expect((await console.post(paths.memory, late)).answer).toMatchObject({
      outcome: 'changed',
      item: { object: { spec: { memory: '4Gi' } } },
    });
    const writers = [{ what: 'argocd-controller writes its size' }];
    expect((await console.setMemory('db', '5Gi')).answer).toEqual({ outcome: 'owned', writers });
    expect((await stored()).spec['memory']).toBe('4Gi');
    expect((await console.setMemory('db', '5Gi', { force: true })).answer).toMatchObject({ outcome: 'set' });
    expect((await stored()).spec['memory']).toBe('5Gi');
  });
});

it('pauses, resumes and asks for another try', async () => {
  const wish = async (what: string) => {
    const { answer } = await console.post(paths.annotation, { namespace: 't', name: 'db', what });
    expect([what, answer]).toEqual([what, { outcome: 'set' }]);
    return (await stored()).metadata['annotations'] ?? {};
  };
  expect(await wish('pause')).toMatchObject({ 'dimmer.dev/paused': 'true' });
  expect(await wish('resume')).not.toHaveProperty(['dimmer.dev/paused']);
  const now = expect.stringMatching(/^20\d\d-.*Z$/) as string;
  expect(await wish('retry')).toMatchObject({ 'dimmer.dev/reconcile-requested-at': now });
  expect(await wish('observe')).toMatchObject({ 'dimmer.dev/observe-requested-at': now });
  expect((await console.post(paths.events, { namespace: 't', name: 'db' })).answer).toEqual({ items: [] });
});

it('gives a user the rights of that user, and says which they lack', async () => {
  const kubeconfig = await plane.createKubeconfigForUser('ann');
  await plane.kubectlOk(['create', 'rolebinding', 'ann', '-n', 't', '--clusterrole=dimmer-view', '--user=ann']);
  const [nowhere, within] = await Promise.all([
    new RunningConsole(env, '--kubeconfig', kubeconfig).open(),
    new RunningConsole(env, '--kubeconfig', kubeconfig, '-n', 't').open(),
  ]);
  try {
    await nowhere.hears('that she may see nothing', () => nowhere.last('connection')?.state === 'forbidden');
    expect(nowhere.last('connection')?.message).toMatch(
      /^virtualmachinememories\.dimmer\.dev is forbidden: User "ann"/,
    );
    expect(nowhere.last('resources')).toBeUndefined();
    await within.hears('what she may see', () => within.shown('db') !== undefined);
    expect(within.last('hello')).toMatchObject({ title: 'lab, t', canEdit: false });
    expect(within.last('hosts')).toEqual({ items: null });
    expect((await within.setMemory('db', '6Gi', { dryRun: true, force: true })).answer).toMatchObject({
      outcome: 'refused',
      message: expect.stringMatching(/"db" is forbidden: User "ann" cannot patch/) as string,
    });
  } finally {
    await Promise.all([nowhere.end(), within.end()]);
  }
});

it("hands the page nothing of the user's credentials, and has no log", async () => {
  const { users } = JSON.parse(readFileSync(plane.adminKubeconfig, 'utf8')) as {
    readonly users: readonly { readonly user: Readonly<Record<'client-certificate' | 'client-key', string>> }[];
  };
  const files = users.flatMap(({ user }) => [user['client-certificate'], user['client-key']]);
  const inside = files.flatMap((file) => readFileSync(file, 'utf8').split('\n'));
  const credentials = [...files, ...inside.filter((line) => /^[\w+/=]{16,}$/.test(line))];
  expect(credentials.length).toBeGreaterThan(4);
  const page = await ask(console.port, '/');
  for (const told of [JSON.stringify(console.heard), page.body, console.output])
    for (const each of credentials) expect(told).not.toContain(each);
  // After all that was asked for and answered here.
  expect(console.output.replace(console.code, 'CODE')).toBe(
    `Open this link within a minute; it works once:\n\n  http://127.0.0.1:${console.port}/#code=CODE\n\n` +
      'Enter prints another, Ctrl-C ends the console.\n',
  );
});

it('loads what speaks to an API server, and nothing of a host or of a standalone', async () => {
  const preload = pathToFileURL(join(import.meta.dirname, '../../support/loaded-modules.ts')).href;
  const other = await new RunningConsole({ ...env, NODE_OPTIONS: `--import=${preload}` }).open();
  expect(await other.end()).toBe(0);
  const line = other.output.split('\n').find((text) => text.includes('loaded modules')) ?? '{}';
  const { modules, packages } = JSON.parse(line) as Record<'modules' | 'packages', readonly string[]>;
  expect(modules).toContain('console/cluster/cluster-watch.ts');
  const foreign = /^(agent|controllers|drivers|libvirt|pki|standalone|console\/(standalone|page))\//;
  expect(modules.filter((path) => foreign.test(path))).toEqual([]);
  expect(packages.filter((name) => ['@kubernetes/client-node', '@bufbuild/cel', 'xmlbuilder2'].includes(name))).toEqual(
    [],
  );
});

it('says that the API server is gone, keeps what is known, and hears what was missed when it is back', async () => {
  await plane.killApiServer();
  await console.hears('that it is gone', () => console.last('connection')?.state === 'lost');
  const sent = await console.setMemory('db', '6Gi', { force: true });
  expect([sent.status, sent.answer]).toEqual([
    502,
    { error: expect.stringMatching(/^the API server does not answer: /) as string },
  ]);
  await plane.restartApiServer();
  await plane.apply(memory('late', 't', { memory: '1Gi' }));
  await console.hears('what was missed', () => console.shown('late') !== undefined);
  await console.hears('that it is back', () => console.last('connection')?.state === 'live');
});

describe('another user of this machine', () => {
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  const asNobody = (...words: readonly string[]) => run('setpriv', [...nobody, ...words]);
  const childrenOf = (pid: number): readonly number[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  const family = () => [console.child.pid ?? 0, ...childrenOf(console.child.pid ?? 0)];
  const argumentsOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');

  it('reads in /proc nothing that opens anything', async () => {
    const pids = family();
    expect(pids.map(argumentsOf).join('\n')).toMatch(/kubectl proxy --unix-socket=/);
    for (const pid of pids) {
      const { stdout } = await asNobody('cat', `/proc/${pid}/cmdline`);
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
      for (const each of [console.code, console.secret]) {
        expect(stdout).not.toContain(each);
        expect(environment).not.toContain(each);
      }
      expect((await asNobody('cat', `/proc/${pid}/environ`)).code).not.toBe(0);
    }
  });

  it("can't come to the user's API server: it is a socket in a folder that is shut, and no port", async () => {
    const [, proxy = 0] = family();
    const [, socket = ''] = /--unix-socket=(\S+)/.exec(argumentsOf(proxy)) ?? [];
    expect(statSync(dirname(socket)).mode & 0o777).toBe(0o700);
    expect(existsSync(socket)).toBe(true);
    expect((await asNobody('ls', dirname(socket))).stderr).toContain('Permission denied');
    const listening = ['tcp', 'tcp6'].flatMap((kind) =>
      readFileSync(`/proc/net/${kind}`, 'utf8')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .filter(([, , , state]) => state === '0A')
        .map((columns) => `socket:[${columns[9] ?? ''}]`),
    );
    const own = readdirSync(`/proc/${proxy}/fd`).map((fd) => readlinkSync(`/proc/${proxy}/fd/${fd}`));
    expect(own.filter((name) => listening.includes(name))).toEqual([]);
  });

  it('finds nothing left of a console that was killed', async () => {
    const [, proxy = 0] = family();
    await console.end('SIGKILL');
    await eventually(
      'the end of kubectl proxy',
      () => !existsSync(`/proc/${proxy}`),
      () => argumentsOf(proxy),
    );
  });
});
