/** What each of our programs tells Prometheus of itself: its version, and what Node says of the process. */
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';

/** The programs that serve metrics. */
export type Component = 'agent' | 'controller' | 'standalone';

/**
 * Sums of `nodejs_active_resources` by another name, and gauges whose names end like a counter's (`promtool check metrics`
 * says so): `sum(nodejs_active_resources)` is the same.
 */
const misnamed = ['nodejs_active_resources_total', 'nodejs_active_handles_total', 'nodejs_active_requests_total'];

/** Registers the metrics. */
export function declareProcessMetrics(registry: Registry, component: Component, version: string): void {
  collectDefaultMetrics({ register: registry });
  for (const name of misnamed) registry.removeSingleMetric(name);
  new Gauge({
    name: 'dimmer_build_info',
    help: 'Always 1; which program this is, and its version.',
    labelNames: ['component', 'version'],
    registers: [registry],
  }).set({ component, version }, 1);
}
