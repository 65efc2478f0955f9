/**
 * Several whole controllers that share simulated hosts, over one store in memory, on one clock. Each hears of hosts and
 * resources at once, or as late as a test likes, and of what happens on a host after a while that differs by controller and host.
 */
import { isDeepStrictEqual } from 'node:util';
import { Registry } from 'prom-client';
import { findCondition } from '../../src/api/v1alpha1/conditions.ts';
import type { HypervisorHost } from '../../src/api/v1alpha1/hypervisor-host.ts';
import { parseLabelSelector } from '../../src/api/v1alpha1/selector-text.ts';
import type { Shard, ShardSource } from '../../src/api/v1alpha1/shards.ts';
import type { VirtualMachineMemory, VirtualMachineMemorySpec } from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import { type Controller, createController } from '../../src/controllers/controller.ts';
import { withLeadership } from '../../src/host/leadership.ts';
import type { Host } from '../../src/host/port.ts';
import type { SimulatedDomainSpec } from '../../src/host/simulated/domain-spec.ts';
import type { SimulatedHost } from '../../src/host/simulated/script.ts';
import { createSimulatedHost } from '../../src/host/simulated/simulated-host.ts';
import { gib } from '../../src/memory/bytes.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import {
  keyOf,
  type LabelledResource,
  type Resource,
  type ResourceChange,
  type ResourceSource,
  type StatusWriter,
} from '../../src/runtime/resources.ts';
import { ManualClock } from './manual-clock.ts';
import { hubOf, MemoryEvents, MemoryStore } from './memory-store.ts';

/** A source that passes changes on, or keeps them back until it is told to go on: a watch that is slow. */
class SlowSource<T extends Resource> implements ResourceSource<T> {
  synced = true;
  readonly #seen = new Map<string, T>();
  readonly #listeners = new Set<(change: ResourceChange<T>) => void>();
  #kept: ResourceChange<T>[] | null = null;

  constructor(store: ResourceSource<T>) {
    for (const object of store.list()) this.#seen.set(keyOf(object), object);
    store.onChange((change) => (this.#kept === null ? this.#pass(change) : void this.#kept.push(change)));
  }
  hold(): void {
    this.#kept ??= [];
  }
  /** Passes the first of those on that are kept back. */
  releaseOne(): void {
    const change = this.#kept?.shift();
    if (change !== undefined) this.#pass(change);
  }
  /** Keeps nothing back any more. Of one resource the last change is told only, as it is after a list. */
  release(): void {
    const kept = Map.groupBy(this.#kept ?? [], ({ key }) => key);
    this.#kept = null;
    for (const [key, changes] of kept) {
      this.#pass({ key, previous: changes[0]?.previous, current: changes.at(-1)?.current });
    }
  }
  #pass(change: ResourceChange<T>): void {
    if (change.current === undefined) this.#seen.delete(change.key);
    else this.#seen.set(change.key, change.current);
    for (const listener of this.#listeners) listener(change);
  }
  get(key: string): T | undefined {
    return this.#seen.get(key);
  }
  list(): readonly T[] {
    return [...this.#seen.values()];
  }
  onChange(listener: (change: ResourceChange<T>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  onSynced(listener: () => void): void {
    listener();
  }
  refresh(): void {
    // What is held here is as late as a test likes.
  }
}

/** A status that somebody has written, or tried to. */
export type Write = {
  readonly by: string;
  readonly key: string;
  readonly reason: string | undefined;
  readonly hostName: string | undefined;
  readonly outcome: string;
};

export type ShardProcess = {
  readonly name: string;
  readonly hosts: SlowSource<HypervisorHost>;
  readonly resources: SlowSource<VirtualMachineMemory>;
  readonly events: MemoryEvents;
  metrics(): Promise<string>;
};

const election = (name: string): string => `cluster/dimmer-system/${name}`;

export class ShardsBench {
  readonly clock = new ManualClock();
  readonly resources = new MemoryStore<VirtualMachineMemory>();
  readonly hosts = new MemoryStore<HypervisorHost>();
  readonly namespaces = new MemoryStore<LabelledResource>();
  readonly writes: Write[] = [];
  readonly hostWrites: Write[] = [];
  readonly finalizerWrites: { readonly by: string; readonly key: string }[] = [];
  readonly #simulated = new Map<string, SimulatedHost>();
  readonly #controllers: Controller[] = [];
  readonly #listeners = new Set<() => void>();
  #shards: readonly Shard[] = [];
  #changedMs = this.clock.monotonic();
  #uids = 0;

  constructor() {
    this.namespaces.apply({ metadata: this.#metadata('tenants') });
  }

  host(name: string): SimulatedHost {
    const host = this.#simulated.get(name);
    if (host === undefined) throw new Error(`no simulated host ${name}`);
    return host;
  }

  addHost(name: string, labels: Readonly<Record<string, string>>, domains: readonly SimulatedDomainSpec[] = []): void {
    const { clock } = this;
    this.#simulated.set(name, createSimulatedHost({ clock, id: name, domains, totalMemory: gib(65_536) }));
    this.hosts.apply({
      apiVersion: 'dimmer.dev/v1alpha1',
      kind: 'HypervisorHost',
      metadata: { ...this.#metadata(name), labels },
      spec: { address: `https://${name}:9443`, allowedNamespaces: { from: 'All' }, maxConcurrentOperations: 64 },
      status: { observedGeneration: -1 },
    });
  }

  label(name: string, labels: Readonly<Record<string, string>>): void {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name}`);
    this.hosts.apply({ ...host, metadata: { ...host.metadata, labels } });
  }

  apply(name: string, spec: Partial<VirtualMachineMemorySpec>): void {
    const before = this.resources.get(`tenants/${name}`);
    this.resources.apply({
      apiVersion: 'dimmer.dev/v1alpha1',
      kind: 'VirtualMachineMemory',
      metadata: { ...(before?.metadata ?? this.#metadata(name)), namespace: 'tenants' },
      spec: { virtualMachine: {}, growPolicy: 'Whole', ...before?.spec, ...spec },
      status: { observedGeneration: -1 },
    });
  }

  /** As its Lease says it. */
  setShard(name: string, selector: string, state: Partial<Pick<Shard, 'isTaken' | 'isHeld'>> = {}): void {
    const read = parseLabelSelector(selector);
    if (!read.ok) throw new Error(read.error);
    this.#setShards([
      ...this.#shards.filter((shard) => shard.name !== name),
      { name, selector: read.value, isTaken: true, isHeld: true, ...state },
    ]);
  }

  deleteShard(name: string): void {
    this.#setShards(this.#shards.filter((shard) => shard.name !== name));
  }

  #setShards(shards: readonly Shard[]): void {
    const known = (all: readonly Shard[]) => all.map(({ name, selector, isTaken }) => isTaken && { name, selector });
    if (!isDeepStrictEqual(known(this.#shards), known(shards))) this.#changedMs = this.clock.monotonic();
    this.#shards = shards;
    for (const listener of this.#listeners) listener();
  }

  /** Starts the controller of a shard, which leads. */
  async start(name: string, selector: string, epoch = 1): Promise<ShardProcess> {
    this.setShard(name, selector);
    const { clock } = this;
    const source: ShardSource = {
      own: name,
      list: () => this.#shards,
      unchangedMs: () => clock.monotonic() - this.#changedMs,
      onChange: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
    const hosts = new SlowSource(this.hosts);
    const resources = new SlowSource(this.resources);
    const events = new MemoryEvents();
    const hub = hubOf(this.resources, this.hosts, this.namespaces, events);
    const registry = new Registry();
    const leadership = { current: () => ({ election: election(name), epoch }), refused: () => undefined };
    const finalizers = hub.virtualMachineMemoryFinalizers;
    const controller = createController({
      hub: {
        ...hub,
        ...{ hosts, virtualMachineMemories: resources },
        virtualMachineMemoryStatus: this.#recorded(name, this.resources, this.writes),
        hostStatus: this.#recorded(name, this.hosts, this.hostWrites),
        virtualMachineMemoryFinalizers: {
          write: (resource, wanted) => {
            this.finalizerWrites.push({ by: name, key: keyOf(resource) });
            return finalizers.write(resource, wanted);
          },
        },
      },
      clusterId: 'cluster',
      connect: (resource, charge) => withLeadership(this.#reached(name, resource.metadata.name), leadership, charge),
      shards: source,
      ...{ clock, random: () => 0, logger: silentLogger, registry, concurrency: 16, observeOnly: false },
    });
    this.#controllers.push(controller);
    controller.start();
    await clock.advance(0);
    return { name, hosts, resources, events, metrics: () => registry.metrics() };
  }

  status = (name: string): NonNullable<VirtualMachineMemory['status']> =>
    this.resources.get(`tenants/${name}`)?.status ?? {};
  condition = (name: string) => findCondition(this.status(name).conditions, 'Ready');
  hostCondition = (name: string) => findCondition(this.hosts.get(name)?.status?.conditions, 'Ready');

  /** Lets time pass until Ready has `reason` for the newest generation. */
  async reaches(name: string, reason: string, limitMs?: number): Promise<void> {
    const { clock, resources } = this;
    const said = () => this.condition(name);
    const holds = () =>
      said()?.reason === reason &&
      this.status(name).observedGeneration === resources.get(`tenants/${name}`)?.metadata.generation;
    try {
      await clock.until(`${name} says ${reason}`, holds, limitMs);
    } catch (error) {
      throw new Error(`${(error as Error).message}; it says ${said()?.reason}: ${said()?.message}`, { cause: error });
    }
  }

  migrate(uuid: string, from: string, to: string): void {
    this.host(to).script.arrive(this.host(from).script.depart(uuid));
  }

  async close(): Promise<void> {
    await Promise.all(this.#controllers.map((controller) => controller.close(60_000)));
  }

  #metadata(name: string) {
    this.#uids += 1;
    const creationTimestamp = new Date(this.clock.now() + this.#uids * 1000).toISOString();
    return { name, uid: `uid-${this.#uids}-${name}`, resourceVersion: '', generation: 0, creationTimestamp };
  }

  #recorded<T extends VirtualMachineMemory | HypervisorHost>(
    by: string,
    writer: StatusWriter<T>,
    into: Write[],
  ): StatusWriter<T> {
    return {
      write: async (resource, status) => {
        const result = await writer.write(resource, status);
        const { conditions, hostName } = status as NonNullable<VirtualMachineMemory['status']>;
        const reason = findCondition(conditions, 'Ready')?.reason;
        into.push({ by, key: keyOf(resource), reason, hostName, outcome: result.outcome });
        return result;
      },
    };
  }

  /** A host as one controller reaches it. */
  #reached(by: string, name: string): Host {
    const { clock } = this;
    const host = this.host(name);
    const lateMs = Buffer.from(by + name).reduce((sum, letter) => (sum * 31 + letter) % 61, 7);
    return {
      ...host,
      watch(listener, leadership) {
        let isOver = false;
        const end = host.watch(
          (event) => clock.after(lateMs, () => (isOver ? undefined : listener(event))),
          leadership,
        );
        return () => {
          isOver = true;
          end();
        };
      },
      // Others go on with it.
      close: () => Promise.resolve(),
    };
  }
}
