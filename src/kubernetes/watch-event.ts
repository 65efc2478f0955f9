/** One line of a watch response (metav1.WatchEvent). */
import { asNumber, asObject, asString, isObject } from '../api/v1alpha1/decode/json.ts';

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

/** Reads one line of a watch. Never throws. */
export function parseWatchEvent(line: string): WatchEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (error) {
    return garbled(error instanceof Error ? error.message : String(error));
  }
  if (!isObject(event)) return garbled('not an object');
  const object = asObject(event['object']);
  if (event['type'] === 'ERROR') {
    const message = asString(object?.['message']) ?? 'an error without a message';
    const expired = isExpired(asNumber(object?.['code']) ?? 0, asString(object?.['reason']) ?? '');
    return { type: expired ? 'expired' : 'error', message };
  }
  const resourceVersion = asString(asObject(object?.['metadata'])?.['resourceVersion']);
  if (resourceVersion === undefined || resourceVersion === '') return garbled('an object without a resourceVersion');
  switch (event['type']) {
    case 'ADDED':
    case 'MODIFIED':
      return { type: 'changed', object, resourceVersion };
    case 'DELETED':
      return { type: 'deleted', object, resourceVersion };
    case 'BOOKMARK':
      return { type: 'bookmark', resourceVersion };
    default:
      return garbled(`an event of unknown type ${JSON.stringify(event['type'])}`);
  }
}
