/**
 * What is known of each host, for Prometheus. `host` is no closed set: a series for each HypervisorHost, which an
 * administrator makes for each machine, and it ends with the resource. Namespaces are labels of two sums only, and bounded
 * (memory/fleet-metrics.ts); virtual machines and messages never are.
 */
import { Gauge, type Registry } from 'prom-client';
import type { HostFacts } from '../../host/port.ts';
import { type CapacityLimits, computeCommittable } from '../../host/rules/capacity.ts';
import type { Bytes } from '../../memory/bytes.ts';
import type { HostVerdict } from './verdict.ts';

/** The last look at a host. */
export type HostReading = {
  /** Of its Ready. */
  readonly reason: HostVerdict['reason'];
  readonly isCordoned: boolean;
  /** null: its spec makes no sense. */
  readonly limits: (CapacityLimits & { readonly namespaceLimit: Bytes | null }) | null;
  /** null: it didn't answer. */
  readonly facts:
    | (Pick<HostFacts, 'memory' | 'virtualMachines'> & {
        /** What the namespace has that has most; null: its agent doesn't say. */
        readonly largestNamespace: Bytes | null;
      })
    | null;
};

const gauges: readonly {
  readonly name: string;
  readonly help: string;
  /** null: no series now. */
  readonly read: (reading: HostReading) => number | null;
}[] = [
  {
    name: 'dimmer_host_ready',
    help: 'Whether the agent of a HypervisorHost answers and its spec makes sense (1), or not (0).',
    read: ({ reason }) => (reason === 'AgentAnswers' ? 1 : 0),
  },
  {
    name: 'dimmer_host_cordoned',
    help: 'Whether new plugs are kept away from a HypervisorHost (1), or not (0).',
    read: ({ isCordoned }) => (isCordoned ? 1 : 0),
  },
  {
    name: 'dimmer_host_memory_total_bytes',
    help: 'Memory that a HypervisorHost has; no series while its agent does not answer.',
    read: ({ facts }) => facts?.memory.total ?? null,
  },
  {
    name: 'dimmer_host_memory_available_bytes',
    help: 'Memory that new work could take on a HypervisorHost; no series while its agent does not answer.',
    read: ({ facts }) => facts?.memory.available ?? null,
  },
  {
    name: 'dimmer_host_memory_committed_bytes',
    help: 'Memory that running VMs of a HypervisorHost may use; no series while its agent does not answer.',
    read: ({ facts }) => facts?.memory.committed ?? null,
  },
  {
    name: 'dimmer_host_memory_limit_bytes',
    help: 'What memory_committed may reach on a HypervisorHost, by its memoryReserve and memoryOvercommit; no series while its agent does not answer.',
    read: ({ facts, limits }) => (facts === null || limits === null ? null : computeCommittable(facts.memory, limits)),
  },
  // Of whom is said in the status alone, which an administrator reads: a namespace is no label here.
  {
    name: 'dimmer_host_namespace_limit_bytes',
    help: 'What the running VMs of one namespace may have of a HypervisorHost together (namespaceLimit); no series where there is no such limit.',
    read: ({ limits }) => limits?.namespaceLimit ?? null,
  },
  {
    name: 'dimmer_host_namespace_largest_bytes',
    help: 'What the running VMs of that namespace have which has most of a HypervisorHost with a namespaceLimit; no series while its agent does not answer.',
    read: ({ facts, limits }) => ((limits?.namespaceLimit ?? null) === null ? null : (facts?.largestNamespace ?? null)),
  },
  {
    name: 'dimmer_host_virtual_machines',
    help: 'VMs that the agent of a HypervisorHost serves, running or only defined; no series while it does not answer.',
    read: ({ facts }) => facts?.virtualMachines ?? null,
  },
];

/** Declares the metrics in `registry`. `readings` is asked at every scrape, by the host's name: who isn't there has no series. */
export function declareHostMetrics(registry: Registry, readings: () => Iterable<readonly [string, HostReading]>): void {
  for (const { name, help, read } of gauges) {
    new Gauge({
      name,
      help,
      labelNames: ['host'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [host, reading] of readings()) {
          const value = read(reading);
          if (value !== null) this.set({ host }, value);
        }
      },
    });
  }
  new Gauge({
    name: 'dimmer_host_reason',
    help: 'Always 1; the reason of Ready of a HypervisorHost: AgentAnswers, or what keeps it from being ready.',
    labelNames: ['host', 'reason'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [host, { reason }] of readings()) this.set({ host, reason }, 1);
    },
  });
}
