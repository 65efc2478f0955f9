/** A clock that stands still until it is told to go on: hours pass in milliseconds, and always in the same order. */
import type { Clock, Timer } from '../../src/runtime/clock.ts';

type Pending = { readonly dueMs: number; readonly order: number; readonly callback: () => void; isOver: boolean };

const isBefore = (a: Pending, b: Pending): boolean => a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);

/** The earliest first, and cheap with thousands: a binary heap. */
class Timers {
  readonly #heap: Pending[] = [];

  push(entry: Pending): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    for (;;) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (at === 0 || parent === undefined || !isBefore(entry, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = entry;
  }

  /** The first that isn't over. */
  peek(): Pending | null {
    while (this.#heap[0]?.isOver === true) this.#pop();
    return this.#heap[0] ?? null;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
      if (left === undefined) break;
      const isRight = right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (!isBefore(child, last)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

/** Lets every promise that is ready run, and what they make ready in turn. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** See the file's comment. */
export class ManualClock implements Clock {
  #nowMs: number;
  #order = 0;
  readonly #timers = new Timers();
  #pending = 0;

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
    return this.#pending;
  }

  after(ms: number, callback: () => void): Timer {
    const entry = { dueMs: this.#nowMs + Math.max(0, ms), order: (this.#order += 1), callback, isOver: false };
    this.#timers.push(entry);
    this.#pending += 1;
    return { cancel: () => this.#end(entry) };
  }

  #end(entry: Pending): void {
    if (!entry.isOver) this.#pending -= 1;
    entry.isOver = true;
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
    this.#end(entry);
    this.#nowMs = Math.max(this.#nowMs, entry.dueMs);
    entry.callback();
    await settle();
  }

  #next(): Pending | null {
    return this.#timers.peek();
  }
}
