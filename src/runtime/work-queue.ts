/**
 * The work queue: keys in, one worker a key at a time.
 * Adding a key that waits already merges with it; adding one that is being worked on runs it once more afterwards.
 * After client-go's util/workqueue, without its separate rate limiter (the result of the work says when it comes back),
 * and with two things that it hasn't: keys have lanes, so that those that wait for one host keep no worker from those of
 * another, and the most urgent key of a lane comes first.
 */
import { computeBackoffMs } from './backoff.ts';
import type { Clock, Timer } from './clock.ts';
import type { Logger } from './logger.ts';
import { moreUrgent, urgencies, type Urgency } from './urgency.ts';

/** What a piece of work wants next. */
export type WorkResult =
  /** Nothing until the key is added again. */
  | { readonly kind: 'done' }
  /** Again in `ms` milliseconds (0: at once, after the keys that wait). `urgency`: `event` when left out. */
  | { readonly kind: 'after'; readonly ms: number; readonly urgency?: Urgency }
  /** Again after a growing delay; `maxMs`: which is never longer than this. */
  | { readonly kind: 'retry'; readonly message: string; readonly maxMs?: number };

/** What a piece of work can tell and ask while it goes on. */
export type Turn = {
  /** How urgent it is now: what was added meanwhile counts. */
  readonly urgency: () => Urgency;
  /** Aborted when the queue closes: what waits gives up, what can't be left half-done is finished. */
  readonly signal: AbortSignal;
  /**
   * Said just before the world is looked at: what was heard until now will be seen, and is no reason to work on the key
   * once more. What a user changed is one, since it is read at the beginning only.
   */
  readonly looks: () => void;
  /** Waits for something without keeping a worker; afterwards the work goes on at once. */
  readonly aside: <T>(wait: () => Promise<T>) => Promise<T>;
};

/** Hears of what a queue does, for metrics. Seconds. */
export type WorkQueueObserver = {
  /** A key was added that didn't wait yet. */
  added(): void;
  /** A worker took a key that had waited so long. */
  started(waitedSeconds: number): void;
  ended(workedSeconds: number): void;
  /** A key comes back after a growing delay. */
  retried(): void;
};

export type WorkQueueOptions = {
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 (included) to 1 (excluded). */
  readonly random: () => number;
  /** Keys of one lane worked on at once, 1 or more. A quarter is kept for what is urgent to a user. */
  readonly concurrency: number;
  /** The lane of a key, asked when it is added. One for all when left out. */
  readonly laneOf?: (key: string) => string;
  /** Delay of the first retry and the longest one, ms. */
  readonly retry: { readonly initialMs: number; readonly maxMs: number };
  /** Must not throw; if it does all the same, the key is retried. */
  readonly work: (key: string, turn: Turn) => Promise<WorkResult>;
  readonly observer?: WorkQueueObserver;
};

type Scheduled = { readonly dueMs: number; readonly timer: Timer };
type Lane = {
  readonly name: string;
  readonly waiting: Readonly<Record<Urgency, Set<string>>>;
  /** Keys that have a worker. */
  working: number;
  /** Keys that wait for something without one. */
  aside: number;
};
type Place = { readonly lane: Lane; readonly urgency: Urgency; readonly sinceMs: number };

/** See the file's comment. */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #waiting = new Map<string, Place>();
  /** Since when each is worked on, by the monotonic clock. */
  readonly #active = new Map<string, number>();
  readonly #again = new Map<string, Urgency>();
  readonly #scheduled = new Map<string, Scheduled>();
  readonly #failures = new Map<string, number>();
  readonly #closing = new AbortController();
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

  /** For how long each key has been worked on that is worked on now, seconds. */
  runningSeconds(): readonly number[] {
    const nowMs = this.#options.clock.monotonic();
    return [...this.#active.values()].map((sinceMs) => (nowMs - sinceMs) / 1000);
  }

  /** Begins to work. */
  start(): void {
    this.#open = true;
    for (const lane of this.#lanes.values()) this.#pump(lane);
  }

  /**
   * Takes no more work, and tells what is under way to come to its end. What waits is not begun.
   * @param graceMs how long what is under way is waited for, ms
   * @returns how many pieces of work have not ended by then
   */
  async close(graceMs: number): Promise<number> {
    this.#open = false;
    this.#closing.abort();
    this.#waiting.clear();
    for (const { waiting } of this.#lanes.values()) for (const urgency of urgencies) waiting[urgency].clear();
    this.#again.clear();
    for (const { timer } of this.#scheduled.values()) timer.cancel();
    this.#scheduled.clear();
    if (this.#active.size === 0) return 0;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(graceMs, resolve);
      this.#idle.push(() => {
        timer.cancel();
        resolve();
      });
    });
    return this.#active.size;
  }

  /** Work on `key` as soon as a worker is free. */
  add(key: string, urgency: Urgency = 'event'): void {
    // What a user has changed begins anew: its delays don't go by what failed before.
    if (urgency === 'user') this.#failures.delete(key);
    this.#unschedule(key);
    if (this.#active.has(key)) this.#again.set(key, moreUrgent(urgency, this.#again.get(key) ?? urgency));
    else this.#enqueue(key, urgency);
  }

  /** Work on `key` in `ms` milliseconds, or earlier if it is due earlier already. */
  addAfter(key: string, ms: number, urgency: Urgency = 'event'): void {
    if (ms <= 0) {
      this.add(key, urgency);
      return;
    }
    const dueMs = this.#options.clock.now() + ms;
    const before = this.#scheduled.get(key);
    if (before !== undefined && before.dueMs <= dueMs) return;
    this.#unschedule(key);
    const timer = this.#options.clock.after(ms, () => this.add(key, urgency));
    this.#scheduled.set(key, { dueMs, timer });
  }

  #unschedule(key: string): void {
    this.#scheduled.get(key)?.timer.cancel();
    this.#scheduled.delete(key);
  }

  /** A key that waits already keeps its place, unless it has become more urgent. */
  #enqueue(key: string, urgency: Urgency): void {
    const before = this.#waiting.get(key);
    if (before !== undefined) {
      if (moreUrgent(before.urgency, urgency) === before.urgency) return;
      before.lane.waiting[before.urgency].delete(key);
    }
    const lane = before?.lane ?? this.#laneOf(key);
    lane.waiting[urgency].add(key);
    const { observer, clock } = this.#options;
    if (before === undefined) observer?.added();
    this.#waiting.set(key, { lane, urgency, sinceMs: before?.sinceMs ?? clock.monotonic() });
    this.#pump(lane);
  }

  #laneOf(key: string): Lane {
    const name = this.#options.laneOf?.(key) ?? '';
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = { name, waiting: { user: new Set(), event: new Set(), resync: new Set() }, working: 0, aside: 0 };
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  #pump(lane: Lane): void {
    if (!this.#open) return;
    const { concurrency, observer, clock } = this.#options;
    const unreserved = concurrency - Math.floor(concurrency / 4);
    for (const urgency of urgencies) {
      const limit = urgency === 'user' ? concurrency : unreserved;
      for (const key of lane.waiting[urgency]) {
        if (lane.working >= limit) break;
        const nowMs = clock.monotonic();
        observer?.started((nowMs - (this.#waiting.get(key)?.sinceMs ?? nowMs)) / 1000);
        lane.waiting[urgency].delete(key);
        this.#waiting.delete(key);
        this.#active.set(key, nowMs);
        lane.working += 1;
        void this.#run(key, urgency, lane);
      }
    }
    const isEmpty = lane.working + lane.aside === 0 && urgencies.every((urgency) => lane.waiting[urgency].size === 0);
    if (isEmpty && this.#lanes.get(lane.name) === lane) this.#lanes.delete(lane.name);
  }

  async #run(key: string, urgency: Urgency, lane: Lane): Promise<void> {
    const turn: Turn = {
      signal: this.#closing.signal,
      urgency: () => moreUrgent(urgency, this.#again.get(key) ?? urgency),
      looks: () => {
        if (this.#again.get(key) !== 'user') this.#again.delete(key);
      },
      aside: async (wait) => {
        lane.working -= 1;
        lane.aside += 1;
        this.#pump(lane);
        try {
          return await wait();
        } finally {
          lane.aside -= 1;
          lane.working += 1;
        }
      },
    };
    let result: WorkResult;
    try {
      result = await this.#options.work(key, turn);
    } catch (error) {
      this.#options.logger.error({ key, err: error }, 'work failed unexpectedly');
      result = { kind: 'retry', message: error instanceof Error ? error.message : String(error) };
    }
    const { observer, clock } = this.#options;
    observer?.ended((clock.monotonic() - (this.#active.get(key) ?? 0)) / 1000);
    this.#active.delete(key);
    lane.working -= 1;
    if (result.kind === 'retry') observer?.retried();
    if (this.#open) this.#settle(key, result);
    if (this.#active.size === 0) {
      for (const resolve of this.#idle) resolve();
      this.#idle = [];
    }
    this.#pump(lane);
  }

  #settle(key: string, result: WorkResult): void {
    const delayMs = this.#computeDelayMs(key, result);
    const again = this.#again.get(key);
    const urgency = result.kind === 'after' ? (result.urgency ?? 'event') : 'event';
    this.#again.delete(key);
    if (again !== undefined) this.#enqueue(key, again);
    else if (delayMs === 0) this.#enqueue(key, urgency);
    else if (delayMs !== null) this.addAfter(key, delayMs, urgency);
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
        const { initialMs, maxMs } = this.#options.retry;
        const limits = { initialMs, maxMs: Math.min(maxMs, result.maxMs ?? maxMs) };
        return computeBackoffMs(failures, limits, this.#options.random);
      }
    }
  }
}
