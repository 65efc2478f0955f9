/** `dimmer completion SHELL` in bash, zsh and fish themselves, over the built program and a real state directory. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeLab } from '../../lab/describe.ts';
import { run } from '../../lab/run.ts';
import { builtMain } from '../../support/built-program.ts';
import { documented } from '../../support/documents.ts';

/** What is typed, where `|` stands for nothing more: `dimmer st` is completed as a word, `dimmer status ` as a new one. */
const cases: readonly (readonly [string, readonly string[]])[] = [
  ['dimmer st', ['standalone', 'status']],
  ['dimmer status ', ['db-1', 'db-2']],
  ['dimmer status db-1 ', []],
  ['dimmer status --st', ['--state-dir']],
  ['dimmer status -o ', ['json', 'wide', 'yaml']],
  ['dimmer completion ', ['bash', 'fish', 'kubectl', 'zsh']],
  ['dimmer agent ch', ['check']],
  ['dimmer standalone --manifests vm', ['vms-here/']],
  ['dimmer plan --domain-xml vm', ['vm.xml', 'vms-here/']],
];

await describeLab(
  'completion',
  () => {
    let root: string;
    let env: Readonly<Record<string, string>>;

    beforeAll(() => {
      root = mkdtempSync(join(tmpdir(), 'dimmer-shells-'));
      const programs = join(root, 'bin');
      mkdirSync(programs);
      const program = join(programs, 'dimmer');
      writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${builtMain}" "$@"\n`);
      chmodSync(program, 0o755);
      symlinkSync(process.execPath, join(programs, 'node'));
      for (const name of ['db-1', 'db-2']) {
        mkdirSync(join(root, 'state/dimmer/virtualmachinememories/default', name), { recursive: true });
      }
      mkdirSync(join(root, 'vms-here'));
      writeFileSync(join(root, 'vm.xml'), '');
      env = {
        PATH: [programs, dirname('/usr/bin/env'), '/bin'].join(delimiter),
        STATE_DIRECTORY: join(root, 'state/dimmer'),
        HOME: root,
        LANG: 'C.UTF-8',
      };
    });
    afterAll(() => rmSync(root, { recursive: true }));

    async function ask(shell: string, args: readonly string[]): Promise<readonly string[]> {
      const { code, stdout, stderr } = await run(shell, args, { cwd: root, env });
      expect([code, stderr]).toEqual([0, '']);
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .toSorted();
    }

    describe('in bash', () => {
      const askBash = (line: string) => {
        const words = line.split(' ');
        const script = `${documented('docs/operations.md', 'source <(dimmer completion bash)').text}; complete -p dimmer >/dev/null || exit 1
compopt() { :; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dimmer; for each in "\${COMPREPLY[@]}"; do [ -d "$each" ] && each=$each/; echo "$each"; done`;
        return ask('bash', ['--norc', '-c', script, 'bash', ...words]);
      };
      test.each(cases)('%s', async (line, expected) => {
        expect(await askBash(line)).toEqual(expected);
      });
      test('--output=j, which it splits', async () => {
        expect(await askBash('dimmer status --output = j')).toEqual(['json']);
        expect(await askBash('dimmer status --output =')).toEqual(['json', 'wide', 'yaml']);
      });
    });

    describe('in zsh', () => {
      // Its completion works only behind a line editor, which gets a terminal of its own; the list is asked for as it is shown.
      const askZsh = (line: string) => ask('zsh', ['-f', join(import.meta.dirname, 'ask-zsh.zsh'), line]);
      test.each([
        ...cases.filter((_, index) => index % 2 === 1),
        ['dimmer status --output=', ['json', 'wide', 'yaml']] as const,
      ])('%s', async (line, expected) => {
        // What it is given; the mark of a folder comes with the list.
        expect(await askZsh(line)).toEqual(expected.map((each) => each.replace(/\/$/, '')));
      });
    });

    describe('in fish', () => {
      const askFish = async (line: string) => {
        const load = documented('docs/operations.md', '`dimmer completion fish | source`').text;
        const script = `${load}; complete -C "$argv[1]"`;
        const lines = await ask('fish', ['--no-config', '-c', script, line]);
        return lines.map((each) => each.split('\t')[0] ?? '').toSorted();
      };
      test.each([...cases, ['dimmer status --output=', ['--output=json', '--output=wide', '--output=yaml']] as const])(
        '%s',
        async (line, expected) => {
          expect(await askFish(line)).toEqual(expected);
        },
      );
    });

    test('the one for kubectl asks the plugin', async () => {
      const print = documented('docs/operations.md', '`dimmer completion kubectl`').text;
      const plugin = join(root, 'bin/kubectl-dimmer');
      writeFileSync(plugin, '#!/bin/sh\nprintf "%s|" "$@"\n');
      chmodSync(plugin, 0o755);
      expect(await ask('sh', ['-c', `${print} > asked; sh ./asked status "" "a b"`])).toEqual([
        '__complete|status||a b|',
      ]);
    });
  },
  ['shells'],
);
