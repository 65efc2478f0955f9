/** XML as a plain tree: bounded, without entities of its own, names resolved to their namespaces. */
import { XMLParser } from 'fast-xml-parser';
import { findMalformation } from './well-formed.ts';

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

export type ParsedXml =
  { readonly ok: true; readonly value: XmlElement } | { readonly ok: false; readonly problem: string };

/** libvirt's protocol carries no longer string. */
export const maxXmlLength = 4 * 1024 * 1024;
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
type Namespaces = ReadonlyMap<string, string>;

function splitName(name: string): readonly [string, string] {
  const colon = name.indexOf(':');
  return colon < 0 ? ['', name] : [name.slice(0, colon), name.slice(colon + 1)];
}

function toElement(name: string, raw: RawNode, outer: Namespaces): XmlElement {
  const attributes = new Map<string, string>();
  let namespaces = outer;
  for (const [attribute, value] of Object.entries((raw[attributesKey] ?? {}) as Record<string, string>)) {
    const [prefix, local] = splitName(attribute);
    if (attribute === 'xmlns' || prefix === 'xmlns') {
      namespaces = new Map(namespaces).set(prefix === '' ? '' : local, value);
    } else {
      attributes.set(attribute, value);
    }
  }

  const [prefix, local] = splitName(name);
  const namespace = namespaces.get(prefix);
  const children: XmlElement[] = [];
  let text = '';
  for (const child of raw[name] as RawNode[]) {
    const childName = Object.keys(child).find((key) => key !== attributesKey);
    if (childName === undefined) continue;
    if (childName === textKey) text += child[textKey] as string;
    else children.push(toElement(childName, child, namespaces));
  }
  // As libxml2 has it: an undeclared prefix is part of the name.
  if (namespace === undefined) return { name, namespace: '', attributes, children, text };
  return { name: local, namespace, attributes, children, text };
}

/** The parser quotes what it doesn't understand, however long that is. */
const refuse = (problem: string): ParsedXml => ({ ok: false, problem: problem.slice(0, 300) });

/** The root element of a document, or what is wrong with it in words. Never throws. */
export function parseXml(text: string): ParsedXml {
  if (text.length > maxXmlLength) return refuse(`is ${text.length} characters long`);
  try {
    const malformation = findMalformation(text, maxDepth);
    if (malformation !== null) return refuse(`is not well-formed: ${malformation}`);
    const nodes = parser.parse(text) as RawNode[];
    const roots = nodes.flatMap((node) => {
      const name = Object.keys(node).find((key) => key !== attributesKey);
      return name === undefined || name === textKey ? [] : [toElement(name, node, new Map())];
    });
    const [root] = roots;
    if (root === undefined || roots.length > 1) return refuse('is not one XML element');
    return { ok: true, value: root };
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

/** The first child of that name and no namespace. */
export const childOf = (element: XmlElement, name: string): XmlElement | undefined =>
  element.children.find((child) => child.name === name && child.namespace === '');

/** All children of that name and no namespace. */
export const childrenOf = (element: XmlElement | undefined, name: string): readonly XmlElement[] =>
  element?.children.filter((child) => child.name === name && child.namespace === '') ?? [];
