/** docs/planner.md shows commands: they print what it says, and it names every option. */
import { expect, test } from 'vitest';
import { commandsOf, documented, patternOf } from '../../support/documents.ts';
import { builtMain, runProgram } from '../../support/built-program.ts';
import { run } from '../../lab/run.ts';

test.each([
  documented('docs/planner.md', 'dimmer plan --boot 1Gi --modules 384Mi,256Mi'),
  documented('docs/planner.md', '| dimmer plan --batch'),
])('$text', async (snippet) => {
  for (const { command, printed } of commandsOf(snippet)) {
    const shell = command.replace(/\bdimmer\b(?= plan)/, '"$0" "$1"');
    const { stdout, stderr, code } = await run('sh', ['-euc', shell, process.execPath, builtMain]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(patternOf(printed));
  }
});

test('the options are those of --help', async () => {
  const { text } = documented('docs/planner.md', 'dimmer plan --boot SIZE --memory SIZE [--modules SIZE,...]');
  const { stdout } = await runProgram(['plan', '--help']);
  const optionsIn = (usage: string) => new Set([...usage.matchAll(/--?[a-z][a-z-]*/g)].map(([option]) => option));
  // Said in the sentence below it, and in --help, which is where the long form of -o is.
  expect(optionsIn(`${text} --output --help --log-level`)).toEqual(new Set([...optionsIn(stdout)]));
});
