/**
 * A line before a number of places: the most urgent first, among equals in order of arrival. While a place is free
 * nobody waits.
 */
import { urgencies, type Urgency } from './urgency.ts';

/** Gives the place to the next; does nothing the second time. */
export type Leave = () => void;

type Waiting = {
  readonly urgency: () => Urgency;
  readonly admit: (leave: Leave | null) => void;
};

export class Line {
  readonly #places: () => number;
  readonly #waiting = new Set<Waiting>();
  #taken = 0;
  #closed = false;

  /** @param places how many there are, 1 or more; asked whenever a place may be free, so that it may change */
  constructor(places: () => number) {
    this.#places = places;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes a place if one is free; null: none is. */
  tryTake(): Leave | null {
    if (this.#closed || this.#taken >= this.#places()) return null;
    this.#taken += 1;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#taken -= 1;
      this.admit();
    };
  }

  /**
   * Waits for a place. null: the line was closed, or `signal` aborted.
   * @param urgency asked each time when a place is free, since what waits may have become more urgent
   */
  take(urgency: () => Urgency, signal?: AbortSignal): Promise<Leave | null> {
    if (signal?.aborted === true) return Promise.resolve(null);
    const leave = this.tryTake();
    if (leave !== null || this.#closed) return Promise.resolve(leave);
    return new Promise((resolve) => {
      const stepOut = (): void => {
        this.#waiting.delete(waiting);
        resolve(null);
      };
      const waiting: Waiting = {
        urgency,
        admit: (place) => {
          signal?.removeEventListener('abort', stepOut);
          resolve(place);
        },
      };
      this.#waiting.add(waiting);
      signal?.addEventListener('abort', stepOut, { once: true });
    });
  }

  /** Lets in whom there is place for; call it when there may be more places than before. */
  admit(): void {
    while (this.#waiting.size > 0) {
      const leave = this.tryTake();
      if (leave === null) return;
      const next = this.#next();
      this.#waiting.delete(next);
      next.admit(leave);
    }
  }

  /** Sends away all that wait; nobody is let in any more. */
  close(): void {
    this.#closed = true;
    for (const { admit } of this.#waiting) admit(null);
    this.#waiting.clear();
  }

  /** There is one. */
  #next(): Waiting {
    let best: Waiting | null = null;
    let bestRank: number = urgencies.length;
    for (const waiting of this.#waiting) {
      const rank = urgencies.indexOf(waiting.urgency());
      if (rank >= bestRank) continue;
      [best, bestRank] = [waiting, rank];
      if (rank === 0) break;
    }
    if (best === null) throw new Error('nobody waits');
    return best;
  }
}
