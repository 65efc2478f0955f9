/** The page as it is built: small, and nothing in it that its strict policy would stop. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';

const directory = join(import.meta.dirname, '../../../dist/console');
if (!existsSync(directory)) throw new Error(`${directory} is missing; run 'npm run build' first`);
const read = (file: string): string => readFileSync(join(directory, file), 'utf8');

test('script and stylesheet together are at most 100 KiB, compressed', () => {
  const size = ['page.js', 'page.css'].reduce((sum, file) => sum + gzipSync(read(file), { level: 9 }).length, 0);
  expect(size).toBeLessThanOrEqual(100 * 1024);
  expect(size).toBeGreaterThan(20 * 1024);
});

test('it is four files, which name each other and nothing elsewhere', () => {
  expect(readdirSync(directory).sort()).toEqual(['icon.svg', 'index.html', 'page.css', 'page.js']);
  const html = read('index.html');
  expect([...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, target]) => target)).toEqual([
    'icon.svg',
    'page.css',
    'page.js',
  ]);
  expect(html).not.toMatch(/<style|style=|<script(?![^>]* src=)|\son[a-z]+=/i);
  expect(read('page.css')).not.toMatch(/@import|url\(/);
});

test("nothing of Node's is in it, and no code made of text", () => {
  const script = read('page.js');
  const found = [/["'`]node:/, /\brequire\(/, /\bprocess\.env/, /\beval\(/, /\bnew Function\(/].filter((one) =>
    one.test(script),
  );
  expect(found).toEqual([]);
});
