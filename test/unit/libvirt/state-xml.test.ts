import { describe, expect, test } from 'vitest';
import { bytes, gib } from '../../../src/memory/bytes.ts';
import { emptyOperationState, type Mark, type OperationState } from '../../../src/memory/operation-state.ts';
import { readOwner, readState, writeState } from '../../../src/libvirt/state-xml.ts';

const mark: Mark = {
  slot: 3,
  base: bytes(0x110000000),
  size: gib(1),
  alias: 'ua-dimmer-3',
  generation: 7,
  firstAskedAtMs: 1_795_000_000_000,
  lastAskedAtMs: 1_795_000_005_000,
  attempts: 2,
  phase: 'leaving',
};
const state: OperationState = {
  claim: { clusterId: '0f5d', objectUid: '77aa', namespace: 'tenants', generation: 7 },
  marks: [mark, { ...mark, slot: 4, base: bytes(0x150000000), phase: 'resting' }],
  replacement: { slot: 9, generation: 7 },
};

describe('the state that is kept with a domain', () => {
  test('comes back as it was', () => {
    expect(readState(writeState(state))).toEqual({ ok: true, value: state });
    expect(readState(writeState({ ...state, marks: [] }))).toEqual({ ok: true, value: { ...state, marks: [] } });
    expect(readState(writeState({ ...state, claim: null }))).toEqual({ ok: true, value: { ...state, claim: null } });
    const alone = { ...emptyOperationState, replacement: { slot: 0, generation: 1 } };
    expect(readState(writeState(alone))).toEqual({ ok: true, value: alone });
  });

  test('of an agent that knew no replacements has none', () => {
    const xml = (writeState(state) ?? '').replace(/<replacement[^>]*>/, '');
    expect(readState(xml)).toEqual({ ok: true, value: { ...state, replacement: null } });
  });

  test('is nothing at all when it is empty', () => {
    expect(writeState(emptyOperationState)).toBeNull();
    expect(readState(null)).toEqual({ ok: true, value: emptyOperationState });
    expect(readState('<state/>')).toEqual({ ok: true, value: emptyOperationState });
  });

  test('survives metacharacters, and what would not survive is not written', () => {
    const odd = { ...state, claim: { clusterId: `<>"'`, objectUid: ']]>', namespace: '%lt;', generation: 1 } };
    expect(readState(writeState(odd))).toEqual({ ok: true, value: odd });
    for (const text of ['', ' ', 'a\nb', 'ü', '&lt;', '\u0000', 'x'.repeat(254)]) {
      expect(() =>
        writeState({
          ...emptyOperationState,
          claim: { clusterId: text, objectUid: 'o', namespace: 'n', generation: 1 },
        }),
      ).toThrow(RangeError);
      expect(() => writeState({ ...emptyOperationState, marks: [{ ...mark, alias: text }] })).toThrow(RangeError);
    }
  });

  test('is not written with a number that could not be read back', () => {
    for (const lastAskedAtMs of [0.5, -1, NaN, Infinity, 2 ** 53]) {
      expect(() => writeState({ ...emptyOperationState, marks: [{ ...mark, lastAskedAtMs }] })).toThrow(RangeError);
    }
    expect(() => writeState({ ...emptyOperationState, replacement: { slot: 0.5, generation: 1 } })).toThrow(RangeError);
  });

  const good = writeState(state) ?? '';
  const bad: [string, string, string][] = [
    ['another element', 'owner', '<owner/>'],
    ['not XML', 'state', 'state'],
    ['an attribute of a later version', 'state/@version', '<state version="2"/>'],
    ['an element of a later version', 'state/replace', '<state><replace slot="1"/></state>'],
    ['text where there is none', 'state', good.replace('<claim', 'claim')],
    ['text in a claim', 'state/claim', '<state><claim>x</claim></state>'],
    ['two claims', 'state/claim', good.replace('<mark', '<claim/><mark')],
    ['a claim with more than it has', 'state/claim/@x', good.replace('<claim', '<claim x="1"')],
    ['a claim with something inside', 'state/claim', '<state><claim><x/></claim></state>'],
    ['generation 0', 'state/claim/@generation', good.replace('generation="7"', 'generation="0"')],
    ['a negative generation', 'state/claim/@generation', good.replace('generation="7"', 'generation="-7"')],
    ['two replacements', 'state/replacement', good.replace('<mark', '<replacement slot="1" generation="1"/><mark')],
    ['a replacement without a slot', 'state/replacement/@slot', good.replace('slot="9"', '')],
    ['a replacement in slot 256', 'state/replacement/@slot', good.replace('slot="9"', 'slot="256"')],
    ['a replacement for no generation', 'state/replacement/@generation', '<state><replacement slot="9"/></state>'],
    ['a replacement with more', 'state/replacement/@x', good.replace('slot="9"', 'slot="9" x="1"')],
    ['slot 256', 'state/mark[0]/@slot', good.replace('slot="3"', 'slot="256"')],
    ['a size of text', 'state/mark[0]/@size', good.replace('size="1073741824"', 'size="1Gi"')],
    ['a base above 2^53', 'state/mark[0]/@base', good.replace('base="4563402752"', 'base="9007199254740993"')],
    ['no alias', 'state/mark[0]/@alias', good.replace('alias="ua-dimmer-3"', '')],
    ['an empty alias', 'state/mark[0]/@alias', good.replace('alias="ua-dimmer-3"', 'alias=""')],
    ['an unknown phase', 'state/mark[0]/@phase', good.replace('phase="leaving"', 'phase="gone"')],
    ['no attempts', 'state/mark[0]/@attempts', good.replace('attempts="2"', '')],
    ['a mark twice', 'state/mark[1]', good.replace('slot="4" base="5637144576"', 'slot="3" base="4563402752"')],
  ];
  test.each(bad)('is an error that names the place when it holds %s', (_name, path, xml) => {
    expect(readState(xml)).toEqual({ ok: false, error: { path, problem: expect.any(String) as string } });
  });
});

describe("the owner that the host's admin names", () => {
  test('is a namespace, or nobody', () => {
    expect(readOwner('<owner namespace="tenants"/>')).toEqual({ ok: true, value: 'tenants' });
    expect(readOwner(null)).toEqual({ ok: true, value: null });
  });

  test.each(['<owner/>', '<owner namespace=""/>', '<owner namespace="Ten Ants"/>', '<owner namespace="a/../b"/>'])(
    'is an error, not nobody, when it is %s',
    (xml) => {
      expect(readOwner(xml)).toMatchObject({ ok: false, error: { path: 'owner/@namespace' } });
    },
  );

  test('is an error when it is another element or no XML', () => {
    expect(readOwner('<state namespace="tenants"/>')).toMatchObject({ ok: false, error: { path: 'state' } });
    expect(readOwner('<owner')).toMatchObject({ ok: false, error: { path: 'owner' } });
  });
});
