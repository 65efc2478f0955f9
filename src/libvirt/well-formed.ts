/**
 * Whether a text is well-formed XML without a document type. fast-xml-parser takes tags that don't match and even
 * `</a b="c"/>` for granted (its validator does, too), and would read half of a damaged document as a whole one.
 */

/** XML's names, and a few more. */
const name = String.raw`[A-Za-z_\u0080-\uffff][\w.:\-\u0080-\uffff]*`;

/** One piece of a document; the pieces follow each other without a gap. */
const piece = new RegExp(
  [
    String.raw`<!--[\s\S]*?-->`,
    String.raw`<!\[CDATA\[[\s\S]*?\]\]>`,
    String.raw`<\?[\s\S]*?\?>`,
    String.raw`</(?<closed>${name})\s*>`,
    String.raw`<(?<open>${name})(?<attributes>(?:\s+${name}\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(?<empty>/?)>`,
    String.raw`(?<text>[^<]+)`,
  ].join('|'),
  'y',
);

const attribute = /([^\s=]+)\s*=\s*(?:"[^"]*"|'[^']*')/g;

/** The name of an attribute that is there twice. */
function repeatedAttribute(attributes: string): string | undefined {
  const names = [...attributes.matchAll(attribute)].map((match) => match[1] ?? '');
  return new Set(names).size === names.length ? undefined : names.find((name, index) => names.indexOf(name) !== index);
}

/**
 * What is wrong with `text` in words, or null. Takes time that grows with its length.
 * @param maxDepth elements in elements
 */
export function findMalformation(text: string, maxDepth: number): string | null {
  const openTags: string[] = [];
  let roots = 0;
  piece.lastIndex = 0;
  while (piece.lastIndex < text.length) {
    const at = piece.lastIndex;
    const groups = piece.exec(text)?.groups;
    const problem = ((): string | null => {
      if (groups === undefined && piece.lastIndex === 0) {
        return text.startsWith('<!DOCTYPE', at) ? 'a document type is not accepted' : 'a tag is not understood';
      }
      if (groups?.['closed'] !== undefined) {
        const opened = openTags.pop();
        return opened === groups['closed'] ? null : `</${groups['closed']}> closes <${opened ?? ''}>`;
      }
      if (groups?.['open'] !== undefined) {
        if (openTags.length === 0) roots++;
        if (groups['empty'] === '') openTags.push(groups['open']);
        if (openTags.length > maxDepth) return `more than ${maxDepth} elements are nested`;
        const repeated = repeatedAttribute(groups['attributes'] ?? '');
        return repeated === undefined ? null : `attribute ${repeated} is there twice`;
      }
      const outside = openTags.length === 0 && (groups?.['text'] ?? '').trim() !== '';
      return outside ? 'there is text outside of the element' : null;
    })();
    if (problem !== null) return `${problem} (line ${text.slice(0, at).split('\n').length})`;
  }
  if (openTags.length > 0) return `<${openTags.at(-1) ?? ''}> is not closed`;
  return roots === 1 ? null : 'it is not one element';
}
