/** What is counted of the reconciles of every kind. All labels are closed sets. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { WorkQueue, WorkResult } from './work-queue.ts';

export type ReconcileMetrics = {
  /** Shows how much a queue has to do, at every scrape. */
  follow(kind: string, queue: WorkQueue): void;
  /** A reconcile came to a conclusion. */
  concluded(kind: string, reason: string, seconds: number): void;
  /** A reconcile ended, whatever became of it. */
  ended(kind: string, outcome: WorkResult['kind'] | 'closing' | 'overdue' | 'failed'): void;
};

/** Registers the metrics. */
export function createReconcileMetrics(registry: Registry): ReconcileMetrics {
  const registers = [registry];
  const queues = new Map<string, WorkQueue>();
  const durations = new Histogram({
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
  const declare = (name: string, help: string, read: (queue: WorkQueue) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ['kind'],
      registers,
      collect() {
        for (const [kind, queue] of queues) this.set({ kind }, read(queue));
      },
    });
  };
  declare('dimmer_queue_depth', 'Resources waiting to be reconciled.', ({ depth }) => depth);
  declare('dimmer_reconciles_active', 'Resources being reconciled.', ({ active }) => active);
  return {
    follow: (kind, queue) => queues.set(kind, queue),
    concluded: (kind, reason, seconds) => durations.observe({ kind, reason }, seconds),
    ended: (kind, outcome) => outcomes.inc({ kind, outcome }),
  };
}
