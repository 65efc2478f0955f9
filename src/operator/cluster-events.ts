/** Events as a cluster keeps them: core/v1, also those that were written as events.k8s.io/v1. Pure. */
import { isObject } from '../memory/shape.ts';
import type { ShownEvent } from '../view/events.ts';

const textIn = (object: Readonly<Record<string, unknown>>, name: string): string | null => {
  const value = object[name];
  return typeof value === 'string' && value !== '' ? value : null;
};

/** `uid`: of what it is about. */
export type ClusterEvent = ShownEvent & { readonly uid: string | null };

/** The newest last; what isn't one is left out. */
export function readClusterEvents(objects: readonly unknown[]): readonly ClusterEvent[] {
  return objects
    .flatMap((object): readonly ClusterEvent[] => {
      if (!isObject(object)) return [];
      const series = isObject(object['series']) ? object['series'] : {};
      const about = isObject(object['involvedObject']) ? object['involvedObject'] : {};
      const metadata = isObject(object['metadata']) ? object['metadata'] : {};
      const lastSeen =
        textIn(series, 'lastObservedTime') ??
        textIn(object, 'lastTimestamp') ??
        textIn(object, 'eventTime') ??
        textIn(metadata, 'creationTimestamp');
      if (lastSeen === null) return [];
      const count = series['count'] ?? object['count'];
      return [
        {
          type: object['type'] === 'Warning' ? 'Warning' : 'Normal',
          reason: textIn(object, 'reason') ?? '?',
          message: textIn(object, 'message') ?? '',
          count: typeof count === 'number' ? count : 1,
          lastSeen,
          uid: textIn(about, 'uid'),
        },
      ];
    })
    .toSorted((a, b) => Date.parse(a.lastSeen) - Date.parse(b.lastSeen));
}
