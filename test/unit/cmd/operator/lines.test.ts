/** The table of commands: what it says is what is parsed and told. */
import { describe, expect, test } from 'vitest';
import { optionsAt, readCommandLine, usageOf } from '../../../../src/cmd/command-line.ts';
import { commandTable } from '../../../../src/cmd/command-table.ts';
import { lines } from '../../../../src/cmd/operator/lines.ts';
import { runProgram } from '../../../support/built-program.ts';

const all = Object.values(lines);
const places = ['standalone', 'cluster'] as const;

test.each(all.flatMap((line) => places.map((place) => [line.name, place, line] as const)))(
  'every option of %s (%s) is read, has help, and has a name of its own',
  (_, place, line) => {
    const usage = usageOf(line, place);
    const options = optionsAt(line, place);
    for (const { name, short, value, values } of options) {
      expect(usage).toContain(`--${name}`);
      const words = line.arguments.map(() => 'x');
      const given = value === undefined ? [] : [values?.[0] ?? 'x'];
      expect(readCommandLine(line, place, [...words, `--${name}`, ...given]).kind).toBe('run');
      if (short !== undefined) expect(readCommandLine(line, place, [...words, `-${short}`, ...given]).kind).toBe('run');
    }
    const names = options.flatMap(({ name, short }) => [name, ...(short === undefined ? [] : [short])]);
    expect(new Set(names).size).toBe(names.length);
  },
);

describe('bad usage', () => {
  test.each([
    [lines.resize, ['db-1'], 'SIZE is missing'],
    [lines.resize, ['db-1', '1Gi', 'x'], 'takes one NAME and one SIZE'],
    [lines.status, ['a', 'b'], 'takes one NAME at most'],
    [lines.hosts, ['a'], 'takes no arguments'],
    [lines.events, ['a', '-o', 'xml'], "--output: 'xml' is not json, yaml or wide"],
    [lines.status, ['-n', 'x'], "Unknown option '-n'"],
  ])('of $name: %j', (line, argv, problem) => {
    expect(readCommandLine(line, 'standalone', argv)).toEqual({ kind: 'bad-usage', problem });
  });

  test("kubectl's `-o=json` is taken", () => {
    const read = readCommandLine(lines.status, 'cluster', ['-o=json']);
    expect(read.kind === 'run' && read.given.text('output')).toBe('json');
  });
});

describe('the programs', () => {
  test.each(commandTable.map((entry) => [entry.name, entry] as const))(
    '%s is told in the help',
    async (name, entry) => {
      const { stdout } = await runProgram(['--help']);
      expect(stdout).toContain(`  ${name.padEnd(12)} ${entry.summary}\n`);
    },
  );

  test('plan knows the same options with NAME and without', async () => {
    const { stdout } = await runProgram(['plan', '--help']);
    for (const { name } of optionsAt(lines.plan, 'standalone')) expect(stdout).toContain(`--${name} `);
    const ran = await runProgram(['plan', '--memory=1Gi', '--state-dir=x']);
    expect(ran).toMatchObject({ exit: 1, stderr: 'dimmer plan: --state-dir: needs NAME\n' });
  });
});
