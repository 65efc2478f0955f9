import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { reasonTable } from '../../../src/api/v1alpha1/reasons.ts';

it('the user guide explains every reason, and no other', () => {
  const guide = readFileSync(new URL('../../../docs/user-guide.md', import.meta.url), 'utf8');
  const table = guide.slice(guide.search(/^\| reason/m));
  const cells = table
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|')[1] ?? '');
  const explained = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, reason]) => reason));
  expect(explained.toSorted()).toEqual(Object.keys(reasonTable).toSorted());
});
