/**
 * Whether a text is well-formed XML without a document type. fast-xml-parser takes tags that don't match and even
 * `</a b="c"/>` for granted (its validator does, too), and would read half of a damaged document as a whole one.
 */

/** XML's names, and a few more. */
const name = String.raw`[A-Za-z_\u0080-\uffff][\w.:\-\u0080-\uffff]*`;

/** One piece of a document; the pieces follow each other without a gap. Groups by number: they are read often. */
const piece = new RegExp(
  [
    String.raw`[^<]+`,
    String.raw`</(${name})\s*>`,
    String.raw`<(${name})((?:\s+${name}\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(/?)>`,
    String.raw`<!--[\s\S]*?-->`,
    String.raw`<!\[CDATA\[[\s\S]*?\]\]>`,
    String.raw`<\?[\s\S]*?\?>`,
  ].join('|'),
  'y',
);

const attribute = /([^\s=]+)\s*=\s*(?:"[^"]*"|'[^']*')/g;

/** The name of an attribute that is there twice. */
function repeatedAttribute(attributes: string): string | undefined {
  if (attributes.indexOf('=') === attributes.lastIndexOf('=')) return undefined;
  const names = new Set<string>();
  attribute.lastIndex = 0;
  for (let match = attribute.exec(attributes); match !== null; match = attribute.exec(attributes)) {
    const [, name = ''] = match;
    if (names.has(name)) return name;
    names.add(name);
  }
  return undefined;
}

/** Told of the pieces of a document in their order, by where they begin and end in it. */
export type XmlVisitor = {
  /** A start tag; that of an empty element is followed by an end tag of no length. */
  open(name: string, start: number, end: number): void;
  /** The end tag of the element opened last. */
  close(start: number, end: number): void;
  /** Text or CDATA in an element. */
  text(start: number, end: number): void;
};

/**
 * Goes through `text` and gives what is wrong with it in words, or null. Takes time that grows with its length.
 * @param maxDepth elements in elements
 * @param visitor is told of everything before the first thing that is wrong
 */
export function walkXml(text: string, maxDepth: number, visitor: XmlVisitor): string | null {
  const openTags: string[] = [];
  let roots = 0;
  let at = 0;
  const inLine = (problem: string): string => `${problem} (line ${text.slice(0, at).split('\n').length})`;
  while (at < text.length) {
    piece.lastIndex = at;
    const match = piece.exec(text);
    if (match === null) {
      return inLine(text.startsWith('<!DOCTYPE', at) ? 'a document type is not accepted' : 'a tag is not understood');
    }
    const end = piece.lastIndex;
    const [whole, closed, opened, attributes = '', slash] = match;
    if (opened !== undefined) {
      if (openTags.length === 0) roots++;
      const repeated = repeatedAttribute(attributes);
      if (repeated !== undefined) return inLine(`attribute ${repeated} is there twice`);
      visitor.open(opened, at, end);
      if (slash === '') openTags.push(opened);
      else visitor.close(end, end);
      if (openTags.length > maxDepth) return inLine(`more than ${maxDepth} elements are nested`);
    } else if (closed !== undefined) {
      const expected = openTags.pop();
      if (expected !== closed) return inLine(`</${closed}> closes <${expected ?? ''}>`);
      visitor.close(at, end);
    } else if (!whole.startsWith('<') || whole.startsWith('<![')) {
      if (openTags.length > 0) visitor.text(at, end);
      else if (whole.trim() !== '') return inLine('there is text outside of the element');
    }
    at = end;
  }
  if (openTags.length > 0) return `<${openTags.at(-1) ?? ''}> is not closed`;
  return roots === 1 ? null : 'it is not one element';
}
