/**
 * Writes what Dimmer keeps in a domain's live metadata, as XML. libvirt keeps one element for each namespace URI. Read
 * by read-operation-state.ts; what only a newer Dimmer knows is kept (unread-state.ts).
 */
import { create } from 'xmlbuilder2';
import { isBytes } from '../../memory/bytes.ts';
import { keptText } from '../../memory/kept-text.ts';
import type { OperationState } from '../../memory/operation-state.ts';
import {
  isNothing,
  unreadOfClaim,
  unreadOfMark,
  unreadOfReplacement,
  type UnreadState,
  writeUnread,
} from './unread-state.ts';

/** The agent's alone: claim, marks and the replacement that was begun. */
export const stateNamespace = 'https://dimmer.dev/xmlns/state/1';
export const statePrefix = 'dimmer';

function checkText(name: string, value: string): void {
  if (!keptText.test(value)) throw new RangeError(`${name} '${value.slice(0, 64)}' can't be kept with the domain`);
}

/** What can't be read back isn't written: an unreadable state keeps everybody away from the domain. */
function checkNumbers(element: object): void {
  for (const [name, value] of Object.entries(element) as [string, unknown][]) {
    if (typeof value === 'number' && !isBytes(value)) throw new RangeError(`${name} ${value} is no whole number`);
  }
}

/**
 * The `<state>` element for an operation state; null when there is nothing to keep, so that the element goes away.
 * @param unread what stands there now and isn't known: it stays with what it belongs to, and goes with it
 * @throws RangeError when a text in it isn't 1 to 253 printable ASCII characters without `&`, or a number isn't whole:
 * a fault of the caller
 */
export function writeState(state: OperationState, unread?: UnreadState): string | null {
  const isEmpty = state.claim === null && state.marks.length === 0 && state.replacement === null;
  if (isEmpty && (unread === undefined || isNothing(unread.state))) return null;
  for (const [name, value] of Object.entries(state.claim ?? {})) {
    if (typeof value === 'string') checkText(name, value);
  }
  for (const mark of state.marks) checkText('alias', mark.alias);
  for (const element of [state.claim, state.replacement, ...state.marks]) checkNumbers(element ?? {});
  const root = create().ele('state');
  if (state.claim !== null) {
    const { clusterId, objectUid, namespace, generation } = state.claim;
    const element = root.ele('claim', { clusterId, objectUid, namespace, generation });
    writeUnread(element, unreadOfClaim(unread, state.claim));
  }
  if (state.replacement !== null) {
    const { slot, generation } = state.replacement;
    const element = root.ele('replacement', { slot, generation });
    writeUnread(element, unreadOfReplacement(unread, state.replacement));
  }
  for (const mark of state.marks) {
    const { slot, base, size, alias, generation, firstAskedAtMs, lastAskedAtMs, attempts, phase } = mark;
    const element = root.ele('mark', {
      ...{ slot, base, size, alias, generation, firstAskedAtMs, lastAskedAtMs, attempts, phase },
    });
    writeUnread(element, unreadOfMark(unread, mark));
  }
  writeUnread(root, unread?.state);
  return root.end({ headless: true });
}
