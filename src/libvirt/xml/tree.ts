/** XML as a plain tree: bounded, without entities of its own, names resolved to their namespaces. */
import { XMLParser } from 'fast-xml-parser';
import { cutXml, type Outline, type XmlPart } from './parts.ts';
import { fail, type Result, succeed } from '../../memory/result.ts';

export type XmlElement = {
  /** Without its prefix. */
  readonly name: string;
  /** Namespace URI; '' for none. */
  readonly namespace: string;
  /** Without namespace declarations. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** All text directly in the element, CDATA included, untrimmed. */
  readonly text: string;
};

/** libvirt's protocol carries no longer string. */
const maxXmlLength = 4 * 1024 * 1024;
const maxDepth = 100;

const predefined: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Replaces the five predefined entities and character references; there are no others without a DTD. */
function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll(/&([^&;\s]{0,32});?/g, (whole, name: string) => {
    if (!whole.endsWith(';')) throw new Error(`'${whole}' is not an entity`);
    const known = predefined[name];
    if (known !== undefined) return known;
    const reference = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name);
    const code = parseInt(reference?.[1] ?? reference?.[2] ?? '', reference?.[1] === undefined ? 10 : 16);
    if (!(code > 0 && code <= 0x10ffff)) throw new Error(`entity '${whole}' is not known`);
    return String.fromCodePoint(code);
  });
}

/** Refuses a document type outright: libvirt writes none, and entities defined there are a way to attack a reader. */
const entityDecoder = {
  setExternalEntities: () => undefined,
  addInputEntities: () => {
    throw new Error('a document type is not accepted');
  },
  reset: () => undefined,
  setXmlVersion: () => undefined,
  decode: decodeEntities,
};

const textKey = '#text';
const attributesKey = ':@';

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  maxNestedTags: maxDepth,
  entityDecoder,
});

/** What the parser makes of an element: its name and its children under one key, attributes under ':@'. */
type RawNode = Readonly<Record<string, unknown>>;

/** Namespaces by prefix, as they hold in an element. */
class Namespaces {
  readonly #byPrefix: ReadonlyMap<string, string>;
  /** The same text for the same namespaces. */
  readonly key: string;

  constructor(byPrefix: ReadonlyMap<string, string>, key: string) {
    this.#byPrefix = byPrefix;
    this.key = key;
  }

  get(prefix: string): string | undefined {
    return this.#byPrefix.get(prefix);
  }

  with(prefix: string, uri: string): Namespaces {
    return new Namespaces(new Map(this.#byPrefix).set(prefix, uri), `${this.key}${prefix}=${JSON.stringify(uri)};`);
  }
}

const noNamespaces = new Namespaces(new Map(), '');

/** An element, and the namespaces that hold in it. */
type Read = { readonly element: XmlElement; readonly namespaces: Namespaces };

/**
 * Elements that were read before, by their text. One for each document that is read again and again: after a reading it
 * holds what was in that one, no more.
 */
export class XmlElements {
  #known = new Map<string, Read>();
  #next = new Map<string, Read>();

  /** What `key` stood for in this reading or the one before. */
  find(key: string): Read | undefined {
    return this.#next.get(key) ?? this.#known.get(key);
  }

  keep(key: string, read: Read): void {
    this.#next.set(key, read);
  }

  /** After a reading. */
  turn(): void {
    this.#known = this.#next;
    this.#next = new Map();
  }
}

function splitName(name: string): readonly [string, string] {
  const colon = name.indexOf(':');
  return colon < 0 ? ['', name] : [name.slice(0, colon), name.slice(colon + 1)];
}

/** Most elements have neither; what is kept of many domains must be small. */
const noAttributes: XmlElement['attributes'] = new Map();
const noChildren: XmlElement['children'] = [];

/** Attributes, and the namespaces that hold in their element. */
function readAttributes(raw: RawNode, outer: Namespaces): Pick<XmlElement, 'attributes'> & Pick<Read, 'namespaces'> {
  const written = raw[attributesKey] as Readonly<Record<string, string>> | undefined;
  if (written === undefined) return { attributes: noAttributes, namespaces: outer };
  const attributes = new Map<string, string>();
  let namespaces = outer;
  for (const [attribute, value] of Object.entries(written)) {
    const [prefix, local] = splitName(attribute);
    if (attribute === 'xmlns' || prefix === 'xmlns') namespaces = namespaces.with(prefix === '' ? '' : local, value);
    else attributes.set(attribute, value);
  }
  return { attributes, namespaces };
}

function toElement(written: string, raw: RawNode, outer: Namespaces): Read {
  const { attributes, namespaces } = readAttributes(raw, outer);
  const [prefix, local] = splitName(written);
  const namespace = namespaces.get(prefix);
  const children: XmlElement[] = [];
  let text = '';
  for (const child of raw[written] as RawNode[]) {
    const childName = nameOf(child);
    if (childName === undefined) continue;
    if (childName === textKey) text += child[textKey] as string;
    else children.push(toElement(childName, child, namespaces).element);
  }
  const element: XmlElement = {
    // As libxml2 has it: an undeclared prefix is part of the name.
    name: namespace === undefined ? written : local,
    namespace: namespace ?? '',
    attributes,
    children: children.length === 0 ? noChildren : children,
    text,
  };
  return { element, namespaces };
}

const nameOf = (node: RawNode): string | undefined => Object.keys(node).find((key) => key !== attributesKey);

/** @throws Error when the parser, or an entity in the text, can't be understood */
function readElement(text: string, outer: Namespaces): Read {
  const nodes = parser.parse(text) as RawNode[];
  const [node] = nodes;
  const name = node === undefined ? undefined : nameOf(node);
  if (node === undefined || name === undefined || name === textKey || nodes.length > 1) {
    throw new Error('is not one XML element');
  }
  return toElement(name, node, outer);
}

function readPart({ text, parts }: XmlPart, outer: Namespaces, elements: XmlElements): XmlElement {
  // The text after the key's first line is a slice of the key: what is kept of the element keeps no document alive.
  const key = `${outer.key}\n${text}`;
  const read = elements.find(key) ?? readElement(key.slice(outer.key.length + 1), outer);
  elements.keep(key, read);
  const { element, namespaces } = read;
  return parts.length === 0
    ? element
    : { ...element, children: parts.map((part) => readPart(part, namespaces, elements)) };
}

/** The parser quotes what it doesn't understand, however long that is. */
const refuse = (problem: string): Result<XmlElement, string> => fail(problem.slice(0, 300));

/**
 * The root element of a document, or what is wrong with it in words. Never throws.
 * @param outline what is wanted of the elements in it; the others are left out, and only have to be well-formed
 * @param elements what was read of the document before, which isn't read again
 */
export function parseXml(
  text: string,
  outline: Outline | 'whole' = 'whole',
  elements: XmlElements = new XmlElements(),
): Result<XmlElement, string> {
  if (text.length > maxXmlLength) return refuse(`is ${text.length} characters long`);
  try {
    const cut = cutXml(text, outline, maxDepth);
    if (!cut.ok) return refuse(`is not well-formed: ${cut.error}`);
    return succeed(readPart(cut.value, noNamespaces, elements));
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  } finally {
    elements.turn();
  }
}

/** The first child of that name and no namespace. */
export const childOf = (element: XmlElement, name: string): XmlElement | undefined =>
  element.children.find((child) => child.name === name && child.namespace === '');

/** All children of that name and no namespace. */
export const childrenOf = (element: XmlElement | undefined, name: string): readonly XmlElement[] =>
  element?.children.filter((child) => child.name === name && child.namespace === '') ?? [];
