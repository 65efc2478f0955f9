/** Everything that the controller needs of a Kubernetes cluster, wired together. */
import type { Registry } from 'prom-client';
import type { HypervisorHost } from '../api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Resource, ResourceHub } from '../runtime/resources.ts';
import { createApiClient } from './api-client.ts';
import { readClusterId } from './cluster-id.ts';
import { createAccessProvider } from './connect.ts';
import type { ElectionTimes } from './election.ts';
import { createEventRecorder } from './event-recorder.ts';
import { LeaderElector } from './leader-elector.ts';
import { Reflector } from './reflector.ts';
import { hypervisorHosts, namespaces, type ResourceKind, virtualMachineMemories } from './resource-kind.ts';
import { createFinalizerWriter } from './finalizer-writer.ts';
import { loadKubeConfig } from './kubeconfig.ts';
import { createRequestMetrics } from './request-metrics.ts';
import { ShardLeases } from './shard-leases.ts';
import { createStatusWriter } from './status-writer.ts';

export type ClusterOptions = {
  /** Path of a kubeconfig file; null: what KUBECONFIG names, else the pod's own service account. */
  readonly kubeconfig: string | null;
  readonly logger: Logger;
  readonly clock: Clock;
  /** For the metrics of requests. */
  readonly registry: Registry;
  /** 0 (included) to 1 (excluded); default Math.random. */
  readonly random?: () => number;
};

export type ElectionOptions = {
  /** Of the Lease. */
  readonly namespace: string;
  readonly name: string;
  readonly times: ElectionTimes;
  /** Of the hosts that whoever leads is there for, as text; empty: all. */
  readonly selector: string;
  /** Called once when this process doesn't lead any more, with the reason: it is to end. */
  readonly onLost: (why: string) => void;
};

/** Its id is the uid of kube-system; events that wait when it is closed get 2 s. */
export interface Cluster extends ResourceHub<VirtualMachineMemory, HypervisorHost> {
  /** When the API server was heard from last by every source, epoch milliseconds; undefined before that. */
  lastContactMs(): number | undefined;
  /** What the API server says that it is (`v1.36.3`); null where it doesn't, or doesn't let us know. */
  version(): Promise<string | null>;
  /** Whoever takes part in an election writes nothing while it doesn't lead. Not started yet. */
  elect(options: ElectionOptions): LeaderElector;
  /** The shards whose Leases are in a namespace, for the one of this name. Not started yet. */
  shards(options: Pick<ElectionOptions, 'namespace' | 'name'>): ShardLeases;
}

/** Reads the configuration; connects to nothing yet. @throws Error that says what is missing in the configuration */
export function createCluster(options: ClusterOptions): Cluster {
  const { clock, random = Math.random } = options;
  const logger = options.logger.child({ room: 'kubernetes' });
  const access = createAccessProvider(loadKubeConfig(options.kubeconfig), clock);
  const client = createApiClient(access, createRequestMetrics(options.registry), options.clock);
  const reflect = <T extends Resource>(kind: ResourceKind<T>): Reflector<T> =>
    new Reflector({ client, kind, clock, logger, random });

  const reflectors = {
    memories: reflect(virtualMachineMemories),
    hosts: reflect(hypervisorHosts),
    namespaces: reflect(namespaces),
  };
  const all = Object.values(reflectors);
  let elector: LeaderElector | null = null;
  const mayWrite = (): boolean => elector?.epoch !== null;
  const events = createEventRecorder<VirtualMachineMemory | HypervisorHost>({ client, clock, logger, random });

  return {
    virtualMachineMemories: reflectors.memories.source,
    hosts: reflectors.hosts.source,
    namespaces: reflectors.namespaces.source,
    virtualMachineMemoryStatus: createStatusWriter({
      client,
      logger,
      kind: virtualMachineMemories,
      mayWrite,
      learn: (object) => reflectors.memories.learn(object),
    }),
    virtualMachineMemoryFinalizers: createFinalizerWriter({
      client,
      kind: virtualMachineMemories,
      mayWrite,
      learn: (object) => reflectors.memories.learn(object),
    }),
    hostStatus: createStatusWriter({
      client,
      logger,
      kind: hypervisorHosts,
      mayWrite,
      learn: (object) => reflectors.hosts.learn(object),
    }),
    events,
    async version() {
      const answer = await client.send({ method: 'GET', path: '/version', timeoutMs: 10_000 });
      const version = answer.ok ? answer.value['gitVersion'] : null;
      return typeof version === 'string' ? version.slice(0, 64) : null;
    },
    clusterId: () => readClusterId(reflectors.namespaces.source),
    async start() {
      for (const reflector of all) reflector.start();
      await Promise.all(all.map(({ source }) => new Promise<void>((resolve) => source.onSynced(resolve))));
    },
    elect(election) {
      elector = new LeaderElector({ client, clock, logger, random, ...election });
      return elector;
    },
    shards: (own) => new ShardLeases({ client, clock, logger, random, ...own }),
    lastContactMs() {
      const contacts = all.map((reflector) => reflector.lastContactMs);
      return contacts.every((contact) => contact !== undefined) ? Math.min(...contacts) : undefined;
    },
    async close() {
      await events.close(2_000);
      await Promise.all(all.map((reflector) => reflector.close()));
      await access.close();
    },
  };
}
