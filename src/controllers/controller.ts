/** The controller: resources and hosts in, work on queues out. One of these runs in every assembly. */
import type { Registry } from 'prom-client';
import type { HypervisorHost } from '../api/v1alpha1/hypervisor-host.ts';
import type { ShardSource } from '../api/v1alpha1/shards.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import type { Charge, Host } from '../host/port.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { keyOf, type ResourceHub, type ResourceKey } from '../runtime/resources.ts';
import { createReconcileMetrics } from '../runtime/reconcile-metrics.ts';
import { createReconcileQueue } from '../runtime/reconcile-queue.ts';
import type { Urgency } from '../runtime/urgency.ts';
import type { WorkQueue } from '../runtime/work-queue.ts';
import { ClaimIndex } from './shared/claim-index.ts';
import { countFleet, declareFleetMetrics } from './memory/fleet-metrics.ts';
import { Held } from './memory/held.ts';
import { HostDirectory } from './shared/host-directory.ts';
import { Shards } from './shared/shards.ts';
import { declareHostMetrics, type HostReading } from './host/metrics.ts';
import { type KnownHost, reconcileHostStatus } from './host/reconcile.ts';
import { ObserveRequests } from './memory/observe-requests.ts';
import { withoutPassing } from './memory/planning.ts';
import { createControllerMetrics } from './memory/metrics.ts';
import { Postponed } from './memory/postponed.ts';
import { reconcile } from './memory/reconcile.ts';
import { FailedPlans } from './memory/failed-plans.ts';
import { FailedStores } from './memory/failed-stores.ts';
import { Shown } from './memory/shown.ts';
import { Unwritten } from './memory/unwritten.ts';
import {
  keysOfDomain,
  keysOfHost,
  laneOf,
  urgencyAtStart,
  watchNamespaces,
  watchObserveRequests,
  watchResources,
} from './memory/triggers.ts';

export type ControllerOptions = {
  /** Where the resources live. Who makes the controller starts and closes it. */
  readonly hub: Omit<ResourceHub<VirtualMachineMemory, HypervisorHost>, 'start' | 'close' | 'clusterId'>;
  readonly clusterId: string;
  /** Makes the connection to a host's agent. `charge`: see {@link Charge}; only with shards. */
  readonly connect: (resource: HypervisorHost, charge?: () => Charge | null) => Host;
  /** Those that share the hosts, this one among them. Left out, or null: it is there for all. */
  readonly shards?: ShardSource | null;
  readonly clock: Clock;
  /** 0 (included) to 1 (excluded). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Resources of one host reconciled at once, 1 or more; what waits for a place on the host doesn't count. */
  readonly concurrency: number;
  readonly observeOnly: boolean;
};

export interface Controller {
  /** Begins to act; call it when the sources have their first complete sets. */
  start(): void;
  /**
   * Ends what is under way, then lets go of the hosts; also where nothing was started. A change that was sent is waited
   * for, and its status written, for at most `graceMs` milliseconds; everything else ends at once.
   */
  close(graceMs: number): Promise<void>;
}

const retry = { initialMs: 500, maxMs: 300_000 };
const hostRetry = { initialMs: 500, maxMs: 30_000 };
/** Longer than any single answer takes: a host that wants to be left alone is waited for 30 s, and so may each look be. */
const deadlineMs = 120_000;

/** Wires the controller's parts together. Nothing runs, listens or is connected before `start`. */
export function createController(options: ControllerOptions): Controller {
  const { hub, clock, random, logger } = options;
  const { virtualMachineMemories: resources, namespaces, events } = hub;
  const claims = new ClaimIndex(resources);
  const observeRequests = new ObserveRequests(clock);
  const shards = new Shards(options.shards ?? null);
  const own = new Set<ResourceKey>();
  const shown = new Shown();
  const enqueueHost = (name: string): void => {
    hostQueue.add(name);
    for (const key of keysOfHost(resources.list(), name)) queue.add(key, 'resync');
  };

  const shared = { clock, logger, random, metrics: createReconcileMetrics(options.registry) };
  const queue: WorkQueue = createReconcileQueue({
    ...shared,
    kind: 'VirtualMachineMemory',
    deadlineMs,
    concurrency: options.concurrency,
    retry,
    laneOf: (key) => laneOf(resources.get(key)),
    reconcile: (key, attempt) => reconcile(key, { ...context, ...attempt }),
  });
  const hostQueue: WorkQueue = createReconcileQueue({
    ...shared,
    kind: 'HypervisorHost',
    deadlineMs,
    concurrency: 1,
    // Each host by itself: one that doesn't answer keeps nobody from asking another.
    laneOf: (name) => name,
    retry: hostRetry,
    reconcile: (name, attempt) => reconcileHostStatus(name, hostContext, attempt),
  });
  const hosts: HostDirectory = new HostDirectory({
    source: hub.hosts,
    connect(resource) {
      if (!shards.shared) return options.connect(resource);
      return options.connect(resource, () => shards.chargeOf(hosts.get(resource.metadata.name)?.resource));
    },
    isServedAnew: (before, now) => shards.mayAct(before) !== shards.mayAct(now),
    listener: {
      onDomain(uuid, what, host, id) {
        // Where it is may have changed; what its memory does is for the one who is there for its host.
        if (what === 'memory' && shards.shareOf(host).kind === 'other') return;
        for (const key of keysOfDomain(resources, claims, uuid, what)) if (!shown.has(key, id)) queue.add(key);
      },
      onHost: enqueueHost,
    },
    clock,
    logger,
  });
  const context = {
    resources,
    claims,
    hosts,
    shards,
    own,
    namespaceLabels: (name: string) => {
      const namespace = namespaces.get(name);
      return namespace === undefined ? undefined : (namespace.metadata.labels ?? {});
    },
    clusterId: options.clusterId,
    statuses: { source: resources, writer: hub.virtualMachineMemoryStatus, comparable: withoutPassing },
    finalizers: hub.virtualMachineMemoryFinalizers,
    events,
    failed: new FailedPlans(),
    failedStores: new FailedStores(),
    postponed: new Postponed(),
    unwritten: new Unwritten(),
    held: new Held(),
    shown,
    observeRequests,
    metrics: createControllerMetrics(options.registry),
    clock,
    random,
    observeOnly: options.observeOnly,
  };
  const hostContext = {
    hosts,
    shards,
    namespaces,
    clusterId: options.clusterId,
    statuses: { source: hub.hosts, writer: hub.hostStatus },
    events,
    clock,
    random,
    known: new Map<string, KnownHost>(),
  };
  // By the hosts that there are: one whose resource has gone has no series from then on.
  declareHostMetrics(options.registry, () =>
    hosts.list().flatMap(({ name }): [string, HostReading][] => {
      const reading = hostContext.known.get(name)?.reading;
      return reading === undefined ? [] : [[name, reading]];
    }),
  );
  const isOwn = (resource: VirtualMachineMemory): boolean => own.has(keyOf(resource));
  declareFleetMetrics(options.registry, () =>
    countFleet(shards.shared ? resources.list().filter(isOwn) : resources.list(), clock.now()),
  );
  const enqueueAll = (): void => {
    for (const { name } of hosts.list()) hostQueue.add(name);
    for (const resource of resources.list()) queue.add(keyOf(resource), 'resync');
  };
  const enqueue = (key: string, urgency: Urgency): void => queue.add(key, urgency);
  const enqueueLook = (key: string): void => queue.addAfter(key, observeRequests.dueInMs(key), 'event');
  let unfollow: readonly (() => void)[] = [];
  let unindex = (): void => undefined;

  return {
    start() {
      // First: who listens to changes of resources asks the index about them.
      unindex = claims.follow();
      unfollow = [
        watchResources(resources, claims, enqueue),
        watchObserveRequests(resources, enqueueLook),
        watchNamespaces(namespaces, resources, claims, enqueue),
        shards.onChange(enqueueAll),
      ];
      hosts.open();
      for (const resource of resources.list()) queue.add(keyOf(resource), urgencyAtStart(resource));
      for (const host of hosts.list()) hostQueue.add(host.name);
      queue.start();
      hostQueue.start();
    },
    async close(graceMs) {
      for (const end of unfollow) end();
      const left = await Promise.all([queue.close(graceMs), hostQueue.close(graceMs)]);
      const unfinished = left[0] + left[1];
      if (unfinished > 0) logger.warn({ unfinished, graceMs }, 'the controller ends before its work');
      await context.held.writeAll();
      unindex();
      await hosts.close();
    },
  };
}
