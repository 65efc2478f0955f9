import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ResourceCache } from '../../../src/kubernetes/resource-cache.ts';
import { isOlder } from '../../../src/kubernetes/resource-version.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { keyOf, type Resource } from '../../../src/runtime/resources.ts';

const object = (name: string, version: number, uid = name): Resource => ({
  metadata: { name, uid, resourceVersion: String(version), generation: 1 },
});

describe('isOlder', () => {
  it.each([
    ['9', '10', true],
    ['10', '9', false],
    ['10', '10', false],
    ['99', '100', true],
    ['18446744073709551615', '18446744073709551616', true],
    ['a', '10', undefined],
    ['010', '9', undefined],
    ['a', 'a', false],
  ])('%s before %s: %s', (a, b, expected) => expect(isOlder(a, b)).toBe(expected));
});

describe('ResourceCache', () => {
  /** What happens to one object in the API server, in order: created or changed (true) or deleted (false). */
  const history = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 });

  it('ends at the truth whatever overtakes the watch, and never goes back in time', () => {
    fc.assert(
      fc.property(history, fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 20 }), (steps, looks) => {
        // The watch delivers every step in order; looks are single reads of the state after step `seen`, which
        // arrive when the watch has delivered `delivered` steps. A look never sees less than the watch has told.
        let generation = 0;
        const states: (Resource | undefined)[] = [undefined];
        for (const [index, exists] of steps.entries()) {
          const before = states.at(-1);
          if (exists && before === undefined) generation += 1;
          states.push(exists ? object('a', index + 1, `uid-${generation}`) : undefined);
        }
        const cache = new ResourceCache<Resource>(silentLogger, () => undefined);
        const versions: number[] = [];
        let shown: Resource | undefined;
        cache.onChange(({ previous, current }) => {
          expect(previous).toBe(shown);
          shown = current;
          if (current !== undefined) versions.push(Number(current.metadata.resourceVersion));
        });
        const look = (delivered: number): void => {
          for (const [at, seen] of looks) {
            if (at % (steps.length + 1) !== delivered) continue;
            const version = Math.max(delivered, seen % (steps.length + 1));
            const state = states[version];
            if (state === undefined) cache.remove('a', String(version));
            else cache.put(state);
          }
        };
        look(0);
        for (const [index, exists] of steps.entries()) {
          const version = index + 1;
          const state = states[version];
          if (exists && state !== undefined) cache.put(state);
          else cache.remove('a', String(version));
          cache.passed(String(version));
          look(version);
        }
        expect(cache.get('a')).toBe(states.at(-1));
        expect(versions).toEqual([...versions].sort((a, b) => a - b));
        expect(new Set(versions).size).toBe(versions.length);
      }),
      { numRuns: 2_000 },
    );
  });

  it('becomes what a complete set says, but for what is newer than the set', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd');
    const objects = fc.uniqueArray(fc.tuple(name, fc.integer({ min: 1, max: 200 })), { selector: ([n]) => n });
    fc.assert(
      fc.property(objects, objects, (before, listed) => {
        const cache = new ResourceCache<Resource>(silentLogger, () => undefined);
        for (const [n, version] of before) cache.put(object(n, version));
        const set = listed.map(([n, version]) => object(n, Math.min(version, 100)));
        cache.replace(set, '100', false);
        const expected = new Map(set.map((item) => [keyOf(item), item.metadata.resourceVersion]));
        for (const [n, version] of before) {
          const held = Number(expected.get(n) ?? 0);
          if (version > 100 || (expected.has(n) && version > held)) expected.set(n, String(version));
        }
        const got = new Map(cache.list().map((item) => [keyOf(item), item.metadata.resourceVersion]));
        expect(got).toEqual(expected);
        expect(cache.synced).toBe(true);
      }),
    );
  });
});
