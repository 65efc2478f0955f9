/** Every piece of shell in the repository, judged by shellcheck: files, what completes commands, what the documents say to type. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeLab } from '../lab/describe.ts';
import { runOk } from '../lab/run.ts';
import { builtMain } from '../support/built-program.ts';
import { commandsOf, documents, snippetsOf } from '../support/documents.ts';
import { type Accepted, check, distinct, STRANGERS } from './checkers.ts';

const root = join(import.meta.dirname, '../..');

const guest = 'test/lab/guest/init.sh';
const acceptedInFiles: Accepted = {
  [`${guest}: SC1091`]: 'the file is written by the test, and read then',
  [`${guest}: SC2013`]: 'words are what it reads',
  [`${guest}: SC2154`]: "set from the kernel's command line, by eval",
  [`${guest}: SC2187`]: "busybox's shell is an ash",
};

type Finding = { readonly code: number; readonly message: string };
async function findingsIn(text: string, ...args: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await check(['shellcheck'], ['--norc', '--format=json', ...args, '-'], { input: text });
  return (JSON.parse(stdout) as Finding[]).map(({ code }) => `SC${code}`);
}

await describeLab(
  'shellcheck',
  () => {
    test('the files whose first line names a shell', async () => {
      const files = globSync('{.ci,deploy,scripts,src,test}/**', { cwd: root, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((file) => /^#!.*\b(ba|da)?sh\n/.test(readFileSync(file, 'utf8')));
      expect(files.length).toBeGreaterThan(3);
      const found = await Promise.all(
        files.map(async (file) => {
          const name = file.slice(root.length + 1);
          return (await findingsIn(readFileSync(file, 'utf8'))).map((code) => `${name}: ${code}`);
        }),
      );
      expect(distinct(found.flat())).toEqual(Object.keys(acceptedInFiles).toSorted());
    });

    test.each(['bash', 'kubectl'])('what `dimmer completion %s` prints', async (shell) => {
      const text = await runOk(process.execPath, [builtMain, 'completion', shell]);
      expect(text.length).toBeGreaterThan(100);
      expect(await findingsIn(text, '--shell=bash')).toEqual([]);
    });

    test.each(documents)('the commands of %s', async (document) => {
      const commands = snippetsOf(document)
        .filter(({ language }) => ['console', 'sh', 'bash'].includes(language))
        .flatMap(commandsOf)
        .map(({ command }) => command);
      expect(commands.length).toBeGreaterThan(document === 'docs/planner.md' ? 0 : 5);
      const found = await Promise.all(
        commands.map(async (command) =>
          (await findingsIn(`${command}\n`, '--shell=bash')).map((code) => [code, command]),
        ),
      );
      expect(found.flat()).toEqual([]);
    });
  },
  STRANGERS,
);
