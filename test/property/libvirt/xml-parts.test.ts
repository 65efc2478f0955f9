/** A document taken apart and read piece by piece, with what was read before, is read as it would be in one go. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readDomainMemory } from '../../../src/libvirt/xml/domain.ts';
import type { Outline } from '../../../src/libvirt/xml/parts.ts';
import { parseXml, type XmlElement, XmlElements } from '../../../src/libvirt/xml/tree.ts';

const fixture = (name: string): string =>
  readFileSync(new URL(`../../unit/libvirt/fixtures/domains/${name}.xml`, import.meta.url), 'utf8');
const fixtures = ['rich-running', 'rich-shut-off', 'attaching', 'huge-pages', 'flat'].map(fixture);

const names = ['a', 'b', 'c', 'p:a', 'p:b'];
const name = fc.constantFrom(...names);
const declaration = fc.constantFrom('', ' xmlns="urn:1"', ' xmlns=""', ' xmlns:p="urn:2"', ' xmlns:p="urn:3"');
const text = fc.constantFrom('', ' ', 'x', '&lt;a&gt;', '<![CDATA[<b>]]>', '<!-- <c> -->', '<?pi <a>?>', '\n  ');

/** XML of elements in elements, with the names that outlines have. */
const document = fc.letrec<{ element: string }>((tie) => ({
  element: fc.oneof(
    { maxDepth: 4, depthSize: 'medium' },
    fc.tuple(name, declaration, text).map(([of, xmlns, inside]) => `<${of}${xmlns} b="1">${inside}</${of}>`),
    fc.tuple(name, declaration).map(([of, xmlns]) => `<${of}${xmlns}/>`),
    fc
      .tuple(name, declaration, fc.array(fc.tuple(text, tie('element')), { maxLength: 4 }), text)
      .map(([of, xmlns, inside, last]) => `<${of}${xmlns}>${inside.flat().join('')}${last}</${of}>`),
  ),
})).element;

const outline = fc.letrec<{ outline: Outline | 'whole' }>((tie) => ({
  outline: fc.oneof(
    { maxDepth: 4 },
    fc.constant('whole' as const),
    fc
      .uniqueArray(fc.tuple(fc.constantFrom(...names, '*'), tie('outline')), { selector: ([of]) => of, maxLength: 4 })
      .map((entries) => new Map(entries)),
  ),
})).outline;

/** The element's name as it is written: these documents bind `p` only, and `urn:1` only without a prefix. */
const writtenName = ({ name: local, namespace }: XmlElement): string =>
  namespace === '' || namespace === 'urn:1' ? local : `p:${local}`;

/** What `wanted` leaves of an element that was read in one go; the oracle. */
function prune(element: XmlElement, wanted: Outline | 'whole'): XmlElement {
  if (wanted === 'whole') return element;
  const children = element.children.flatMap((child) => {
    const inside = wanted.get(writtenName(child)) ?? wanted.get('*');
    return inside === undefined ? [] : [prune(child, inside)];
  });
  return { ...element, children };
}

describe('parseXml with an outline', () => {
  test('gives what is wanted of the document, and nothing else of it', () => {
    fc.assert(
      fc.property(document, outline, (xml, wanted) => {
        const whole = parseXml(xml);
        const parts = parseXml(xml, wanted);
        expect(parts).toEqual(whole.ok ? { ok: true, value: prune(whole.value, wanted) } : whole);
      }),
      { numRuns: 2_000 },
    );
  });

  test('passes over what the parser would refuse, where nobody asks for it', () => {
    const wanted: Outline = new Map([['a', 'whole']]);
    expect(parseXml('<d><constructor/><b>&unknown;</b></d>', wanted)).toMatchObject({ ok: true });
    expect(parseXml('<d><a>&unknown;</a></d>', wanted)).toMatchObject({ ok: false });
  });

  test('refuses what is not well-formed also where nobody looks', () => {
    const wanted: Outline = new Map([['a', 'whole']]);
    for (const broken of ['<d><b></d>', '<d><b x="1" x="2"/></d>', '<d><b></c></d>', '<d><b/>', '<d></d><b/>']) {
      expect(parseXml(broken, wanted)).toEqual({
        ok: false,
        error: expect.stringContaining('well-formed') as string,
      });
    }
  });
});

describe('with what was read before', () => {
  test('a document is read as if nothing had been', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(document, outline), { minLength: 2, maxLength: 6 }), (readings) => {
        const elements = new XmlElements();
        for (const [xml, wanted] of readings) expect(parseXml(xml, wanted, elements)).toEqual(parseXml(xml, wanted));
      }),
      { numRuns: 1_000 },
    );
  });

  test('a domain whose XML changes anywhere is read as if it were new', () => {
    const edit = fc.record({
      at: fc.nat(6_000),
      length: fc.nat(3),
      insert: fc.oneof(fc.constantFrom('0', '9', 'x', ' ', '<!-- -->', 'p:'), fc.string({ maxLength: 3 })),
    });
    fc.assert(
      fc.property(fc.constantFrom(...fixtures), fc.array(edit, { minLength: 1, maxLength: 5 }), (xml, edits) => {
        const elements = new XmlElements();
        readDomainMemory(xml, elements);
        for (const { at, length, insert } of edits) {
          const start = at % (xml.length + 1);
          const changed = xml.slice(0, start) + insert + xml.slice(start + length);
          expect(readDomainMemory(changed, elements)).toEqual(readDomainMemory(changed));
          expect(readDomainMemory(xml, elements)).toEqual(readDomainMemory(xml));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('what left a document is forgotten, and what stays in it is not read again', () => {
    const elements = new XmlElements();
    const wanted: Outline = new Map([['*', 'whole']]);
    const first = parseXml('<d><a>1</a><b/></d>', wanted, elements);
    const second = parseXml('<d><a>1</a></d>', wanted, elements);
    const third = parseXml('<d><a>1</a><b/></d>', wanted, elements);
    if (!first.ok || !second.ok || !third.ok) throw new Error('not read');
    expect(second.value.children[0]).toBe(first.value.children[0]);
    expect(third.value.children[0]).toBe(first.value.children[0]);
    expect(third.value.children[1]).not.toBe(first.value.children[1]);
  });
});
