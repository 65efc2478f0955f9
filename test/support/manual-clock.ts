/** A clock that stands still until it is told to go on: hours pass in milliseconds, and always in the same order. */
import type { Clock, Timer } from '../../src/runtime/clock.ts';

type Pending = { readonly dueMs: number; readonly order: number; readonly callback: () => void };

/** Lets every promise that is ready run, and what they make ready in turn. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** See the file's comment. */
export class ManualClock implements Clock {
  #nowMs: number;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  /** Timers that haven't fired. */
  get pending(): number {
    return this.#pending.size;
  }

  after(ms: number, callback: () => void): Timer {
    const entry = { dueMs: this.#nowMs + Math.max(0, ms), order: (this.#order += 1), callback };
    this.#pending.add(entry);
    return { cancel: () => this.#pending.delete(entry) };
  }

  /** Lets `ms` milliseconds pass, timer by timer. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (let next = this.#next(); next !== null && next.dueMs <= endMs; next = this.#next()) await this.#fire(next);
    this.#nowMs = endMs;
    await settle();
  }

  /**
   * Lets time pass until `holds`, at most `limitMs` milliseconds of it.
   * @throws Error that names `what` when it never holds
   */
  async until(what: string, holds: () => boolean, limitMs = 120_000): Promise<void> {
    const endMs = this.#nowMs + limitMs;
    await settle();
    while (!holds()) {
      const next = this.#next();
      if (next === null || next.dueMs > endMs) throw new Error(`${limitMs} ms passed and ${what} never held`);
      await this.#fire(next);
    }
  }

  async #fire(entry: Pending): Promise<void> {
    this.#pending.delete(entry);
    this.#nowMs = Math.max(this.#nowMs, entry.dueMs);
    entry.callback();
    await settle();
  }

  #next(): Pending | null {
    let first: Pending | null = null;
    for (const entry of this.#pending) {
      if (first === null || entry.dueMs < first.dueMs || (entry.dueMs === first.dueMs && entry.order < first.order)) {
        first = entry;
      }
    }
    return first;
  }
}
