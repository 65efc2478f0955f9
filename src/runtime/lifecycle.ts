/**
 * The life of a program: its parts start one after the other in the order of their groups, and stop in the opposite
 * order, each within a time of its own. After controller-runtime's runnable groups (pkg/manager/runnable_group.go).
 */
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

/**
 * - `servers`: what others ask of us: probes, metrics.
 * - `sources`: where we know things from.
 * - `elected`: what decides which of several processes works. A process that waits for that is ready.
 * - `workers`: what acts.
 */
const groups = ['servers', 'sources', 'elected', 'workers'] as const;

export type Part = {
  readonly name: string;
  readonly group: (typeof groups)[number];
  /** Resolves once it does its work, or, half-way, when `signal` is aborted: the program ends. */
  readonly start?: (signal: AbortSignal) => void | Promise<void>;
  /** Ends it; also where its start has failed, or hasn't been finished. */
  readonly stop?: () => void | Promise<void>;
  /** How long stopping may take, ms. Default 5 s. */
  readonly stopMs?: number;
  /** Whether it can do its work now. Left out: since it has started. */
  readonly ready?: () => boolean;
};

const defaultStopMs = 5_000;

/** See the file's comment. */
export class Lifecycle {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #parts: Part[] = [];
  #standing = false;
  readonly #broken = new AbortController();

  constructor({ clock, logger }: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * For `/readyz`: all parts have started, but for those that wait until this process is elected; none says that it can't
   * work; and the program doesn't end.
   */
  get ready(): boolean {
    return this.#standing && this.#parts.every(({ ready }) => ready?.() !== false);
  }

  /** Takes a part in; within its group it starts after those that were taken in before. */
  add(part: Part): void {
    this.#parts.push(part);
  }

  /** The program can't go on: it stops its parts as for any other end, and `run` throws `error`. */
  fail(error: Error): void {
    this.#broken.abort(error);
  }

  /**
   * Starts the parts, waits for `signal`, and stops what was started.
   * @throws what the start of a part threw, or what {@link Lifecycle.fail} was told, once the parts have stopped
   */
  async run(signal: AbortSignal): Promise<void> {
    const ending = AbortSignal.any([signal, this.#broken.signal]);
    const begun: Part[] = [];
    try {
      await this.#runUntil(ending, begun);
    } finally {
      this.#standing = false;
      for (const part of begun.reverse()) await this.#stop(part);
    }
    // What breaks once it is to end anyway is no failure.
    if (!signal.aborted || ending.reason !== signal.reason) throw ending.reason;
  }

  async #runUntil(ending: AbortSignal, begun: Part[]): Promise<void> {
    for (const part of groups.flatMap((group) => this.#parts.filter((each) => each.group === group))) {
      if (ending.aborted) return;
      if (part.group === 'elected') this.#standing = true;
      begun.push(part);
      await part.start?.(ending);
    }
    if (ending.aborted) return;
    this.#standing = true;
    await new Promise<void>((resolve) => ending.addEventListener('abort', () => resolve(), { once: true }));
  }

  /** What fails to stop, or doesn't in time, keeps none of the others from it. */
  async #stop({ name, stop, stopMs = defaultStopMs }: Part): Promise<void> {
    const late = Promise.withResolvers<'late'>();
    const timer = this.#clock.after(stopMs, () => late.resolve('late'));
    try {
      const how = await Promise.race([stop?.(), late.promise]);
      if (how === 'late') this.#logger.warn({ part: name, stopMs }, 'a part of the program did not stop in time');
    } catch (err) {
      this.#logger.error({ part: name, err }, 'a part of the program failed to stop');
    } finally {
      timer.cancel();
    }
  }
}
