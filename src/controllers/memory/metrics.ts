/** What the controller counts. Names follow Prometheus' conventions; labels are closed sets only (but for host-metrics.ts). */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Decision } from '../../planner/types.ts';
import type { Reason } from '../../api/v1alpha1/reasons.ts';

export type ControllerMetrics = {
  reconciled(reason: Reason, seconds: number): void;
  planned(decision: Decision): void;
  operated(operation: 'plug' | 'unplug', result: 'accepted' | 'failed'): void;
  statusWritten(outcome: string): void;
};

/** Registers the controller's metrics. `depth` and `active` are read at every scrape. */
export function createControllerMetrics(
  registry: Registry,
  queue: { readonly depth: () => number; readonly active: () => number },
): ControllerMetrics {
  const registers = [registry];
  const durations = new Histogram({
    name: 'dimmer_reconcile_duration_seconds',
    help: 'Time from taking a resource from the queue to its written status.',
    labelNames: ['reason'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const plans = new Counter({
    name: 'dimmer_plans_total',
    help: 'Plans made, by decision.',
    labelNames: ['decision'],
    registers,
  });
  const operations = new Counter({
    name: 'dimmer_operations_total',
    help: 'Modules plugged and unplugs asked for, by result of the request.',
    labelNames: ['operation', 'result'],
    registers,
  });
  const writes = new Counter({
    name: 'dimmer_status_writes_total',
    help: 'Status writes by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  new Gauge({
    name: 'dimmer_queue_depth',
    help: 'Resources waiting to be reconciled.',
    registers,
    collect() {
      this.set(queue.depth());
    },
  });
  new Gauge({
    name: 'dimmer_reconciles_active',
    help: 'Resources being reconciled.',
    registers,
    collect() {
      this.set(queue.active());
    },
  });
  return {
    reconciled: (reason, seconds) => durations.observe({ reason }, seconds),
    planned: (decision) => plans.inc({ decision }),
    operated: (operation, result) => operations.inc({ operation, result }),
    statusWritten: (outcome) => writes.inc({ outcome }),
  };
}
