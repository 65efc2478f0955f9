/**
 * What Dimmer keeps in a domain's live metadata, as XML. libvirt keeps one element for each namespace URI; what is
 * unknown or damaged is an error that names it, so that nobody acts as if nothing were there.
 */
import { create } from 'xmlbuilder2';
import { type Bytes, isBytes } from '../memory/bytes.ts';
import {
  type Claim,
  emptyOperationState,
  type Mark,
  type OperationState,
  type Replacement,
} from '../memory/operation-state.ts';
import type { XmlResult } from './domain-memory.ts';
import { parseXml, type XmlElement } from './xml-tree.ts';

/** The agent's alone: claim, marks and the replacement that was begun. */
export const stateNamespace = 'https://dimmer.dev/xmlns/state/1';
export const statePrefix = 'dimmer';
/** The host admin's alone: which Kubernetes namespace the domain belongs to. */
export const ownerNamespace = 'https://dimmer.dev/xmlns/owner/1';

/** Stays inside this file. */
class StateXmlError extends Error {
  readonly path: string;

  constructor(path: string, problem: string) {
    super(problem);
    this.path = path;
  }
}

/**
 * Texts that survive XML unchanged: no white space, which is normalised in attributes, and no `&`, since xmlbuilder2
 * takes what looks like an entity for one.
 */
const textPattern = /^[\x21-\x25\x27-\x7e]{1,253}$/;

function checkText(name: string, value: string): void {
  if (!textPattern.test(value)) throw new RangeError(`${name} '${value.slice(0, 64)}' can't be kept with the domain`);
}

/** What can't be read back isn't written: an unreadable state keeps everybody away from the domain. */
function checkNumbers(element: object): void {
  for (const [name, value] of Object.entries(element) as [string, unknown][]) {
    if (typeof value === 'number' && !isBytes(value)) throw new RangeError(`${name} ${value} is no whole number`);
  }
}

/**
 * The `<state>` element for an operation state; null when there is nothing to keep, so that the element goes away.
 * @throws RangeError when a text in it isn't 1 to 253 printable ASCII characters without `&`, or a number isn't whole:
 * a fault of the caller
 */
export function writeState(state: OperationState): string | null {
  if (state.claim === null && state.marks.length === 0 && state.replacement === null) return null;
  for (const [name, value] of Object.entries(state.claim ?? {})) {
    if (typeof value === 'string') checkText(name, value);
  }
  for (const mark of state.marks) checkText('alias', mark.alias);
  for (const element of [state.claim, state.replacement, ...state.marks]) checkNumbers(element ?? {});
  const root = create().ele('state');
  if (state.claim !== null) {
    const { clusterId, objectUid, namespace, generation } = state.claim;
    root.ele('claim', { clusterId, objectUid, namespace, generation });
  }
  if (state.replacement !== null) {
    const { slot, generation } = state.replacement;
    root.ele('replacement', { slot, generation });
  }
  for (const mark of state.marks) {
    const { slot, base, size, alias, generation, firstAskedAtMs, lastAskedAtMs, attempts, phase } = mark;
    root.ele('mark', { slot, base, size, alias, generation, firstAskedAtMs, lastAskedAtMs, attempts, phase });
  }
  return root.end({ headless: true });
}

function refuseText(element: XmlElement, path: string): void {
  if (element.text.trim() !== '') throw new StateXmlError(path, 'has text inside');
}

/** The attributes of one element, each of which must be there and none else. */
class Attributes {
  readonly #element: XmlElement;
  readonly #path: string;
  readonly #unread: Set<string>;

  constructor(element: XmlElement, path: string) {
    this.#element = element;
    this.#path = path;
    this.#unread = new Set(element.attributes.keys());
    if (element.children.length > 0) throw new StateXmlError(path, 'has elements inside that are not known');
    refuseText(element, path);
  }

  text(name: string): string {
    this.#unread.delete(name);
    const value = this.#element.attributes.get(name);
    if (value === undefined) throw new StateXmlError(`${this.#path}/@${name}`, 'is missing');
    if (!textPattern.test(value)) throw new StateXmlError(`${this.#path}/@${name}`, 'is not a printable text');
    return value;
  }

  /** A whole number from `min` to 2^53 - 1. */
  whole(name: string, min: number): Bytes {
    const text = this.text(name);
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    if (!isBytes(value) || value < min) throw new StateXmlError(`${this.#path}/@${name}`, `'${text}' is out of range`);
    return value;
  }

  slot(): number {
    const slot = this.whole('slot', 0);
    if (slot > 255) throw new StateXmlError(`${this.#path}/@slot`, `'${slot}' is out of range`);
    return slot;
  }

  end(): void {
    for (const name of this.#unread) throw new StateXmlError(`${this.#path}/@${name}`, 'is not known');
  }
}

function readClaim(element: XmlElement): Claim {
  const attributes = new Attributes(element, 'state/claim');
  const claim = {
    clusterId: attributes.text('clusterId'),
    objectUid: attributes.text('objectUid'),
    namespace: attributes.text('namespace'),
    generation: attributes.whole('generation', 1),
  };
  attributes.end();
  return claim;
}

function readReplacement(element: XmlElement): Replacement {
  const path = 'state/replacement';
  const attributes = new Attributes(element, path);
  const replacement = { slot: attributes.slot(), generation: attributes.whole('generation', 1) };
  attributes.end();
  return replacement;
}

function readMark(element: XmlElement, path: string): Mark {
  const attributes = new Attributes(element, path);
  const phase = attributes.text('phase');
  if (phase !== 'leaving' && phase !== 'resting') throw new StateXmlError(`${path}/@phase`, `'${phase}' is not known`);
  const mark = {
    slot: attributes.slot(),
    base: attributes.whole('base', 0),
    size: attributes.whole('size', 1),
    alias: attributes.text('alias'),
    generation: attributes.whole('generation', 1),
    firstAskedAtMs: attributes.whole('firstAskedAtMs', 0),
    lastAskedAtMs: attributes.whole('lastAskedAtMs', 0),
    attempts: attributes.whole('attempts', 1),
    phase,
  } as const;
  attributes.end();
  return mark;
}

/** The operation state of a `<state>` element, as a part of the domain's XML. */
export function readStateElement(element: XmlElement): XmlResult<OperationState> {
  try {
    if (element.name !== 'state') throw new StateXmlError(element.name, `is not 'state'`);
    for (const name of element.attributes.keys()) throw new StateXmlError(`state/@${name}`, 'is not known');
    refuseText(element, 'state');
    let claim: Claim | null = null;
    let replacement: Replacement | null = null;
    const marks: Mark[] = [];
    for (const child of element.children) {
      if (child.name === 'claim' && claim === null) {
        claim = readClaim(child);
      } else if (child.name === 'replacement' && replacement === null) {
        replacement = readReplacement(child);
      } else if (child.name === 'mark') {
        const mark = readMark(child, `state/mark[${marks.length}]`);
        if (marks.some((other) => other.slot === mark.slot && other.base === mark.base)) {
          throw new StateXmlError(`state/mark[${marks.length}]`, 'marks a module a second time');
        }
        marks.push(mark);
      } else {
        const known = child.name === 'claim' || child.name === 'replacement';
        throw new StateXmlError(`state/${child.name}`, known ? 'is there twice' : 'is not known');
      }
    }
    return { ok: true, value: { claim, marks, replacement } };
  } catch (error) {
    if (!(error instanceof StateXmlError)) throw error;
    return { ok: false, error: { path: error.path, problem: error.message } };
  }
}

/** The operation state of what `getMetadata` gave for {@link stateNamespace}; null stands for the empty state. */
export function readState(xml: string | null): XmlResult<OperationState> {
  if (xml === null) return { ok: true, value: emptyOperationState };
  const parsed = parseXml(xml);
  return parsed.ok ? readStateElement(parsed.value) : { ok: false, error: { path: 'state', problem: parsed.problem } };
}

/** The namespace that an `<owner namespace="..."/>` element names. */
export function readOwnerElement(element: XmlElement): XmlResult<string> {
  const namespace = element.attributes.get('namespace');
  if (element.name !== 'owner') return { ok: false, error: { path: element.name, problem: `is not 'owner'` } };
  // RFC 1123 label, as Kubernetes has it for namespaces.
  if (namespace === undefined || !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)) {
    return { ok: false, error: { path: 'owner/@namespace', problem: 'is not the name of a namespace' } };
  }
  return { ok: true, value: namespace };
}

/** The namespace of what `getMetadata` gave for {@link ownerNamespace}; null: the admin said nothing. */
export function readOwner(xml: string | null): XmlResult<string | null> {
  if (xml === null) return { ok: true, value: null };
  const parsed = parseXml(xml);
  return parsed.ok ? readOwnerElement(parsed.value) : { ok: false, error: { path: 'owner', problem: parsed.problem } };
}
