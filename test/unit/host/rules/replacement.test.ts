import { describe, expect, it } from 'vitest';
import { isSameReplacement, keptReplacement, replacementOf } from '../../../../src/host/rules/replacement.ts';
import { claim } from '../../../contract/bench.ts';

const replacement = { slot: 3, generation: 1 };

describe('the record of a replacement', () => {
  it('goes with a newer generation, and with another object or cluster', () => {
    expect(keptReplacement({ claim, replacement }, claim)).toBe(replacement);
    expect(keptReplacement({ claim, replacement }, { ...claim, generation: 2 })).toBeNull();
    expect(keptReplacement({ claim, replacement }, { ...claim, objectUid: 'another' })).toBeNull();
    expect(keptReplacement({ claim, replacement }, { ...claim, clusterId: 'another' })).toBeNull();
    expect(keptReplacement({ claim: null, replacement }, claim)).toBeNull();
    expect(keptReplacement({ claim, replacement: null }, claim)).toBeNull();
  });

  it('is made by the plug that begins one, and by no other', () => {
    const plug = { slot: 5, generation: 1 };
    expect(replacementOf({ ...plug, beginsReplacement: true }, replacement)).toEqual(plug);
    expect(replacementOf({ ...plug, beginsReplacement: false }, replacement)).toBe(replacement);
    expect(replacementOf(plug, null)).toBeNull();
  });

  it('is written only when it says something else', () => {
    expect(isSameReplacement(null, null)).toBe(true);
    expect(isSameReplacement(replacement, { ...replacement })).toBe(true);
    expect(isSameReplacement(replacement, null)).toBe(false);
    expect(isSameReplacement(replacement, { ...replacement, slot: 4 })).toBe(false);
    expect(isSameReplacement(replacement, { ...replacement, generation: 2 })).toBe(false);
  });
});
