/** Whatever XML arrives is read or refused; what is written is read back as it was. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { create } from 'xmlbuilder2';
import { bytes, KiB } from '../../../src/memory/bytes.ts';
import { aliasOfSlot } from '../../../src/memory/module.ts';
import type { Mark, OperationState } from '../../../src/memory/operation-state.ts';
import { writeDimmXml } from '../../../src/libvirt/xml/device.ts';
import { readDomainMemory } from '../../../src/libvirt/xml/domain.ts';
import { formatNodeSet, parseNodeSet, parseScaledSize } from '../../../src/libvirt/xml/scaled-size.ts';
import { writeState } from '../../../src/libvirt/xml/operation-state.ts';
import { readState } from '../../../src/libvirt/xml/read-operation-state.ts';
import { parseXml } from '../../../src/libvirt/xml/tree.ts';

const fixture = (name: string): string =>
  readFileSync(new URL(`../../unit/libvirt/fixtures/domains/${name}.xml`, import.meta.url), 'utf8');
const fixtures = ['rich-running', 'rich-shut-off', 'attaching', 'huge-pages', 'flat'].map(fixture);

const exact = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }).map((value) => bytes(value));
const wholeKiB = (min: number): fc.Arbitrary<number> =>
  fc.integer({ min, max: 2 ** 43 - 1 }).map((count) => count * KiB);
const slot = fc.integer({ min: 0, max: 255 });
const text = fc
  .string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 })
  .filter((value) => /^[\x21-\x25\x27-\x7e]+$/.test(value));

const mark: fc.Arbitrary<Mark> = fc.record({
  slot,
  base: exact,
  size: exact.filter((size) => size > 0),
  alias: text,
  generation: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  firstAskedAtMs: exact,
  lastAskedAtMs: exact,
  attempts: fc.integer({ min: 1, max: 1_000_000 }),
  phase: fc.constantFrom('leaving', 'resting'),
});
const state: fc.Arbitrary<OperationState> = fc.record({
  claim: fc.option(
    fc.record({ clusterId: text, objectUid: text, namespace: text, generation: fc.integer({ min: 1 }) }),
  ),
  marks: fc.uniqueArray(mark, { maxLength: 5, selector: ({ slot: at, base }) => `${at}/${base}` }),
  replacement: fc.option(fc.record({ slot, generation: fc.integer({ min: 1 }) })),
});

/** As libxml2 writes it again: prefixes on every element, white space between them. */
const asLibvirtKeepsIt = (xml: string): string =>
  xml
    .replace('<state', '<x:state xmlns:x="https://dimmer.dev/xmlns/state/1"')
    .replace('</state', '</x:state')
    .replaceAll('<claim', '\n  <x:claim')
    .replaceAll('<mark', '\n  <x:mark')
    .replaceAll('<replacement', '\n  <x:replacement');

describe('the state kept with a domain', () => {
  test('comes back as it was, also through libvirt', () => {
    fc.assert(
      fc.property(state, (value) => {
        const xml = writeState(value);
        expect(readState(xml)).toEqual({ ok: true, value });
        if (xml !== null) expect(readState(asLibvirtKeepsIt(xml))).toEqual({ ok: true, value });
      }),
    );
  });

  test('keeps whatever a newer version adds, through every rewriting', () => {
    const name = fc
      .stringMatching(/^[a-z][a-zA-Z0-9]{0,8}$/)
      .filter((word) => !/^(claim|replacement|mark|xml)/.test(word));
    const value = fc.string({
      unit: fc.oneof(fc.constantFrom('&', '<', '"', '&lt;', '\n', '\t', ' ', ']]>'), fc.constantFrom('a', 'ü', '😀')),
    });
    const words = fc.dictionary(name, value, { noNullPrototype: true });
    const claim = { clusterId: 'cluster', objectUid: 'object', namespace: 'tenants', generation: 1 };
    fc.assert(
      fc.property(words, words, (attributes, elements) => {
        const added = create().ele('state', attributes);
        added.ele('claim', claim).att({ ...attributes, ...claim });
        for (const [element, text] of Object.entries(elements)) added.ele(element, { text }).txt(text);
        const first = readState(added.end({ headless: true }));
        if (!first.ok) throw new Error(first.error.problem);
        const { unread, ...known } = first.value;
        const second = readState(writeState({ ...known, claim: { ...claim, generation: 2 } }, unread));
        expect(second).toMatchObject({ ok: true, value: { claim: { ...claim, generation: 2 } } });
        if (!second.ok) return;
        // What is written a second time is what was read the first time.
        expect(second.value.unread?.state).toEqual(unread?.state);
        expect(second.value.unread?.claim?.[1]).toEqual(unread?.claim?.[1]);
      }),
    );
  });

  test('is never silently empty: damage leaves it as it was or is an error', () => {
    const value: OperationState = {
      claim: { clusterId: 'cluster', objectUid: 'object', namespace: 'tenants', generation: 1 },
      marks: [],
      replacement: null,
    };
    const xml = writeState(value) ?? '';
    fc.assert(
      fc.property(fc.nat(xml.length - 1), fc.constantFrom('', '<', '>', '"', '&', ' ', 'x', '/'), (at, insert) => {
        const result = readState(xml.slice(0, at) + insert + xml.slice(at + 1));
        if (result.ok) expect(result.value.claim).not.toBeNull();
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the XML of a module', () => {
  const request = fc.record(
    {
      slot,
      size: wholeKiB(1).map((size) => bytes(size)),
      node: fc.integer({ min: 0, max: 1023 }),
      pageSize: fc.constantFrom(bytes(2048 * KiB), bytes(1024 * 1024 * KiB)),
      hostNodes: fc
        .uniqueArray(fc.integer({ min: 0, max: 1023 }), { minLength: 1, maxLength: 8 })
        .map((nodes) => nodes.sort((a, b) => a - b)),
      base: exact,
    },
    { requiredKeys: ['slot', 'size', 'node'] },
  );

  test('is read back as the module that was asked for', () => {
    fc.assert(
      fc.property(request, (wish) => {
        const device = writeDimmXml({ ...wish, alias: aliasOfSlot(wish.slot) });
        const result = readDomainMemory(
          `<domain type='kvm'><name>vm</name><uuid>a65b18bc-a377-478e-9ee5-709566c57be8</uuid>` +
            `<cpu><numa><cell id='0' memory='1' unit='KiB'/></numa></cpu><devices>${device}</devices></domain>`,
        );
        if (!result.ok) {
          expect(result.error.problem).toContain('2^53'); // the sum, not the module
          return;
        }
        expect(result.value.modules).toEqual([
          {
            slot: wish.slot,
            base: wish.base ?? null,
            size: wish.size,
            alias: aliasOfSlot(wish.slot),
            node: wish.node,
            pageSize: wish.pageSize ?? null,
            hostNodes: wish.hostNodes ?? null,
          },
        ]);
      }),
    );
  });
});

describe('domain XML', () => {
  test('broken anywhere is read or refused, never a crash', () => {
    const edit = fc.record({
      at: fc.nat(6_000),
      length: fc.nat(40),
      insert: fc.oneof(
        fc.string({ maxLength: 20 }),
        fc.constantFrom(
          '<',
          '>',
          '&',
          '"',
          "'",
          '<!--',
          ']]>',
          '<![CDATA[',
          '<!DOCTYPE a>',
          '&#x0;',
          '-1',
          '9'.repeat(30),
        ),
      ),
    });
    fc.assert(
      fc.property(fc.constantFrom(...fixtures), fc.array(edit, { minLength: 1, maxLength: 4 }), (xml, edits) => {
        let broken = xml;
        for (const { at, length, insert } of edits) {
          const start = at % (broken.length + 1);
          broken = broken.slice(0, start) + insert + broken.slice(start + length);
        }
        const result = readDomainMemory(broken);
        if (result.ok) expect(result.value.boot.length).toBeGreaterThan(0);
        else expect(result.error.path).not.toBe('');
      }),
      { numRuns: 1_000 },
    );
  });

  test('of arbitrary text is refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 300 }), (anything) => {
        expect(readDomainMemory(anything).ok).toBe(false);
      }),
    );
  });

  test('text with metacharacters comes back from attributes and elements', () => {
    const escape = (value: string): string =>
      value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 40 }), (value) => {
        const result = parseXml(`<a b="${escape(value)}">${escape(value)}</a>`);
        expect(result).toMatchObject({ ok: true, value: { text: value } });
        if (result.ok) expect(result.value.attributes.get('b')).toBe(value);
      }),
    );
  });

  test('nesting, repetition and length that would exhaust a reader are refused or read in good time', () => {
    const attacks = [
      '<a>'.repeat(100_000),
      `<domain>${'<a/>'.repeat(200_000)}</domain>`,
      `<domain ${"x='1' ".repeat(50_000)}/>`,
      `<domain>${'&amp;'.repeat(300_000)}</domain>`,
      `<domain>${'&#x41;'.repeat(300_000)}</domain>`,
      `<!DOCTYPE d [${Array.from({ length: 20 }, (_value, i) => `<!ENTITY e${i} "${`&e${i - 1};`.repeat(10)}">`).join('')}]><d>&e19;</d>`,
      `<domain>${'<!--'.repeat(100_000)}</domain>`,
      `<domain>${'<![CDATA['.repeat(100_000)}</domain>`,
      `<domain a='${'<'.repeat(500_000)}'/>`,
      `<domain>${' '.repeat(4_000_000)}</domain>`,
    ];
    for (const attack of attacks) {
      const started = performance.now();
      const result = readDomainMemory(attack);
      expect(result.ok ? '' : result.error.problem).toMatch(/^.{1,300}$/s);
      expect(performance.now() - started).toBeLessThan(5_000);
    }
  });
});

describe('numbers', () => {
  test('with a unit are exact: against the same computed in big integers', () => {
    const units = { b: 1n, KiB: 1n << 10n, KB: 1000n, MiB: 1n << 20n, MB: 10n ** 6n, GiB: 1n << 30n, TiB: 1n << 40n };
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(...Object.keys(units)), (count, unit) => {
        const exactBytes = BigInt(count) * units[unit as keyof typeof units];
        const rounded = ((exactBytes + 1023n) / 1024n) * 1024n;
        const expected = rounded <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(rounded) : null;
        expect(parseScaledSize(String(count), unit)).toBe(expected);
      }),
    );
  });

  test('node sets come back as they were written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(1023), { minLength: 1 }), (nodes) => {
        expect(parseNodeSet(formatNodeSet(nodes))).toEqual([...nodes].sort((a, b) => a - b));
      }),
    );
  });
});
