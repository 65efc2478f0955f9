/** One line of a watch response (metav1.WatchEvent). */
import { anything, finiteNumber, Mismatch, object, type Of, orElse, text } from '../memory/shape.ts';

export type WatchEvent =
  | { readonly type: 'changed'; readonly object: unknown; readonly resourceVersion: string }
  | { readonly type: 'deleted'; readonly object: unknown; readonly resourceVersion: string }
  | { readonly type: 'bookmark'; readonly resourceVersion: string }
  /** The server can't go on from where we are: list again. */
  | { readonly type: 'expired'; readonly message: string }
  | { readonly type: 'error'; readonly message: string }
  | { readonly type: 'garbled'; readonly message: string };

/** Whether a status says that the resource version asked for is too old (410) or not reached yet (504). */
export const isExpired = (status: number, reason: string): boolean =>
  status === 410 || reason === 'Expired' || reason === 'Gone' || (status === 504 && reason === 'Timeout');

const garbled = (message: string): WatchEvent => ({ type: 'garbled', message });

const watchEvent = object({ type: anything, object: anything });
const versioned = object({ metadata: object({ resourceVersion: text({ minLength: 1 }) }) });
const noStatus = { message: 'an error without a message', code: 0, reason: '' };
const status = object({
  message: orElse(noStatus.message, text()),
  code: orElse(noStatus.code, finiteNumber),
  reason: orElse(noStatus.reason, text()),
});

/** Reads one line of a watch. Never throws. */
export function parseWatchEvent(line: string): WatchEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (error) {
    return garbled(error instanceof Error ? error.message : String(error));
  }
  const read = watchEvent.read(event);
  if (read instanceof Mismatch) return garbled(read.explain('it'));
  const { type, object: changed } = read;
  if (type === 'ERROR') {
    const { message, code, reason } = orElse(noStatus, status).read(changed) as Of<typeof status>;
    return { type: isExpired(code, reason) ? 'expired' : 'error', message };
  }
  const version = versioned.read(changed);
  if (version instanceof Mismatch) return garbled('an object without a resourceVersion');
  const { resourceVersion } = version.metadata;
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return { type: 'changed', object: changed, resourceVersion };
    case 'DELETED':
      return { type: 'deleted', object: changed, resourceVersion };
    case 'BOOKMARK':
      return { type: 'bookmark', resourceVersion };
    default:
      return garbled(`an event of unknown type ${JSON.stringify(type)}`);
  }
}
