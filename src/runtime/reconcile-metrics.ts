/**
 * What is counted of the reconciles of every kind: by controller-runtime's names what it has, too, so that dashboards and
 * alerts that people have fit; by our own what it has not. All labels are closed sets.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { WorkQueue, WorkQueueObserver, WorkResult } from './work-queue.ts';
import { createWorkQueueMetrics } from './work-queue-metrics.ts';

type Outcome = WorkResult['kind'] | 'closing' | 'overdue' | 'failed';

export type ReconcileMetrics = {
  /** For the queue of a kind, which `follow` shows as well. */
  observeQueue(kind: string): WorkQueueObserver;
  /** Shows how much a queue has to do, at every scrape. @param concurrency how many workers each host's resources have */
  follow(kind: string, queue: WorkQueue, concurrency: number): void;
  /** A reconcile came to a conclusion. */
  concluded(kind: string, reason: string, seconds: number): void;
  /** A reconcile ended, whatever became of it. */
  ended(kind: string, outcome: Outcome, seconds: number): void;
};

/** As controller-runtime calls the end of a reconcile. */
const resultOf: Readonly<Record<Outcome, 'success' | 'requeue_after' | 'requeue' | 'error'>> = {
  done: 'success',
  after: 'requeue_after',
  closing: 'requeue',
  overdue: 'requeue',
  retry: 'error',
  failed: 'error',
};

/** controller-runtime names a controller by its kind in lower case. */
const nameOf = (kind: string): string => kind.toLowerCase();

/** Registers the metrics. */
export function createReconcileMetrics(registry: Registry): ReconcileMetrics {
  const registers = [registry];
  const queueMetrics = createWorkQueueMetrics(registry);
  const queues = new Map<string, WorkQueue>();
  const conclusions = new Histogram({
    name: 'dimmer_reconcile_duration_seconds',
    help: 'Time from taking a resource from the queue to its written status.',
    labelNames: ['kind', 'reason'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const outcomes = new Counter({
    name: 'dimmer_reconciles_total',
    help: 'Reconciles by how they ended: overdue ones were cut off at their deadline, failed ones are faults of the controller.',
    labelNames: ['kind', 'outcome'],
    registers,
  });
  const results = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciles by result.',
    labelNames: ['controller', 'result'],
    registers,
  });
  const errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Reconciles that come back after a growing delay.',
    labelNames: ['controller'],
    registers,
  });
  const durations = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'How long a reconcile takes.',
    labelNames: ['controller'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  });
  const workers = new Gauge({
    name: 'controller_runtime_max_concurrent_reconciles',
    help: 'Workers that the resources of one host have.',
    labelNames: ['controller'],
    registers,
  });
  new Gauge({
    name: 'controller_runtime_active_workers',
    help: 'Resources being reconciled.',
    labelNames: ['controller'],
    registers,
    collect() {
      for (const [kind, queue] of queues) this.set({ controller: nameOf(kind) }, queue.active);
    },
  });
  return {
    observeQueue: (kind) => queueMetrics.observe(nameOf(kind)),
    follow(kind, queue, concurrency) {
      queues.set(kind, queue);
      // A counter that begins with its first event has not grown for rate() and increase(): an alert would miss that one.
      for (const outcome of Object.keys(resultOf)) outcomes.inc({ kind, outcome }, 0);
      for (const result of Object.values(resultOf)) results.inc({ controller: nameOf(kind), result }, 0);
      errors.inc({ controller: nameOf(kind) }, 0);
      queueMetrics.follow(nameOf(kind), queue);
      workers.set({ controller: nameOf(kind) }, concurrency);
    },
    concluded: (kind, reason, seconds) => conclusions.observe({ kind, reason }, seconds),
    ended(kind, outcome, seconds) {
      const controller = nameOf(kind);
      outcomes.inc({ kind, outcome });
      results.inc({ controller, result: resultOf[outcome] });
      durations.observe({ controller }, seconds);
      if (resultOf[outcome] === 'error') errors.inc({ controller });
    },
  };
}
