/** The agent's metrics. Labels come from closed sets: never a domain, a client or a path that somebody chose. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type Component, declareProcessMetrics } from '../runtime/process-metrics.ts';

/** Buckets for how long something takes. */
export const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export type AgentMetrics = {
  readonly registry: Registry;
  readonly httpRequests: Histogram<'method' | 'route' | 'status'>;
  /** Changes by outcome: `ok` or the code of the error. */
  readonly operations: Histogram<'operation' | 'outcome'>;
  readonly certificateExpiry: Gauge;
  readonly eventStreams: Gauge;
  readonly refusedConnections: Counter<'why'>;
};

/**
 * Fresh metrics in a registry of their own.
 * @param pendingOperations asked when the metrics are read
 * @param component the program that the agent is a part of
 */
export function createAgentMetrics(
  version: string,
  pendingOperations: () => number,
  component: Component = 'agent',
): AgentMetrics {
  const registry = new Registry();
  declareProcessMetrics(registry, component, version);
  const registers = [registry];
  new Gauge({ name: 'dimmer_agent_info', help: 'Always 1.', labelNames: ['version'], registers }).set({ version }, 1);
  new Gauge({
    name: 'dimmer_agent_pending_operations',
    help: 'Changes of memory under way or waiting for the lock of their domain.',
    registers,
    collect() {
      this.set(pendingOperations());
    },
  });
  const certificateExpiry = new Gauge({
    name: 'dimmer_agent_certificate_expiry_timestamp_seconds',
    help: "When the agent's certificate ends; no series where it has none.",
    registers,
  });
  // A gauge begins with 0, which would be a certificate that ended in 1970.
  certificateExpiry.remove();
  return {
    registry,
    httpRequests: new Histogram({
      name: 'dimmer_agent_http_request_duration_seconds',
      help: 'Requests by route and status.',
      labelNames: ['method', 'route', 'status'],
      buckets: secondsBuckets,
      registers,
    }),
    operations: new Histogram({
      name: 'dimmer_agent_operation_duration_seconds',
      help: 'Changes of memory by outcome, waiting for the lock of the domain included.',
      labelNames: ['operation', 'outcome'],
      buckets: secondsBuckets,
      registers,
    }),
    certificateExpiry,
    eventStreams: new Gauge({ name: 'dimmer_agent_event_streams', help: 'Open event streams.', registers }),
    refusedConnections: new Counter({
      name: 'dimmer_agent_refused_connections_total',
      help: 'Connections that failed the TLS handshake, exceeded a limit, were too slow or spoke no HTTP.',
      labelNames: ['why'],
      registers,
    }),
  };
}
