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
const asked = 'test/lab/guest-agent.sh';
const isAsh = "busybox's shell is an ash";
const acceptedInFiles: Accepted = {
  [`${asked}: SC2187`]: isAsh,
  [`${guest}: SC1091`]: 'the file is written by the test, and read then',
  [`${guest}: SC2013`]: 'words are what it reads',
  [`${guest}: SC2154`]: "set from the kernel's command line, by eval",
  [`${guest}: SC2187`]: isAsh,
};

const words = 'options, to be words of their own';
const acceptedInDocuments: Accepted = {
  'docs/operations.md: SC1090': 'what is loaded is what the program prints',
  'docs/operations.md: SC2016': 'the shell of another user is to fill it in',
  'docs/operations.md: SC2034': 'lines of a file that systemd reads',
  'docs/operations.md: SC2086': words,
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
      const scripts = snippetsOf(document)
        .filter(({ language }) => ['console', 'sh', 'bash'].includes(language))
        .map((snippet) =>
          commandsOf(snippet)
            .map(({ command }) => command)
            .join('\n'),
        );
      expect(scripts.length).toBeGreaterThan(0);
      const found = await Promise.all(scripts.map((script) => findingsIn(`${script}\n`, '--shell=bash')));
      const accepted = Object.keys(acceptedInDocuments).filter((key) => key.startsWith(document));
      expect(distinct(found.flat().map((code) => `${document}: ${code}`))).toEqual(accepted.toSorted());
    });
  },
  STRANGERS,
);
