/** Texts of cached objects that are kept once. Which copy a text is can't be seen: what can is that nothing becomes another. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SharedStrings } from '../../../src/kubernetes/shared-strings.ts';

describe('SharedStrings', () => {
  it('changes nothing that can be seen', () => {
    const strings = new SharedStrings();
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), (value) => {
        const before = JSON.stringify(value);
        strings.share(value);
        expect(JSON.stringify(value)).toBe(before);
      }),
    );
  });

  it('goes on when more different texts come than it keeps', () => {
    const strings = new SharedStrings();
    const objects = Array.from({ length: 10_000 }, (_, index) => ({ name: `vm-${index}`, reason: 'Converged' }));
    for (const each of objects) strings.share(each);
    expect(objects.map(({ name }) => name)).toEqual(objects.map((_, index) => `vm-${index}`));
    expect(new Set(objects.map(({ reason }) => reason))).toEqual(new Set(['Converged']));
  });
});
