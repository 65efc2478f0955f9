/** Metrics of work queues by the names that client-go gives them, so that dashboards and alerts that people have fit. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { WorkQueue, WorkQueueObserver } from './work-queue.ts';

export type WorkQueueMetrics = {
  /** For a queue of this name, which `follow` shows as well. */
  observe(name: string): WorkQueueObserver;
  /** Shows how much a queue has to do, at every scrape. */
  follow(name: string, queue: WorkQueue): void;
};

/** Those of client-go. */
const secondsBuckets = [0.001, 0.01, 0.1, 0.25, 0.5, 1, 5, 10, 60];

/** Registers the metrics. `name` is one of the queues that the program has. */
export function createWorkQueueMetrics(registry: Registry): WorkQueueMetrics {
  const registers = [registry];
  const labelNames = ['name'] as const;
  const queues = new Map<string, WorkQueue>();
  const adds = new Counter({ name: 'workqueue_adds_total', help: 'Keys added to a queue.', labelNames, registers });
  const retries = new Counter({
    ...{ name: 'workqueue_retries_total', help: 'Keys that come back after a growing delay.', labelNames, registers },
  });
  const waits = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'How long a key waits for a worker.',
    ...{ buckets: secondsBuckets, labelNames, registers },
  });
  const works = new Histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'How long a key is worked on.',
    ...{ buckets: secondsBuckets, labelNames, registers },
  });
  const declare = (name: string, help: string, read: (queue: WorkQueue) => number): void => {
    new Gauge({
      ...{ name, help, labelNames, registers },
      collect() {
        for (const [queueName, queue] of queues) this.set({ name: queueName }, read(queue));
      },
    });
  };
  declare('workqueue_depth', 'Keys that wait for a worker.', ({ depth }) => depth);
  declare('workqueue_unfinished_work_seconds', 'Time spent so far on the keys that are worked on.', (queue) =>
    queue.runningSeconds().reduce((sum, seconds) => sum + seconds, 0),
  );
  declare(
    'workqueue_longest_running_processor_seconds',
    'For how long the key has been worked on that takes longest.',
    (queue) => Math.max(0, ...queue.runningSeconds()),
  );
  return {
    observe: (name) => ({
      added: () => adds.inc({ name }),
      started: (seconds) => waits.observe({ name }, seconds),
      ended: (seconds) => works.observe({ name }, seconds),
      retried: () => retries.inc({ name }),
    }),
    follow: (name, queue) => queues.set(name, queue),
  };
}
