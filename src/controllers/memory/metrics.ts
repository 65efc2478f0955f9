/** What is counted of plans and changes. Names follow Prometheus' conventions; labels are closed sets. */
import { Counter, type Registry } from 'prom-client';
import type { Decision } from '../../planner/types.ts';

export type ControllerMetrics = {
  planned(decision: Decision): void;
  operated(operation: 'plug' | 'unplug', result: 'accepted' | 'failed'): void;
  statusWritten(outcome: string): void;
};

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
  return {
    planned: (decision) => plans.inc({ decision }),
    operated: (operation, result) => operations.inc({ operation, result }),
    statusWritten: (outcome) => writes.inc({ outcome }),
  };
}
