/** The agent's metrics. Labels come from closed sets: never a domain, a client or a path that somebody chose. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export type AgentMetrics = {
  readonly registry: Registry;
  readonly httpRequests: Histogram<'method' | 'route' | 'status'>;
  /** Changes by outcome: `ok` or the code of the error. */
  readonly operations: Histogram<'operation' | 'outcome'>;
  readonly certificateExpiry: Gauge;
  readonly eventStreams: Gauge;
  readonly refusedConnections: Counter<'why'>;
};

/** Of an agent whose VMs are libvirt's. */
export type LibvirtMetrics = {
  readonly calls: Histogram<'procedure' | 'outcome'>;
  /** Questions to guests by what became of them. */
  readonly questions: Histogram<'answer'>;
  readonly connected: Gauge;
};

/**
 * Fresh metrics in a registry of their own.
 * @param pendingOperations asked when the metrics are read
 */
export function createAgentMetrics(version: string, pendingOperations: () => number): AgentMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
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
  return {
    registry,
    httpRequests: new Histogram({
      name: 'dimmer_agent_http_request_duration_seconds',
      help: 'Requests by route and status.',
      labelNames: ['method', 'route', 'status'],
      buckets: seconds,
      registers,
    }),
    operations: new Histogram({
      name: 'dimmer_agent_operation_duration_seconds',
      help: 'Changes of memory by outcome, waiting for the lock of the domain included.',
      labelNames: ['operation', 'outcome'],
      buckets: seconds,
      registers,
    }),
    certificateExpiry: new Gauge({
      name: 'dimmer_agent_certificate_expiry_timestamp_seconds',
      help: "When the agent's certificate ends.",
      registers,
    }),
    eventStreams: new Gauge({ name: 'dimmer_agent_event_streams', help: 'Open event streams.', registers }),
    refusedConnections: new Counter({
      name: 'dimmer_agent_refused_connections_total',
      help: 'Connections that failed the TLS handshake, exceeded a limit, were too slow or spoke no HTTP.',
      labelNames: ['why'],
      registers,
    }),
  };
}

/** Adds what only an agent on libvirt has: another would show a connection that is down for ever. */
export function declareLibvirtMetrics(registry: Registry): LibvirtMetrics {
  const registers = [registry];
  return {
    calls: new Histogram({
      name: 'dimmer_agent_libvirt_call_duration_seconds',
      help: 'Calls to libvirt by procedure and outcome.',
      labelNames: ['procedure', 'outcome'],
      buckets: seconds,
      registers,
    }),
    questions: new Histogram({
      name: 'dimmer_agent_guest_question_duration_seconds',
      help: 'Questions what memory a guest has, by the answer: answered, late, absent or busy.',
      labelNames: ['answer'],
      buckets: seconds,
      registers,
    }),
    connected: new Gauge({
      name: 'dimmer_agent_libvirt_connected',
      help: '1 while libvirt can be reached.',
      registers,
    }),
  };
}
