/** docs/proof.md and SECURITY.md name tests: they are there, by these names. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const rowsOf = (page: string): readonly { readonly file: string; readonly name: string }[] =>
  readFileSync(join(root, page), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, file, name] = /\| `([^`]+\.ts)` +\| `([^`]+)` +\|$/.exec(line) ?? [];
      return file === undefined || name === undefined ? [] : [{ file, name }];
    });
const proof = rowsOf('docs/proof.md');
const security = rowsOf('SECURITY.md');

test('the pages have rows', () => {
  expect(proof.length).toBeGreaterThan(50);
  expect(security.length).toBeGreaterThan(30);
});

test('of whoever the threat model tells, it tells what they can and what they can not, each line with its test', () => {
  const text = readFileSync(join(root, 'SECURITY.md'), 'utf8');
  const chapters = text.split(/^### /m).slice(1);
  expect(chapters.length).toBeGreaterThan(7);
  const untold = chapters.flatMap((chapter) => {
    const words = ['can', "can't"].filter((word) => !new RegExp(`^\\| ${word} +\\|`, 'm').test(chapter));
    return words.map((word) => `${chapter.split('\n')[0] ?? ''}: ${word}`);
  });
  expect(untold).toEqual([]);
  expect(text.match(/^\| can('t)? +\|/gm)?.length).toBe(security.length);
});

test.each([...proof, ...security])('$file: $name', ({ file, name }) => {
  const path = join(root, 'test', file);
  expect(existsSync(path)).toBe(true);
  expect(readFileSync(path, 'utf8')).toContain(name);
});
