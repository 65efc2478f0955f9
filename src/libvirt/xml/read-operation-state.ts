/**
 * Reads what Dimmer keeps in a domain's live metadata. What is damaged is an error that names it, so that nobody acts as
 * if nothing were there; what only a newer Dimmer knows is kept (unread-state.ts).
 */
import { type Bytes, isBytes } from '../../memory/bytes.ts';
import { isSameModule } from '../../memory/module.ts';
import { type Claim, emptyOperationState, type Mark, type Replacement } from '../../memory/operation-state.ts';
import type { XmlResult } from './domain-memory.ts';
import { keptText } from '../../memory/kept-text.ts';
import { stateNamespace } from './operation-state.ts';
import { parseXml, type XmlElement } from './tree.ts';
import { type KeptState, type Unread, type UnreadState, withUnread } from './unread-state.ts';

/** Stays inside this file. */
class StateXmlError extends Error {
  readonly path: string;

  constructor(path: string, problem: string) {
    super(problem);
    this.path = path;
  }
}

function refuseText(element: XmlElement, path: string): void {
  if (element.text.trim() !== '') throw new StateXmlError(path, 'has text inside');
}

/**
 * A newer Dimmer adds attributes and elements without a prefix, in the state's namespace or none; anything else can't
 * be written again as it was.
 */
function checkKeepable({ attributes, children }: Unread, path: string): void {
  for (const name of attributes.keys()) {
    if (name.includes(':')) throw new StateXmlError(`${path}/@${name}`, 'is not known');
  }
  for (const child of children) {
    const childPath = `${path}/${child.name}`;
    const isOurs = child.namespace === '' || child.namespace === stateNamespace;
    if (!isOurs || child.name.includes(':')) throw new StateXmlError(childPath, 'is not known');
    if (child.children.length > 0) refuseText(child, childPath);
    checkKeepable(child, childPath);
  }
}

/** The attributes of one element, each of which must be there; others are kept. */
class Attributes {
  readonly #element: XmlElement;
  readonly #path: string;
  readonly #unread: Set<string>;

  constructor(element: XmlElement, path: string) {
    this.#element = element;
    this.#path = path;
    this.#unread = new Set(element.attributes.keys());
    refuseText(element, path);
  }

  text(name: string): string {
    this.#unread.delete(name);
    const value = this.#element.attributes.get(name);
    if (value === undefined) throw new StateXmlError(`${this.#path}/@${name}`, 'is missing');
    if (!keptText.test(value)) throw new StateXmlError(`${this.#path}/@${name}`, 'is not a printable text');
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

  /** What was not asked for. */
  unread(): Unread {
    const { attributes, children } = this.#element;
    const unread = { attributes: new Map([...attributes].filter(([name]) => this.#unread.has(name))), children };
    checkKeepable(unread, this.#path);
    return unread;
  }
}

function readClaim(element: XmlElement): readonly [Claim, Unread] {
  const attributes = new Attributes(element, 'state/claim');
  const claim = {
    clusterId: attributes.text('clusterId'),
    objectUid: attributes.text('objectUid'),
    namespace: attributes.text('namespace'),
    generation: attributes.whole('generation', 1),
  };
  return [claim, attributes.unread()];
}

function readReplacement(element: XmlElement): readonly [Replacement, Unread] {
  const path = 'state/replacement';
  const attributes = new Attributes(element, path);
  const replacement = { slot: attributes.slot(), generation: attributes.whole('generation', 1) };
  return [replacement, attributes.unread()];
}

function readMark(element: XmlElement, path: string): readonly [Mark, Unread] {
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
  return [mark, attributes.unread()];
}

/** Whether this version reads the element. */
const isKnown = (name: string): boolean => name === 'claim' || name === 'replacement' || name === 'mark';

function readStateParts(element: XmlElement): KeptState {
  if (element.name !== 'state') throw new StateXmlError(element.name, `is not 'state'`);
  refuseText(element, 'state');
  let claim: UnreadState['claim'] = null;
  let replacement: UnreadState['replacement'] = null;
  const marks: (readonly [Mark, Unread])[] = [];
  for (const child of element.children) {
    if (child.name === 'claim' && claim === null) {
      claim = readClaim(child);
    } else if (child.name === 'replacement' && replacement === null) {
      replacement = readReplacement(child);
    } else if (child.name === 'mark') {
      const path = `state/mark[${marks.length}]`;
      const read = readMark(child, path);
      if (marks.some(([other]) => isSameModule(other, read[0]))) {
        throw new StateXmlError(path, 'marks a module a second time');
      }
      marks.push(read);
    } else if (isKnown(child.name)) {
      throw new StateXmlError(`state/${child.name}`, 'is there twice');
    }
  }
  const children = element.children.filter((child) => !isKnown(child.name));
  const [first] = children;
  // It may be a claim that was damaged; whoever adds elements does so beside a claim.
  if (claim === null && first !== undefined) throw new StateXmlError(`state/${first.name}`, 'is not known');
  const state = { attributes: element.attributes, children };
  checkKeepable(state, 'state');
  const value = {
    claim: claim?.[0] ?? null,
    marks: marks.map(([mark]) => mark),
    replacement: replacement?.[0] ?? null,
  };
  return withUnread(value, { state, claim, replacement, marks });
}

/** The operation state of a `<state>` element, as a part of the domain's XML. */
export function readStateElement(element: XmlElement): XmlResult<KeptState> {
  try {
    return { ok: true, value: readStateParts(element) };
  } catch (error) {
    if (!(error instanceof StateXmlError)) throw error;
    return { ok: false, error: { path: error.path, problem: error.message } };
  }
}

/** The operation state of what `getMetadata` gave for {@link stateNamespace}; null stands for the empty state. */
export function readState(xml: string | null): XmlResult<KeptState> {
  if (xml === null) return { ok: true, value: emptyOperationState };
  const parsed = parseXml(xml);
  return parsed.ok ? readStateElement(parsed.value) : { ok: false, error: { path: 'state', problem: parsed.error } };
}
