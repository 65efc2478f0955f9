/**
 * The frame around every kind of reconcile: a work queue whose work has an id, a logger, a deadline and a net below it, and
 * is counted. After controller-runtime's pkg/internal/controller.
 */
import type { Logger } from './logger.ts';
import type { ReconcileMetrics } from './reconcile-metrics.ts';
import type { ResourceKey } from './resources.ts';
import { type Turn, WorkQueue, type WorkQueueOptions, type WorkResult } from './work-queue.ts';

/** Why a reconcile is to come to its end: the process does, or it has taken too long. */
export type Cut = 'closing' | 'overdue';

/**
 * One reconcile. `signal` is aborted at its deadline, too. It is heeded while something is looked at or waited for and
 * between two changes, never in the middle of one.
 */
export type Attempt = Turn & {
  /** Its lines have the kind, the key and an id. */
  readonly logger: Logger;
  /** Why `signal` was aborted; null: it wasn't. */
  readonly cut: () => Cut | null;
  /** Waits in a line: keeps no worker, and comes no nearer to its deadline. */
  readonly inLine: Turn['aside'];
};

export type Reconciled = WorkResult & {
  /** What was concluded, of a closed set: a label of metrics. Left out: nothing was. */
  readonly reason?: string;
  /** What the log says of it beside that. Left out: nothing is worth a line. */
  readonly said?: object;
  /** Nothing is other than before: a line only for who wants to see all. */
  readonly isRoutine?: boolean;
};

export type ReconcileQueueOptions = Omit<WorkQueueOptions, 'work' | 'observer'> & {
  /** Of the resources that the keys name. */
  readonly kind: string;
  /** How long a reconcile may take, ms; the time that it spends in line doesn't count. */
  readonly deadlineMs: number;
  readonly metrics: ReconcileMetrics;
  /** Shouldn't throw; if it does all the same, that is logged, and the key retried. */
  readonly reconcile: (key: ResourceKey, attempt: Attempt) => Promise<Reconciled>;
};

/** See the file's comment. Nothing runs before `start`. */
export function createReconcileQueue(options: ReconcileQueueOptions): WorkQueue {
  const { kind, metrics, concurrency } = options;
  const underWay = new UnderWay();
  const work = (key: ResourceKey, turn: Turn) => run(key, turn, underWay, options);
  const queue = new WorkQueue({ ...options, work, observer: metrics.observeQueue(kind) });
  metrics.follow(kind, queue, concurrency);
  return queue;
}

/**
 * What the end of the queue ends. One listener for all: an AbortSignal looks through those that it has for each that comes or
 * goes, and hundreds may be under way.
 */
class UnderWay {
  readonly #ends = new Set<() => void>();
  #signal: AbortSignal | null = null;

  /** Calls `end` when `signal` is aborted, which is the same each time, until it is forgotten. */
  add(signal: AbortSignal, end: () => void): void {
    this.#ends.add(end);
    if (this.#signal === signal) return;
    this.#signal = signal;
    const endAll = (): void => {
      for (const each of this.#ends) each();
    };
    signal.addEventListener('abort', endAll, { once: true });
  }

  forget(end: () => void): void {
    this.#ends.delete(end);
  }
}

async function run(
  key: ResourceKey,
  turn: Turn,
  underWay: UnderWay,
  options: ReconcileQueueOptions,
): Promise<WorkResult> {
  const { kind, clock, random, metrics } = options;
  const startedMs = clock.now();
  const reconcileId = random().toString(36).slice(2, 10);
  const logger = options.logger.child({ kind, resource: key, reconcileId });
  const end = watchEnd(turn, underWay, options);
  let result: Reconciled;
  let hasFailed = false;
  try {
    result = await options.reconcile(key, { ...turn, ...end.attempt, logger });
  } catch (err) {
    logger.error({ err }, 'reconcile failed unexpectedly');
    hasFailed = true;
    result = { kind: 'retry', message: err instanceof Error ? err.message : String(err) };
  } finally {
    end.forget();
  }
  const tookMs = clock.now() - startedMs;
  const { reason, said, isRoutine } = result;
  if (reason !== undefined) metrics.concluded(kind, reason, tookMs / 1000);
  metrics.ended(kind, end.attempt.cut() ?? (hasFailed ? 'failed' : result.kind), tookMs / 1000);
  if (said !== undefined) logger[isRoutine === true ? 'debug' : 'info']({ reason, ...said, tookMs }, 'reconciled');
  return result;
}

/** The signal of one reconcile: the queue's, and its own deadline. `forget` once it has ended. */
function watchEnd(
  { signal, aside }: Turn,
  underWay: UnderWay,
  { clock, deadlineMs }: ReconcileQueueOptions,
): { readonly attempt: Pick<Attempt, 'signal' | 'cut' | 'inLine'>; readonly forget: () => void } {
  const ending = new AbortController();
  let cut: Cut | null = null;
  const end = (why: Cut): void => {
    cut ??= why;
    ending.abort();
  };
  const close = (): void => end('closing');
  underWay.add(signal, close);
  let leftMs = deadlineMs;
  let sinceMs = clock.now();
  const arm = () => clock.after(Math.max(0, leftMs), () => end('overdue'));
  let timer = arm();
  return {
    attempt: {
      signal: ending.signal,
      cut: () => cut,
      async inLine(wait) {
        timer.cancel();
        leftMs -= clock.now() - sinceMs;
        try {
          return await aside(wait);
        } finally {
          sinceMs = clock.now();
          timer = arm();
        }
      },
    },
    forget() {
      timer.cancel();
      underWay.forget(close);
    },
  };
}
