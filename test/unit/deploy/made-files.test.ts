import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { computeMadeFiles } from '../../../scripts/made-files.ts';

const root = join(import.meta.dirname, '../../..');
const handWritten = /(?:health\.lua|^deploy\/gitops\/flux\/.*)$/;

test('rules, dashboards, docs/alerts.md and what Argo CD is tested by are up to date: npm run docs writes them', async () => {
  const made = await computeMadeFiles();
  expect(made.size).toBeGreaterThan(50);
  for (const [path, text] of made) expect(readFileSync(join(root, path), 'utf8'), path).toBe(text);
});

test('nothing is left of what is made no more', async () => {
  const made = await computeMadeFiles();
  const there = globSync(['deploy/gitops/**/*.{yaml,lua}', 'deploy/monitoring/dashboards/*'], { cwd: root });
  expect(there.filter((path) => !made.has(path) && !handWritten.test(path))).toEqual([]);
});
