/** What may stand where a person has stopped typing: read from the help, which says all that there is. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complete, type Where } from '../../../src/cmd/completion/candidates.ts';
import { readHelp } from '../../../src/cmd/completion/help-text.ts';
import { builtMain, runProgram } from '../../support/built-program.ts';

const plugin = join(dirname(builtMain), 'kubectl-dimmer.js');

describe.each([
  ['dimmer', builtMain],
  ['kubectl dimmer', plugin],
])('%s', async (_, program) => {
  const helpOf = async (words: readonly string[]): Promise<string> =>
    (await runProgram([...words, '--help'], { program })).stdout;
  const ask = async (...words: readonly string[]): Promise<readonly string[]> => {
    const { stdout } = await runProgram(['__complete', ...words], { program });
    const lines = stdout.split('\n');
    expect(lines.slice(-2)).toEqual([':4', '']);
    return lines.slice(0, -2).map((line) => line.split('\t')[0] ?? '');
  };
  const { commands } = readHelp(await helpOf([]), []);

  test('all commands of the help are there', async () => {
    expect(commands.length).toBeGreaterThan(5);
    expect(await ask('')).toEqual(commands.map(({ name }) => name));
  });

  test.each(commands.map(({ name }) => [name]))('%s: every option that its help has, and its values', async (name) => {
    const help = await helpOf([name]);
    const said = new Set([...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option));
    expect(new Set(await ask(name, '--'))).toEqual(said);
    const listed = readHelp(help, [name]).options.filter(({ value }) => ['POLICY', 'FORMAT'].includes(value ?? ''));
    for (const option of listed) expect([option.name, (await ask(name, option.name, '')).length]).not.toContain(0);
  });
});

describe('over a help of its own', () => {
  const texts: Readonly<Record<string, string>> = {
    '': "Usage: kubectl dimmer COMMAND [OPTIONS]\n\nCommands:\n  resize       asks\n  hosts        them\n\n'x' says\n",
    resize: `Usage: kubectl dimmer resize NAME SIZE [OPTIONS]

Options:
  -n, --namespace NAMESPACE  default: the context's
  --context CONTEXT       of the kubeconfig
  -o, --output FORMAT     text (default), json or yaml
  --force-conflicts
                          also where
  --allow URI             who (repeatable)
  --file FILE at once
`,
  };
  const asked: [string, Where][] = [];
  const named = (what: string) => (where: Where) => {
    asked.push([what, where]);
    return Promise.resolve([`${what}-1`, `${what}-2`, 'other']);
  };
  const names = { resources: named('db'), namespaces: named('ns'), contexts: named('ctx') };
  const ask = async (...words: readonly string[]) => {
    asked.length = 0;
    const answer = await complete(words, (of) => Promise.resolve(texts[of.join(' ')] ?? ''), names);
    return answer.kind === 'words' ? answer.words.map(({ value }) => value) : answer.kind;
  };

  test.each<[readonly string[], readonly string[] | string]>([
    [['re'], ['resize']],
    [['--v'], ['--version']],
    [
      ['resize', 'd'],
      ['db-1', 'db-2'],
    ],
    [['resize', 'db-1', ''], []],
    [
      ['resize', '--force-conflicts', 'd'],
      ['db-1', 'db-2'],
    ],
    [
      ['resize', '-n', 'ns'],
      ['ns-1', 'ns-2'],
    ],
    [
      ['resize', '--context=c'],
      ['ctx-1', 'ctx-2'],
    ],
    [
      ['resize', '--context', '=', 'c'],
      ['ctx-1', 'ctx-2'],
    ],
    [
      ['resize', '--output='],
      ['text', 'json', 'yaml'],
    ],
    [['resize', '-o', 'y'], ['yaml']],
    [
      ['resize', '-ojson', '--f'],
      ['--force-conflicts', '--file'],
    ],
    [['resize', '--file', ''], 'files'],
    [['resize', '--allow', 'x', '--allow=y', '--al'], ['--allow']],
    [['resize', '--', '-'], []],
    [
      ['resize', '--', 'd'],
      ['db-1', 'db-2'],
    ],
    [['hosts', ''], []],
    [['nonsense', ''], []],
    [[], ['resize', 'hosts']],
  ])('%j gives %j', async (words, expected) => {
    expect(await ask(...words)).toEqual(expected);
  });

  test('names are looked for where the line says', async () => {
    await ask('resize', '-n', 'x', '--context=y', '--output', 'json', '');
    expect(asked).toEqual([
      ['db', { program: 'kubectl dimmer', given: { namespace: 'x', context: 'y', output: 'json' } }],
    ]);
  });
});

describe('names of a state directory', () => {
  let state: string;
  beforeAll(() => {
    state = mkdtempSync(join(tmpdir(), 'dimmer-names-'));
    for (const name of ['default/db-1', 'tenants/db-1', 'tenants/web']) {
      mkdirSync(join(state, 'virtualmachinememories', name), { recursive: true });
    }
  });
  afterAll(() => rmSync(state, { recursive: true }));

  test('are those that status takes: with the namespace where one would not do', async () => {
    const { stdout } = await runProgram(['__complete', 'status', `--state-dir=${state}`, '']);
    expect(stdout).toBe('default/db-1\ntenants/db-1\nweb\n:4\n');
  });
  test('are none where there is none, without a word', async () => {
    expect(await runProgram(['__complete', 'status', '--state-dir=/nowhere', ''])).toEqual({
      exit: 0,
      stdout: ':4\n',
      stderr: '',
    });
  });
});

test.each([
  [['completion'], 'takes one of bash, zsh, fish, kubectl'],
  [['completion', 'tcsh'], 'takes one of'],
  [['completion', 'bash', 'zsh'], 'takes one of'],
])('%j is answered with one line', async (argv, problem) => {
  const { exit, stdout, stderr } = await runProgram(argv);
  expect([exit, stdout, stderr]).toEqual([1, '', expect.stringContaining(problem)]);
});
