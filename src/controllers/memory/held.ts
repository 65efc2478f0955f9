/**
 * Statuses that aren't written yet, since what they say may be over in a moment. Most resizes end within a second, and a
 * write that says "waiting for the guest" costs the API server and everybody who watches as much as the one that says
 * that it is done. What they say is kept by {@link Unwritten} meanwhile. Kept in memory only.
 */
import type { Reason } from '../../api/v1alpha1/reasons.ts';
import type { ResourceKey } from '../../runtime/resources.ts';
import type { ReconcileScope } from './scope.ts';

/** Longer nobody is kept waiting for the first word of a resize. */
export const longestHoldMs = 1_000;

/** What a resize is in the middle of while it goes as it should. */
const passingReasons: ReadonlySet<Reason> = new Set<Reason>([
  'Plugging',
  'Unplugging',
  'Replacing',
  'Releasing',
  'WaitingForGuest',
]);

type Entry = {
  readonly sinceMs: number;
  readonly write: () => Promise<unknown>;
};

/** See the file's comment. */
export class Held {
  readonly #entries = new Map<ResourceKey, Entry>();

  /**
   * Holds back a status that says `reason`, if it is worth it: something was changed just now, and goes as it should.
   * @param write writes it after all
   * @returns for how long it may stay unwritten, ms; 0: it is to be written now
   */
  hold(scope: ReconcileScope, reason: Reason, nowMs: number, write: Entry['write']): number {
    const { key, hasChanged } = scope;
    const held = this.#entries.get(key);
    // What was asked for by an annotation is asked for until the status says that it is done.
    if (scope.retryNow || scope.observeRequestedAt !== undefined) return 0;
    if (!passingReasons.has(reason) || !(hasChanged || held !== undefined)) return 0;
    const sinceMs = held?.sinceMs ?? nowMs;
    const leftMs = sinceMs + longestHoldMs - nowMs;
    // A clock that was set back holds nothing for long.
    if (leftMs <= 0 || leftMs > longestHoldMs) return 0;
    this.#entries.set(key, { sinceMs, write });
    return leftMs;
  }

  /** A newer one is about to be written, or the resource is gone. */
  forget(key: ResourceKey): void {
    this.#entries.delete(key);
  }

  /** The process ends: whoever comes next begins with what is written. */
  async writeAll(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.map(({ write }) => write()));
  }
}
