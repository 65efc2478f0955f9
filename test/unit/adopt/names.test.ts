/** Names of manifests: what Kubernetes takes, every one once, and the same whoever else is there. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nameManifests } from '../../../src/adopt/names.ts';

const uuidOf = (number: number): string => `${String(number).padStart(8, '0')}-0000-4000-8000-000000000000`;
const named = (...names: readonly string[]): readonly string[] => {
  const given = nameManifests(names.map((name, index) => ({ uuid: uuidOf(index + 1), name })));
  return names.map((_, index) => given.get(uuidOf(index + 1)) ?? '');
};

test.each([
  [['db-1'], ['db-1']],
  [['Web_Server 1'], ['web-server-1']],
  [['Büro'], ['buro']],
  [['--x--'], ['x']],
  [['仮想'], ['vm-00000001']],
  [
    ['a', 'A'],
    ['a', 'a-00000002'],
  ],
  [
    ['A', 'a'],
    ['a-00000001', 'a'],
  ],
  [
    ['A', 'á'],
    ['a-00000001', 'a-00000002'],
  ],
  [['x'.repeat(70)], ['x'.repeat(63)]],
  [
    [`${'x'.repeat(70)}1`, `${'x'.repeat(70)}2`],
    [`${'x'.repeat(54)}-00000001`, `${'x'.repeat(54)}-00000002`],
  ],
  // Somebody has the name already that would be made.
  [
    ['A', 'á', 'a-00000001'],
    ['a-000000010', 'a-00000002', 'a-00000001'],
  ],
])('%j are called %j', (names, expected) => {
  expect(named(...names)).toEqual(expected);
});

test('every name is valid, there once, and stays when another VM is named later', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 80 }),
    fc.string({ unit: fc.constantFrom('a', 'A', '-', 'b', '_'), maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.uuid(), text), { maxLength: 12 }), (pairs) => {
      const machines = [...new Map(pairs).entries()].map(([uuid, name]) => ({ uuid, name }));
      const names = nameManifests(machines);
      const all = machines.map(({ uuid }) => names.get(uuid) ?? '');
      for (const name of all) expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
      expect(new Set(all).size).toBe(all.length);
      expect([...nameManifests(machines.toReversed())].toSorted()).toEqual([...names].toSorted());
      for (const { uuid, name } of machines) {
        if (
          /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name) &&
          machines.filter((other) => other.name === name).length === 1
        )
          expect(names.get(uuid)).toBe(name);
      }
    }),
  );
});
