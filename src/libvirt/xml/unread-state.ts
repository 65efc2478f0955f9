/**
 * What a newer Dimmer keeps in the state of a domain beside what this one reads: it is written again as it was
 * (docs/adr/0026-what-is-not-known-is-kept.md).
 */
import type { XMLBuilder } from 'xmlbuilder2/lib/interfaces.js';
import { isSameModule } from '../../memory/module.ts';
import type { Claim, Mark, OperationState, Replacement } from '../../memory/operation-state.ts';
import type { XmlElement } from './tree.ts';

/** Attributes and elements of one element that aren't known. */
export type Unread = Pick<XmlElement, 'attributes' | 'children'>;

/** What wasn't read, beside the element that it belongs to. */
export type UnreadState = {
  readonly state: Unread;
  readonly claim: readonly [Claim, Unread] | null;
  readonly replacement: readonly [Replacement, Unread] | null;
  readonly marks: readonly (readonly [Mark, Unread])[];
};

/** An operation state as it was read from a domain. */
export type KeptState = OperationState & {
  /** Absent: all of it is known. */
  readonly unread?: UnreadState;
};

/** Whether there is nothing in it. */
export const isNothing = ({ attributes, children }: Unread): boolean => attributes.size === 0 && children.length === 0;

/** The state with what wasn't read of it, if anything. */
export function withUnread(state: OperationState, unread: UnreadState): KeptState {
  const parts = [unread.claim, unread.replacement, ...unread.marks].flatMap((part) => (part === null ? [] : [part[1]]));
  return [unread.state, ...parts].every(isNothing) ? state : { ...state, unread };
}

/** For a claim of the same object, whatever its generation: what it says of another is over with that. */
export function unreadOfClaim(unread: UnreadState | undefined, claim: Claim): Unread | undefined {
  const [before, rest] = unread?.claim ?? [];
  return before?.clusterId === claim.clusterId && before.objectUid === claim.objectUid ? rest : undefined;
}

/** For the same replacement. */
export function unreadOfReplacement(unread: UnreadState | undefined, wanted: Replacement): Unread | undefined {
  const [before, rest] = unread?.replacement ?? [];
  return before?.slot === wanted.slot && before.generation === wanted.generation ? rest : undefined;
}

/** For the mark of the same request, however often it was repeated: a later module may be at the same place. */
export const unreadOfMark = (unread: UnreadState | undefined, mark: Mark): Unread | undefined =>
  unread?.marks.find(([before]) => isSameModule(before, mark) && before.firstAskedAtMs === mark.firstAskedAtMs)?.[1];

/**
 * Any text of XML, so that it is read back as it was. xmlbuilder2 leaves alone what looks like an entity, and white
 * space in attributes is normalised unless it is written as references (XML 1.0, 3.3.3).
 */
const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll(/[\t\n\r]/g, (space) => `&#${space.charCodeAt(0)};`);

/** Writes into `target` what wasn't read of the element that it stands for. */
export function writeUnread(target: XMLBuilder, unread: Unread | undefined): void {
  if (unread === undefined) return;
  for (const [name, value] of unread.attributes) target.att(name, escape(value));
  for (const child of unread.children) {
    const element = target.ele(child.name);
    writeUnread(element, child);
    // Beside elements there is only white space (read-operation-state.ts).
    if (child.children.length === 0 && child.text !== '') element.txt(escape(child.text));
  }
}
