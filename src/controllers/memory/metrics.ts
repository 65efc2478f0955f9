/** What is counted of plans and changes. Names follow Prometheus' conventions; labels are closed sets. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { Reason } from '../../api/v1alpha1/reasons.ts';
import type { Decision } from '../../planner/types.ts';

export type ControllerMetrics = {
  planned(decision: Decision): void;
  operated(operation: 'plug' | 'unplug', result: 'accepted' | 'failed'): void;
  statusWritten(outcome: WriteOutcome): void;
  /** What became of a resize was told. */
  resized(resize: ResizeOutcome): void;
};

export type ResizeOutcome = {
  readonly direction: 'grow' | 'shrink';
  /** The reason of Ready. */
  readonly outcome: Reason;
  /** Since the resize began. */
  readonly seconds: number;
};

const writeOutcomes = ['written', 'unchanged', 'conflict', 'gone', 'refused', 'failed'] as const;
/** What became of a write of status. */
export type WriteOutcome = (typeof writeOutcomes)[number];

/** Registers the metrics. */
export function createControllerMetrics(registry: Registry): ControllerMetrics {
  const registers = [registry];
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
  const resizes = new Histogram({
    name: 'dimmer_resize_duration_seconds',
    help: 'From the beginning of a resize until it is told what became of it, by direction and the reason of Ready. One that is refused and ends well later counts as both.',
    labelNames: ['direction', 'outcome'],
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
    registers,
  });
  // A counter that begins with its first event has not grown for rate() and increase(): an alert would miss that one.
  for (const outcome of writeOutcomes) writes.inc({ outcome }, 0);
  for (const operation of ['plug', 'unplug']) {
    for (const result of ['accepted', 'failed']) operations.inc({ operation, result }, 0);
  }
  return {
    planned: (decision) => plans.inc({ decision }),
    operated: (operation, result) => operations.inc({ operation, result }),
    statusWritten: (outcome) => writes.inc({ outcome }),
    resized: ({ direction, outcome, seconds }) => resizes.observe({ direction, outcome }, seconds),
  };
}
