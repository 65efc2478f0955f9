import { describe, expect, test } from 'vitest';
import { parseXml } from '../../../src/libvirt/xml/tree.ts';

const read = (xml: string) => {
  const result = parseXml(xml);
  if (!result.ok) throw new Error(result.error);
  return result.value;
};

describe('parseXml', () => {
  test('reads elements, attributes, text, CDATA and entities; leaves comments and instructions out', () => {
    const xml = `<?xml version="1.0"?>
      <!-- <x> & -- -->
      <a b = '1&lt;"' c="it's&#65;&#x42;">t&amp;<![CDATA[&amp;<x>]]><?pi <y> ?><d/>u</a>
      <!-- end -->`;
    const { name, attributes, text, children } = read(xml);
    expect([name, [...attributes], text]).toEqual([
      'a',
      [
        ['b', '1<"'],
        ['c', "it'sAB"],
      ],
      't&&amp;<x>u',
    ]);
    expect(children.map((child) => child.name)).toEqual(['d']);
  });

  test('resolves prefixes as they are declared, inner before outer', () => {
    const root = read(
      "<a xmlns='urn:1' xmlns:p='urn:2'><b/><p:b/><c xmlns:p='urn:3' xmlns=''><p:d/><d/></c><q:b/></a>",
    );
    const names = [root, ...root.children, ...(root.children[2]?.children ?? [])].map((e) => [e.namespace, e.name]);
    expect(names).toEqual([
      ['urn:1', 'a'],
      ['urn:1', 'b'],
      ['urn:2', 'b'],
      ['', 'c'],
      ['', 'q:b'],
      ['urn:3', 'd'],
      ['', 'd'],
    ]);
    expect([...root.attributes]).toEqual([]);
  });

  test('lets a tag hold the end of another in its attributes', () => {
    expect(read(`<a b="/>" c='>/a>'/>`).attributes.get('c')).toBe('>/a>');
  });

  test.each([
    '',
    ' ',
    'text',
    '<a>',
    '</a>',
    '<a></b>',
    '<a><b></a></b>',
    '<a></a x="1"/>',
    '<a></a/>',
    '<a/><b/>',
    '<a/>text',
    'text<a/>',
    '<a x="1" x="2"/>',
    '<a x/>',
    '<a x=1/>',
    '<a x="1"y="2"/>',
    '<a x="<"/>',
    '<a x="&"/>',
    '<a>&</a>',
    '<a>&b</a>',
    '<a>&b;</a>',
    '<a>&#0;</a>',
    '<a>&#x110000;</a>',
    '<a>& b</a>',
    '<1/>',
    '<#text>x</#text>',
    '<:@/>',
    '<a><!-- </a>',
    '<a><![CDATA[ </a>',
    '<?xml',
    '<!DOCTYPE a><a/>',
    '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    '<a><!ELEMENT b></a>',
    '<a><__proto__ x="1"/></a>',
  ])('refuses %s', (xml) => {
    expect(parseXml(xml)).toEqual({ ok: false, error: expect.stringMatching(/./) as string });
  });

  test('says in which line', () => {
    expect(parseXml('<a>\n<b>\n</c></a>')).toEqual({
      ok: false,
      error: 'is not well-formed: </c> closes <b> (line 3)',
    });
  });
});
