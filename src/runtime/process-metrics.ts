/** What each of our programs tells Prometheus of itself: its version, and what Node says of the process. */
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';

/** The programs that serve metrics. */
export type Component = 'agent' | 'controller' | 'standalone';

/**
 * Sums of `nodejs_active_resources` by another name, and gauges whose names end like a counter's (`promtool check metrics`
 * says so): `sum(nodejs_active_resources)` is the same.
 */
const misnamed = ['nodejs_active_resources_total', 'nodejs_active_handles_total', 'nodejs_active_requests_total'];

/**
 * They are read from a timer that wakes an idle process 100 times a second: without it, standalone with 20 VMs at rest took
 * 0.3 % of a core instead of 0.8.
 * `nodejs_eventloop_lag_seconds`, measured at each scrape, stays.
 */
const sampled = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map(
  (which) => `nodejs_eventloop_lag_${which}_seconds`,
);
/** Of that timer, which can't be left out. It is what a timer can be set to at the most, ms. */
const neverMs = 2 ** 31 - 1;

/** Registers the metrics. */
export function declareProcessMetrics(registry: Registry, component: Component, version: string): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: neverMs });
  for (const name of [...misnamed, ...sampled]) registry.removeSingleMetric(name);
  new Gauge({
    name: 'dimmer_build_info',
    help: 'Always 1; which program this is, and its version.',
    labelNames: ['component', 'version'],
    registers: [registry],
  }).set({ component, version }, 1);
}
