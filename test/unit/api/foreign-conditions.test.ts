import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { computeConditions } from '../../../src/api/v1alpha1/conditions.ts';
import { findLeftOut, isForeign, maxConditions } from '../../../src/api/v1alpha1/foreign-conditions.ts';
import type { Condition } from '../../../src/api/v1alpha1/meta.ts';

const of = (type: string, day = 1): Condition => ({
  type,
  status: 'True',
  reason: 'R',
  message: '',
  lastTransitionTime: new Date(Date.UTC(2026, 0, day)).toISOString(),
});
const compute = (previous: readonly Condition[], ...ours: readonly string[]) =>
  computeConditions(
    previous,
    ours.map((type) => ({ type, status: 'True', reason: 'R', message: '' })),
    { generation: 1, nowMs: 0 },
  );
const typesOf = (conditions: readonly Condition[]) => conditions.map(({ type }) => type);

describe('whose a condition is', () => {
  it.each([
    ['Ready', false],
    ['BackedUp', false],
    ['acme.io/BackedUp', true],
    ['acme.io/Ready', true],
    ['kubernetes/Ready', true],
  ])('%s is foreign: %s', (type, foreign) => expect(isForeign({ type })).toBe(foreign));

  it('goes by the type: ours are written anew and come first, others stay as they are', () => {
    const theirs = { ...of('acme.io/BackedUp'), severity: 'high' };
    const conditions = compute([theirs, of('Old'), of('Ready')], 'Ready', 'Stalled');
    expect(typesOf(conditions)).toEqual(['Ready', 'Stalled', 'acme.io/BackedUp']);
    expect(conditions[2]).toBe(theirs);
  });
});

describe('a list that is full', () => {
  const foreign = fc
    .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 999 }), fc.integer({ min: 1, max: 20 })), {
      selector: ([name]) => name,
      maxLength: 80,
    })
    .map((pairs) => pairs.map(([name, day]) => of(`acme.io/c${name}`, day)));

  it('holds all of ours and, in their order, those of others that changed last', () => {
    fc.assert(
      fc.property(foreign, fc.integer({ min: 0, max: 8 }), (theirs, count) => {
        const ours = Array.from({ length: count }, (_, index) => `Ours${index}`);
        const conditions = compute(theirs, ...ours);
        const kept = conditions.slice(count);
        const leftOut = findLeftOut(theirs, conditions);
        expect(typesOf(conditions.slice(0, count))).toEqual(ours);
        expect(conditions).toHaveLength(Math.min(maxConditions, count + theirs.length));
        expect(kept).toEqual(theirs.filter((condition) => !leftOut.includes(condition)));
        const youngestLeftOut = Math.max(...leftOut.map(({ lastTransitionTime }) => Date.parse(lastTransitionTime)));
        for (const { lastTransitionTime } of kept) {
          expect(Date.parse(lastTransitionTime)).toBeGreaterThanOrEqual(youngestLeftOut);
        }
      }),
    );
  });

  it('loses first what has no readable time', () => {
    const theirs = Array.from({ length: maxConditions }, (_, index) => of(`acme.io/c${index}`));
    const odd = { ...of('acme.io/odd'), lastTransitionTime: 'yesterday' };
    const conditions = compute([...theirs.slice(1), odd], 'Ready');
    expect(typesOf(findLeftOut([...theirs, odd], conditions))).toEqual(['acme.io/c0', 'acme.io/odd']);
  });

  it('says nothing of ours that went', () =>
    expect(findLeftOut([of('Old'), of('a/b')], undefined)).toEqual([of('a/b')]));
});
