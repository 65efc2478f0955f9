import { describe, expect, test } from 'vitest';
import { bytes, gib } from '../../../src/memory/bytes.ts';
import { emptyOperationState, type Mark, type OperationState } from '../../../src/memory/operation-state.ts';
import { readDomainMemory } from '../../../src/libvirt/xml/domain.ts';
import { stateNamespace, writeState } from '../../../src/libvirt/xml/operation-state.ts';
import { readOwner } from '../../../src/libvirt/xml/owner.ts';
import { readState } from '../../../src/libvirt/xml/read-operation-state.ts';

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
    ['an element that may be a damaged claim', 'state/clain', good.replace('<claim', '<clain')],
    ['an attribute of another namespace', 'state/@x:y', '<state xmlns:x="urn:x" x:y="1"/>'],
    ['an element of another namespace', 'state/y', good.replace('<mark', '<y xmlns="urn:x"/><mark')],
    ['text beside elements inside', 'state/later', good.replace('<mark', '<later>x<y/></later><mark')],
    ['a prefix without a namespace', 'state/claim/x:y', good.replace(/(<claim[^>]*)\/>/, '$1><x:y/></claim>')],
    ['text where there is none', 'state', good.replace('<claim', 'claim')],
    ['text in a claim', 'state/claim', '<state><claim>x</claim></state>'],
    ['two claims', 'state/claim', good.replace('<mark', '<claim/><mark')],
    ['generation 0', 'state/claim/@generation', good.replace('generation="7"', 'generation="0"')],
    ['a negative generation', 'state/claim/@generation', good.replace('generation="7"', 'generation="-7"')],
    ['two replacements', 'state/replacement', good.replace('<mark', '<replacement slot="1" generation="1"/><mark')],
    ['a replacement without a slot', 'state/replacement/@slot', good.replace('slot="9"', '')],
    ['a replacement in slot 256', 'state/replacement/@slot', good.replace('slot="9"', 'slot="256"')],
    ['a replacement for no generation', 'state/replacement/@generation', '<state><replacement slot="9"/></state>'],
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

describe('what a newer Dimmer keeps there too', () => {
  const newer =
    '<state schema="2"><claim clusterId="0f5d" objectUid="77aa" namespace="tenants" generation="7" shard="a &amp;lt; b">' +
    '<lease until="9">of &lt;a&gt;</lease></claim><replacement slot="9" generation="7" why="size"/>' +
    '<mark slot="3" base="4563402752" size="1073741824" alias="ua-dimmer-3" generation="7" ' +
    'firstAskedAtMs="1795000000000" lastAskedAtMs="1795000005000" attempts="2" phase="leaving" by="x"/>' +
    '<budget bytes="5"><part/></budget></state>';
  const read = readState(newer);
  if (!read.ok) throw new Error(read.error.path);
  const { claim, marks, replacement, unread } = read.value;
  const current = { claim, marks, replacement };
  const rewritten = (next: OperationState): string => writeState(next, unread) ?? '';

  test('does not come in the way of what this one reads', () => {
    expect(current).toEqual({ ...state, marks: [mark] });
  });

  test('is written again as it was', () => {
    expect(rewritten(current)).toBe(newer);
    expect(readState(rewritten(current))).toEqual(read);
  });

  test('stays when the claim gets a newer generation and the guest is asked again', () => {
    const next = {
      claim: claim === null ? null : { ...claim, generation: 8 },
      marks: marks.map((one) => ({ ...one, attempts: 3, lastAskedAtMs: 1_795_000_009_000 })),
      replacement,
    };
    const said = newer
      .replace('generation="7" shard', 'generation="8" shard')
      .replace('attempts="2"', 'attempts="3"')
      .replace('1795000005000', '1795000009000');
    expect(rewritten(next)).toBe(said);
  });

  test('goes with what it belongs to', () => {
    const other = { clusterId: '0f5d', objectUid: 'another', namespace: 'tenants', generation: 1 };
    const later = { ...mark, firstAskedAtMs: mark.firstAskedAtMs + 1 };
    const text = rewritten({ claim: other, marks: [later], replacement: { slot: 9, generation: 8 } });
    for (const gone of ['shard', 'lease', 'by=', 'why=']) expect(text).not.toContain(gone);
    for (const stays of ['schema="2"', '<budget bytes="5"><part/></budget>']) expect(text).toContain(stays);
  });

  test('is read in the XML of a domain, too, as libvirt shows it', () => {
    const shown = newer
      .replaceAll(/<(\/?)/g, '<$1dimmer:')
      .replace('<dimmer:state', `<dimmer:state xmlns:dimmer="${stateNamespace}"`);
    const domain = `<domain type='qemu'><name>vm</name><uuid>a65b18bc-a377-478e-9ee5-709566c57be8</uuid>
      <memory unit='KiB'>1024</memory><metadata>${shown}</metadata><devices/></domain>`;
    const memory = readDomainMemory(domain);
    if (!memory.ok || !memory.value.state.ok) throw new Error('not read');
    expect(writeState(current, memory.value.state.value.unread)).toBe(newer);
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
