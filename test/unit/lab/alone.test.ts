/** What runs beside other tests must not use what the machine has once. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { alone } from '../../alone.ts';
import { longest } from '../../longest-first.ts';

const root = join(import.meta.dirname, '../../..');
const labTests = globSync('test/{integration,e2e}/**/*.test.ts', { cwd: root });

test('every file that runs alone is there, and says why', () => {
  for (const [file, reason] of Object.entries(alone)) {
    expect(labTests).toContain(file);
    expect(reason).not.toBe('');
  }
});

test('whoever changes the pool of huge pages, which the machine has once, runs alone', () => {
  const users = labTests.filter((file) => /hugePages: \d/.test(readFileSync(join(root, file), 'utf8')));
  expect(users.length).toBeGreaterThan(2);
  expect(users.filter((file) => alone[file] === undefined)).toEqual([]);
});

test('every file that begins early is there, once, and among those that run side by side', () => {
  const all = [...labTests, ...globSync('test/unit/**/*.test.ts', { cwd: root })];
  expect(longest.filter((file) => !all.includes(file) || alone[file] !== undefined)).toEqual([]);
  expect(new Set(longest).size).toBe(longest.length);
});
