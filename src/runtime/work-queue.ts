/**
 * The work queue: keys in, one worker a key at a time.
 * Adding a key that waits already merges with it; adding one that is being worked on runs it once more afterwards.
 * After client-go's util/workqueue, without its separate rate limiter: the result of the work says when it comes back.
 */
import { computeBackoffMs } from './backoff.ts';
import type { Clock, Timer } from './clock.ts';
import type { Logger } from './logger.ts';

/** What a piece of work wants next. */
export type WorkResult =
  /** Nothing until the key is added again. */
  | { readonly kind: 'done' }
  /** Again in `ms` milliseconds (0: at once, after the keys that wait). */
  | { readonly kind: 'after'; readonly ms: number }
  /** Again after a growing delay. */
  | { readonly kind: 'retry'; readonly message: string };

export type WorkQueueOptions = {
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 (included) to 1 (excluded). */
  readonly random: () => number;
  /** Keys worked on at once, 1 or more. */
  readonly concurrency: number;
  /** Delay of the first retry and the longest one, ms. */
  readonly retry: { readonly initialMs: number; readonly maxMs: number };
  /** Must not throw; if it does all the same, the key is retried. */
  readonly work: (key: string) => Promise<WorkResult>;
};

type Scheduled = { readonly dueMs: number; readonly timer: Timer };

/** See the file's comment. */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #waiting = new Set<string>();
  readonly #active = new Set<string>();
  readonly #again = new Set<string>();
  readonly #scheduled = new Map<string, Scheduled>();
  readonly #failures = new Map<string, number>();
  #open = false;
  #idle: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Keys that wait now (not those scheduled for later or being worked on). */
  get depth(): number {
    return this.#waiting.size;
  }

  /** Keys being worked on. */
  get active(): number {
    return this.#active.size;
  }

  /** Begins to work. */
  start(): void {
    this.#open = true;
    this.#pump();
  }

  /** Takes no more work; resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#open = false;
    this.#waiting.clear();
    this.#again.clear();
    for (const { timer } of this.#scheduled.values()) timer.cancel();
    this.#scheduled.clear();
    if (this.#active.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Work on `key` as soon as a worker is free. */
  add(key: string): void {
    this.#unschedule(key);
    if (this.#active.has(key)) this.#again.add(key);
    else this.#waiting.add(key);
    this.#pump();
  }

  /** Work on `key` in `ms` milliseconds, or earlier if it is due earlier already. */
  addAfter(key: string, ms: number): void {
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const dueMs = this.#options.clock.now() + ms;
    const before = this.#scheduled.get(key);
    if (before !== undefined && before.dueMs <= dueMs) return;
    this.#unschedule(key);
    this.#scheduled.set(key, { dueMs, timer: this.#options.clock.after(ms, () => this.add(key)) });
  }

  #unschedule(key: string): void {
    this.#scheduled.get(key)?.timer.cancel();
    this.#scheduled.delete(key);
  }

  #pump(): void {
    if (!this.#open) return;
    for (const key of this.#waiting) {
      if (this.#active.size >= this.#options.concurrency) return;
      this.#waiting.delete(key);
      this.#active.add(key);
      void this.#run(key);
    }
  }

  async #run(key: string): Promise<void> {
    let result: WorkResult;
    try {
      result = await this.#options.work(key);
    } catch (error) {
      this.#options.logger.error({ key, err: error }, 'work failed unexpectedly');
      result = { kind: 'retry', message: error instanceof Error ? error.message : String(error) };
    }
    this.#active.delete(key);
    if (this.#open) this.#settle(key, result);
    if (this.#active.size === 0) {
      for (const resolve of this.#idle) resolve();
      this.#idle = [];
    }
    this.#pump();
  }

  #settle(key: string, result: WorkResult): void {
    const delayMs = this.#computeDelayMs(key, result);
    if (this.#again.delete(key)) this.#waiting.add(key);
    else if (delayMs === 0) this.#waiting.add(key);
    else if (delayMs !== null) this.addAfter(key, delayMs);
  }

  /** null: not again. */
  #computeDelayMs(key: string, result: WorkResult): number | null {
    switch (result.kind) {
      case 'done':
        this.#failures.delete(key);
        return null;
      case 'after':
        this.#failures.delete(key);
        return Math.max(0, result.ms);
      case 'retry': {
        const failures = this.#failures.get(key) ?? 0;
        this.#failures.set(key, failures + 1);
        return computeBackoffMs(failures, this.#options.retry, this.#options.random);
      }
    }
  }
}
