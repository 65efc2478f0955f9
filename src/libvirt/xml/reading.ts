/** Reading single values of a domain's XML; what can't be read is an error that names its path. */
import type { Bytes } from '../../memory/bytes.ts';
import { parseCount, parseNodeSet, parseScaledSize } from './scaled-size.ts';
import { childOf, type XmlElement } from './tree.ts';

/** Doesn't leave this room: {@link readDomainMemory} makes a result of it. */
export class DomainXmlError extends Error {
  readonly path: string;

  constructor(path: string, problem: string) {
    super(problem);
    this.path = path;
  }
}

/** Guest and host NUMA nodes are numbered up to this. */
export const maxNode = 1023;
/** libvirt's DIMM slots are numbered up to this. */
export const maxSlot = 255;

export const quote = (text: string): string => `'${text.trim().slice(0, 64)}'`;

export function requireChild(parent: XmlElement, name: string, path: string): XmlElement {
  const child = childOf(parent, name);
  if (child === undefined) throw new DomainXmlError(path === '' ? name : `${path}/${name}`, 'is missing');
  return child;
}

/** An element such as `<size unit='KiB'>524288</size>`. */
export function sizeOf(element: XmlElement, path: string): Bytes {
  const unit = element.attributes.get('unit');
  const size = parseScaledSize(element.text, unit);
  if (size === null) {
    throw new DomainXmlError(path, `${quote(element.text)} with unit ${quote(unit ?? 'KiB')} is not a size of memory`);
  }
  return size;
}

export function countOf(text: string | undefined, max: number, path: string): number {
  const count = parseCount(text, max);
  if (count === null) throw new DomainXmlError(path, `${quote(text ?? '')} is not a whole number from 0 to ${max}`);
  return count;
}

export function nodeSetOf(text: string, path: string): readonly number[] {
  const nodes = parseNodeSet(text);
  if (nodes === null) throw new DomainXmlError(path, `${quote(text)} is not a set of nodes`);
  return nodes;
}

/** The child of a child of ..., undefined where one is missing. */
export const descend = (element: XmlElement | undefined, ...names: readonly string[]): XmlElement | undefined =>
  names.reduce<XmlElement | undefined>((parent, name) => parent && childOf(parent, name), element);
