/** Where the lab can't run, the tests that need it are left out, and the run says so; with LAB_STRICT=1 it fails. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ensureForTests } from '../../lab/ensure.ts';
import { describeLeftOut } from '../../lab/left-out.ts';

const root = join(import.meta.dirname, '../../..');
/** A home without anything that the lab has built, and a PATH without what it could build it with. */
const bare = mkdtempSync(join(tmpdir(), 'dimmer-bare-'));
afterAll(() => rmSync(bare, { recursive: true }));

/** Runs a file of one test that passes and of one that needs the lab. */
function runTests(env: Readonly<Record<string, string>>): { readonly status: number | null; readonly output: string } {
  const file = join(bare, 'some.test.ts');
  const describeFile = JSON.stringify(join(root, 'test/lab/describe.ts'));
  const text = `
import { expect, test } from ${JSON.stringify(join(root, 'node_modules/vitest/dist/index.js'))};
import { describeLab } from ${describeFile};
test('needs nothing', () => expect(1).toBe(1));
await describeLab('needs a control plane', () => { test('one', () => {}); test('two', () => {}); }, ['control-plane']);
`;
  writeFileSync(file, text);
  const config = join(bare, 'vitest.config.ts');
  writeFileSync(
    config,
    `import { LeftOutReporter } from ${JSON.stringify(join(root, 'test/lab/left-out.ts'))};
export default { test: { include: ['*.test.ts'], reporters: ['default', new LeftOutReporter()] } };\n`,
  );
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, 'run', '--root', bare, '--config', config], {
    encoding: 'utf8',
    env: { HOME: bare, XDG_CACHE_HOME: bare, PATH: '/nowhere', NO_COLOR: '1', ...env },
  });
  return { status, output: stdout + stderr };
}

test('a run without the lab passes, and says what it left out and why', () => {
  const { status, output } = runTests({});
  expect(output).toMatch(/1 passed \| 2 skipped/);
  expect(output).toMatch(
    /Left out \(LAB_STRICT=1 makes it a failure\):\n\n {2}2 tests in 1 file: .+\n(?: {4}.+\n)* {4}\.: some\n/,
  );
  expect(status).toBe(0);
});

test('with LAB_STRICT=1 it fails', () => {
  const { status, output } = runTests({ LAB_STRICT: '1' });
  expect(output).toMatch(/LAB_STRICT=1, and .+/);
  expect(output).not.toContain('Left out');
  expect(status).toBe(1);
});

test('a file that is left out whole is told, too', () => {
  const reason = 'no kube-apiserver';
  const whole = ['test/b.test.ts', 'test/a.test.ts'].map((file) => ({ file, tests: null, reason }));
  expect(describeLeftOut(whole).slice(1)).toEqual(['', '  2 files: no kube-apiserver', '    test: a, b']);
  const some = { file: 'test/deep/c.test.ts', tests: 1, reason };
  expect(describeLeftOut([...whole, some]).slice(1)).toEqual([
    ...['', '  2 files, and 1 test in 1 other: no kube-apiserver', '    test: a, b', '    test/deep: c'],
  ]);
});

test('what was left out is told by reason, then by folder', () => {
  const lines = describeLeftOut([
    { file: 'test/a.test.ts', tests: 2, reason: 'the lab needs root' },
    { file: 'test/b.test.ts', tests: 1, reason: 'no kube-apiserver' },
    { file: 'test/a.test.ts', tests: 3, reason: 'the lab needs root' },
    { file: 'test/c.test.ts', tests: 1, reason: 'the lab needs root' },
  ]);
  expect(lines).toEqual([
    'Left out (LAB_STRICT=1 makes it a failure):',
    ...['', '  6 tests in 2 files: the lab needs root', '    test: a, c'],
    ...['', '  1 test in 1 file: no kube-apiserver', '    test: b'],
  ]);
  expect(describeLeftOut([])).toEqual([]);
});

test('hundreds of files are few lines, and fit a terminal', () => {
  const reason =
    'a reason that is too long for a line of a terminal because it also says what to do about it, and where';
  const files = Array.from({ length: 200 }, (_, index) => `test/folder-${index % 4}/some-name-${index}.test.ts`);
  const lines = describeLeftOut(files.map((file) => ({ file, tests: 2, reason })));
  expect(lines.length).toBeLessThan(60);
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
  for (const file of files) expect(lines.join(' ')).toContain(` ${file.replace(/.*\/(.*)\.test\.ts/, '$1')}`);
});

test('where the lab cannot be had the tests run without it, or not at all with LAB_STRICT=1', async () => {
  const said: string[] = [];
  const ensure = (): Promise<void> => Promise.reject(new Error('no libvirtd'));
  const report = (line: string): void => void said.push(line);
  expect(await ensureForTests(report, true, ensure)).toBe(false);
  expect(said).toEqual(['no libvirtd']);
  said.length = 0;
  expect(await ensureForTests(report, false, ensure)).toBe(true);
  expect(said).toEqual(['no libvirtd', expect.stringContaining('are left out')]);
  expect(await ensureForTests(report, true, () => Promise.resolve())).toBe(true);
});
