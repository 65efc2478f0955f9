/** docs/proof.md names tests: they are there, by these names. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const rows = readFileSync(join(root, 'docs/proof.md'), 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [, file, name] = /\| `([^`]+\.ts)` +\| `([^`]+)` +\|$/.exec(line) ?? [];
    return file === undefined || name === undefined ? [] : [{ file, name }];
  });

test('the page has rows', () => {
  expect(rows.length).toBeGreaterThan(50);
});

test.each(rows)('$file: $name', ({ file, name }) => {
  const path = join(root, 'test', file);
  expect(existsSync(path)).toBe(true);
  expect(readFileSync(path, 'utf8')).toContain(name);
});
