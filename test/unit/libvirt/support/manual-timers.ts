/** A clock that stands still until a test moves it. */
import type { Timers } from '../../../../src/libvirt/timers.ts';

type Pending = { readonly at: number; readonly run: () => void };

export class ManualTimers implements Timers {
  #now = 0;
  readonly #pending = new Set<Pending>();

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const entry = { at: this.#now + ms, run };
    this.#pending.add(entry);
    return () => this.#pending.delete(entry);
  }

  /** Timers that haven't fired. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Moves the clock and fires what is due, earliest first; what runs in between gets its turn of the event loop. */
  async advance(ms: number): Promise<void> {
    await settle();
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#pending].filter((entry) => entry.at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#pending.delete(next);
      this.#now = next.at;
      next.run();
      await settle();
    }
    this.#now = end;
  }
}

/** Lets everything that is ready run: in-process streams need a few turns of the event loop, never time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
