/** docs/adr/README.md lists every decision there is, in order. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const folder = join(import.meta.dirname, '../../../docs/adr');

test('every decision has its row', () => {
  const rows = readFileSync(join(folder, 'README.md'), 'utf8').matchAll(/^\| \[(\d{4})\]\(([^)]+)\)/gm);
  const files = readdirSync(folder).filter((name) => /^\d{4}-/.test(name));
  expect([...rows].map(([, number, file]) => [number, file])).toEqual(
    files.sort().map((file) => [file.slice(0, 4), file]),
  );
});
