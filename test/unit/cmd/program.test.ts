/** The program `dimmer` around its commands: versions, help, and how it ends when something is wrong. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, cpSync, globSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { Linter } from 'eslint';
import { describe, expect, test } from 'vitest';
import { readHelp } from '../../../src/cmd/completion/help-text.ts';
import { helpOf } from '../../../src/cmd/program.ts';
import { builtMain, runProgram } from '../../support/built-program.ts';

const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8')) as {
  readonly version: string;
};
const plan = ['plan', '--boot=1Gi', '--memory=2Gi'];
/** NODE_OPTIONS that run a piece of JavaScript before the program. */
const before = (code: string) => ({ NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` });

test.each([['--version'], ['version']])('%s', async (name) => {
  expect(await runProgram([name])).toEqual({ exit: 0, stdout: `dimmer ${manifest.version}\n`, stderr: '' });
});

test.each([
  [['--help'], 'COMMAND'],
  [['-h'], 'COMMAND'],
  [['help'], 'COMMAND'],
  [['plan', '--help'], 'plan NAME'],
  [['plan', '-h'], 'plan NAME'],
  [['agent', '--help'], 'agent --allow-client'],
  [['agent', 'check', '--help'], 'agent --allow-client'],
  [['agent', 'release', '--help'], 'agent --allow-client'],
  [['controller', '--help'], 'controller [OPTIONS]'],
  [['standalone', '--help'], 'standalone --manifests DIR'],
  [['status', '--help'], 'status [NAME]'],
  [['adopt', '--help'], 'adopt [--output-dir DIR]'],
])('%j says how it is used', async (argv, usage) => {
  const { exit, stdout, stderr } = await runProgram(argv);
  expect([exit, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(new RegExp(`^Usage: dimmer ${usage.replace('[', '\\[').replace(']', '\\]')}`));
});

describe.each([
  ['standalone', ['controller', 'agent', 'standalone', 'adopt', 'pki', 'completion'], ['agent check', 'pki init']],
  ['cluster', [], []],
] as const)('the help of each command (%s)', async (place, more, tasksOfMore) => {
  const own = await helpOf([], place);
  const names = readHelp(own, []).commands.map(({ name }) => name);
  const helps = await Promise.all(names.map(async (name) => [name, await helpOf([name], place)] as const));
  // `dimmer agent check`: a usage line says that there is one.
  const tasks = helps.flatMap(([name, help]) =>
    readHelp(help, [name]).first.flatMap((word) => (/^[a-z]+$/.test(word) ? [`${name} ${word}`] : [])),
  );

  test('they are all there', () => {
    expect(names).toEqual(expect.arrayContaining(['status', 'plan', 'console', ...more]));
    expect(tasks).toEqual(expect.arrayContaining([...tasksOfMore]));
  });

  test('fits 80 columns, that of its tasks, too', async () => {
    const ofTasks = tasks.map(async (words) => [words, await helpOf(words.split(' '), place)] as const);
    for (const [words, help] of [['', own] as const, ...helps, ...(await Promise.all(ofTasks))]) {
      expect([words, help.slice(0, 7)]).toEqual([words, 'Usage: ']);
      expect([words, help.split('\n').filter((line) => line.length > 80)]).toEqual([words, []]);
    }
  });

  test.each(helps)('%s has examples', (_, help) => {
    expect(help).toMatch(/^Examples:\n {2}(?:kubectl )?dimmer /m);
  });
});

test.each([
  [['frobnicate'], "dimmer: unknown command 'frobnicate'"],
  [['constructor'], "dimmer: unknown command 'constructor'"],
  [['plan', '--frobnicate'], "dimmer plan: Unknown option '--frobnicate'"],
  [['agent'], 'dimmer agent: --allow-client is required'],
  [['agent', '--frobnicate'], "dimmer agent: Unknown option '--frobnicate'"],
  [['agent', 'release'], 'dimmer agent: release takes one UUID'],
  [['agent', 'release', 'x'], "dimmer agent: 'x' is not a UUID"],
  [['controller'], 'dimmer controller: --agent-client-cert-file is required'],
  [['controller', '--frobnicate'], "dimmer controller: Unknown option '--frobnicate'"],
  [['standalone'], 'dimmer standalone: --manifests is required'],
  [['standalone', '--manifests=/nowhere'], 'dimmer standalone: --manifests: /nowhere is not a directory'],
  [['standalone', '--manifests=/', '--driver=xen'], "dimmer standalone: --driver: 'xen' is not libvirt or simulated"],
  [
    ['standalone', '--manifests=/', `--agent-ca-file=${import.meta.filename}`],
    'dimmer standalone: --agent-ca-file needs --agent-client-cert-file',
  ],
  [['status', 'a', 'b'], 'dimmer status: takes one NAME at most'],
  [['status', '-o', 'xml'], "dimmer status: --output: 'xml' is not json, yaml or wide"],
  [['status', '--state-dir=/nowhere'], "dimmer status: /nowhere is no state directory of 'dimmer standalone'"],
  [['adopt', 'x'], "dimmer adopt: Unexpected argument 'x'"],
  [['adopt', '--agent=http://hv-1'], "dimmer adopt: --agent: 'http://hv-1' is not the address of an agent"],
  [['adopt', '--agent=https://hv-1'], 'dimmer adopt: --agent needs --agent-client-cert-file'],
  [['adopt', '--agent=https://hv-1', '--libvirt-uri=x'], 'dimmer adopt: --libvirt-uri is not for --agent'],
  [['adopt', '--agent-ca-file=x'], 'dimmer adopt: --agent-ca-file is only for --agent'],
  [['adopt', '--namespace=A'], "dimmer adopt: --namespace: 'A' is no name"],
  [['adopt', '--libvirt-uri=qemu:///system?socket=/nowhere'], 'dimmer adopt: libvirt: there is no /nowhere'],
  [['agent', '--allow-client=urn:x', '--tls-cert-file=/nowhere'], 'dimmer agent: --tls-cert-file: file /nowhere'],
])('%j is answered with one line', async (argv, problem) => {
  const { exit, stdout, stderr } = await runProgram(argv);
  expect([exit, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^[^\n]+\n$/);
  expect(stderr).toContain(problem);
});

/** A file that can be read and is none of what is asked for. */
const rubbish = join(import.meta.dirname, '../../../README.md');
test.each([
  ['agent', ['--allow-client=urn:x', '--driver=simulated', ...filesOf('tls-cert', 'tls-private-key', 'client-ca')]],
  ['controller', filesOf('agent-client-cert', 'agent-client-key', 'agent-ca')],
])('dimmer %s, that cannot begin, says why in one line, and where with --log-level debug', async (command, argv) => {
  const plain = await runProgram([command, ...argv]);
  expect([plain.exit, plain.stdout]).toEqual([1, '']);
  expect(plain.stderr).toMatch(new RegExp(`^dimmer ${command}: [^\\n]* do not fit together: [^\\n]*\\n$`));
  const debug = await runProgram([command, ...argv, '--log-level=debug']);
  expect(debug.exit).toBe(1);
  expect(debug.stderr).toMatch(/^dimmer \w+: .*\nError: .*\n {4}at /);
});

function filesOf(...flags: readonly string[]): string[] {
  return flags.map((flag) => `--${flag}-file=${rubbish}`);
}

describe('an error that nobody foresaw', () => {
  const broken = before("JSON.stringify = () => { throw new TypeError('no JSON\\n  today'); }");
  const late = before("setTimeout(() => { throw new RangeError('too late'); }, 50)");
  const rejected = before("setTimeout(() => Promise.reject(new Error('nobody listens')), 50)");
  test.each([
    ['in a command', [...plan, '-o', 'json'], broken, 'TypeError: no JSON today'],
    ['in a command', ['plan', '--batch'], broken, 'TypeError: no JSON today'],
    ['in a timer', ['plan', '--batch'], late, 'RangeError: too late'],
    ['in a promise', ['plan', '--batch'], rejected, 'Error: nobody listens'],
  ])('%s: %j ends with one line; the stack is for --log-level debug', async (_, argv, env, problem) => {
    const options = { env, stdin: env === broken ? '{"boot":"1Gi","memory":"1Gi"}\n' : '' };
    const { exit, stdout, stderr } = await runProgram(argv, options);
    expect([exit, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^dimmer plan: unforeseen error, [^\n]+\n$/);
    expect(stderr).toContain(problem);

    for (const flags of [['--log-level=debug'], ['--log-level', 'debug']]) {
      const told = await runProgram([...argv, ...flags], options);
      expect(told.exit).toBe(1);
      expect(told.stderr).toMatch(/^dimmer plan: unforeseen error, [^\n]+\n(?:.*\n)* {4}at /);
    }
    const quiet = await runProgram([...argv, '--log-level=info'], options);
    expect(quiet.stderr).toBe(stderr);
  });

  test('a program that is not whole says so', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'dimmer-part-'));
    try {
      const dist = join(directory, 'dist');
      cpSync(dirname(dirname(builtMain)), dist, { recursive: true });
      cpSync(join(dirname(dirname(dirname(builtMain))), 'package.json'), join(directory, 'package.json'));
      const program = join(dist, 'cmd/main.js');
      expect((await runProgram(plan, { program })).exit).toBe(0);
      for (const chunk of globSync(join(dist, 'chunks/run-plan-*'))) rmSync(chunk);
      const part = await runProgram(plan, { program });
      expect([part.exit, part.stderr]).toEqual([1, expect.stringMatching(/^dimmer plan: .*Cannot find module.*\n$/)]);
      rmSync(join(dist, 'cmd/program.js'));
      const none = await runProgram(plan, { program });
      expect([none.exit, none.stderr]).toEqual([1, expect.stringMatching(/^dimmer: is not installed whole; .*\n$/)]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('an answer that nobody takes', () => {
  test('a full disk is named in one line', () => {
    const full = openSync('/dev/full', 'w');
    try {
      const ran = spawnSync(process.execPath, [builtMain, ...plan], { stdio: ['ignore', full, 'pipe'] });
      expect([ran.status, ran.stderr.toString()]).toEqual([
        1,
        expect.stringMatching(/^dimmer plan: the answer can't be written: ENOSPC[^\n]*\n$/),
      ]);
    } finally {
      closeSync(full);
    }
  });

  test('a reader that has seen enough is no error', () => {
    const lines = `{"boot":"1Gi","memory":"2Gi"}\n`.repeat(5000);
    const shell = `"$0" "$1" plan --batch | head -n 1`;
    const ran = spawnSync('sh', ['-c', shell, process.execPath, builtMain], { input: lines });
    expect(ran.stdout.toString()).toMatch(/^\{"decision":"plug".*\}\n$/);
    expect(ran.stderr.toString()).toBe('');
  });
});

describe('a Node that is too old', () => {
  const versionOf = (node: string) => execFileSync(node, ['--version']).toString().trim().replace(/^v/, '');
  // Whatever this machine has beside the Node of the tests, and that one in the part of an older.
  const others = (process.env['PATH'] ?? '')
    .split(delimiter)
    .flatMap((directory) => globSync(join(directory, 'node')))
    .filter((node) => Number.parseInt(versionOf(node), 10) < 24)
    .map((node) => ({ node, version: versionOf(node), env: {} }));
  const pretended = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } })";
  const played = { node: process.execPath, version: '20.1.0', env: before(pretended) };

  test.each([played, ...others])('$node, $version, says in one line what is needed', async ({ node, version, env }) => {
    for (const argv of [[], ['--version'], ['agent', 'check'], ['controller', '--kubeconfig=x'], plan]) {
      const ran = await runProgram(argv, { node, env });
      expect(ran).toEqual({
        exit: 1,
        stdout: '',
        stderr: expect.stringMatching(/^dimmer: needs Node\.js 24 or newer, but [^\n]+\n$/) as string,
      });
      expect(ran.stderr).toContain(` is version ${version}: `);
    }
  });

  test('can read what the program starts with', () => {
    // ES2020 is what Node 14 knows; what came later would be a SyntaxError in place of the line.
    const languageOptions = { ecmaVersion: 2020, sourceType: 'module' } as const;
    const faults = (text: string) => new Linter().verify(text, { languageOptions });
    const text = readFileSync(builtMain, 'utf8');
    expect(faults(text)).toEqual([]);
    expect(faults(`${text}\nawait 1;`)).toMatchObject([{ fatal: true }]);
    // And it reads nothing else before it has looked.
    expect([...text.matchAll(/\b(?:import|from)\b[\s("']+([^"']+)/g)].map(([, name]) => name)).toEqual([
      './program.js',
    ]);
  });
});
