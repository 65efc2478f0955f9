/** A whole controller over stores in memory and simulated hosts, on a clock of its own. */
import { Registry } from 'prom-client';
import { findCondition } from '../../src/api/v1alpha1/conditions.ts';
import type { Condition } from '../../src/api/v1alpha1/meta.ts';
import type {
  HypervisorHost,
  HypervisorHostSpec,
  HypervisorHostStatus,
} from '../../src/api/v1alpha1/hypervisor-host.ts';
import type {
  VirtualMachineMemory,
  VirtualMachineMemorySpec,
  VirtualMachineMemoryStatus,
} from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import { type Controller, createController } from '../../src/controllers/controller.ts';
import { withLeadership } from '../../src/host/leadership.ts';
import type { Leadership } from '../../src/host/port.ts';
import type { SimulatedDomainSpec } from '../../src/host/simulated/domain-spec.ts';
import type { SimulatedHost } from '../../src/host/simulated/script.ts';
import { createSimulatedHost } from '../../src/host/simulated/simulated-host.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { LabelledResource } from '../../src/runtime/resources.ts';
import { ManualClock } from './manual-clock.ts';
import { hubOf, MemoryEvents, MemoryStore } from './memory-store.ts';

export const vmUuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
/** What the schema makes of a status that is not there. */
const unseen = { observedGeneration: -1 };
const clusterId = 'c1u57e00-0000-4000-8000-000000000000';

/** The key of a resource by what tests call it. */
const keyFor = (name: string): string => (name.includes('/') ? name : `tenants/${name}`);

export type ControllerBench = {
  readonly clock: ManualClock;
  readonly resources: MemoryStore<VirtualMachineMemory>;
  readonly hosts: MemoryStore<HypervisorHost>;
  readonly namespaces: MemoryStore<LabelledResource>;
  readonly events: MemoryEvents;
  host(name?: string): SimulatedHost;
  addHost(name: string, domains: readonly SimulatedDomainSpec[], spec?: Partial<HypervisorHostSpec>): void;
  /** Changes a host's spec, as its admin would. */
  changeHost(name: string, spec: Partial<HypervisorHostSpec>): void;
  /** Makes a namespace, or gives it these labels. */
  namespace(name: string, labels?: Readonly<Record<string, string>>): void;
  /**
   * Like `kubectl apply`; grows by whole modules unless the spec says otherwise, so that steps are easy to count.
   * Everywhere here `name` stands for a resource in namespace `tenants`, `namespace/name` for one elsewhere.
   */
  apply(spec: Partial<VirtualMachineMemorySpec>, name?: string, annotations?: Record<string, string>): void;
  /** Like `kubectl delete`: a finalizer holds it up. */
  delete(name?: string): void;
  status(name?: string): VirtualMachineMemoryStatus;
  condition(type: string, name?: string): Condition | undefined;
  reason(name?: string): string | undefined;
  hostStatus(name?: string): HypervisorHostStatus;
  /** Changes the spec of a host. */
  applyHost(spec: Partial<HypervisorHostSpec>, name?: string): void;
  /** The controller's metrics, as Prometheus reads them. */
  metrics(): Promise<string>;
  /** Lets time pass until the Ready condition has `reason` for the newest generation. */
  reaches(reason: string, name?: string, limitMs?: number): Promise<void>;
  /** Ends the controller and starts another, which knows only what the stores and hosts hold; `meanwhile` is in between. */
  restart(meanwhile?: () => void): Promise<void>;
  /** Ends the controller as SIGKILL does, what it has sent is under way, and starts another. */
  kill(): void;
  close(): Promise<void>;
};

/** `object` as a process reaches it: what it asks once it is killed is asked of nobody, and never answered. */
const mortal = <T extends object>(object: T, life: { readonly isKilled: boolean }): T =>
  new Proxy(object, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown =>
        life.isKilled ? new Promise(() => undefined) : Reflect.apply(member, target, args);
    },
  });

/** Host `hv-1` with the given domains, and a controller that has started. */
export async function createControllerBench(
  domains: readonly SimulatedDomainSpec[],
  options: {
    readonly observeOnly?: boolean;
    readonly hostSpec?: Partial<HypervisorHostSpec>;
    /** It was elected. */
    readonly leadership?: Leadership;
  } = {},
): Promise<ControllerBench> {
  const clock = new ManualClock();
  const resources = new MemoryStore<VirtualMachineMemory>();
  const hosts = new MemoryStore<HypervisorHost>();
  const namespaces = new MemoryStore<LabelledResource>();
  const events = new MemoryEvents();
  const simulated = new Map<string, SimulatedHost>();
  let uids = 0;
  const metadata = (name: string) => ({
    name,
    uid: `uid-${(uids += 1)}-${name}`,
    resourceVersion: '',
    generation: 0,
    creationTimestamp: new Date(clock.now() + uids * 1000).toISOString(),
  });

  let registry = new Registry();
  let life = { isKilled: false };
  const create = (): Controller => {
    registry = new Registry();
    life = { isKilled: false };
    const own = life;
    const hub = hubOf(resources, hosts, namespaces, events);
    return createController({
      hub: {
        ...hub,
        virtualMachineMemoryStatus: mortal(hub.virtualMachineMemoryStatus, own),
        hostStatus: mortal(hub.hostStatus, own),
        virtualMachineMemoryFinalizers: mortal(hub.virtualMachineMemoryFinalizers, own),
      },
      clusterId,
      connect: (resource) => {
        const host = simulated.get(resource.metadata.name);
        if (host === undefined) throw new Error(`no simulated host ${resource.metadata.name}`);
        return mortal(options.leadership === undefined ? host : withLeadership(host, options.leadership), own);
      },
      clock,
      random: () => 0,
      logger: silentLogger,
      registry,
      // The default of --max-concurrent-reconciles.
      concurrency: 16,
      observeOnly: options.observeOnly ?? false,
    });
  };

  const bench: ControllerBench = {
    clock,
    resources,
    hosts,
    namespaces,
    events,
    host(name = 'hv-1') {
      const host = simulated.get(name);
      if (host === undefined) throw new Error(`no simulated host ${name}`);
      return host;
    },
    addHost(name, specs, spec = {}) {
      simulated.set(name, createSimulatedHost({ clock, id: name, domains: specs }));
      hosts.apply({
        apiVersion: 'dimmer.dev/v1alpha1',
        kind: 'HypervisorHost',
        metadata: metadata(name),
        spec: { address: `https://${name}:9443`, allowedNamespaces: { from: 'All' }, ...spec },
        status: unseen,
      });
    },
    changeHost(name, spec) {
      const host = hosts.get(name);
      if (host === undefined) throw new Error(`no host ${name}`);
      hosts.apply({ ...host, spec: { ...host.spec, ...spec } });
    },
    namespace(name, labels) {
      const known = namespaces.get(name)?.metadata ?? metadata(name);
      namespaces.apply({ metadata: { ...known, ...(labels === undefined ? {} : { labels }) } });
    },
    apply(spec, name = 'vm', annotations) {
      const key = keyFor(name);
      const [namespace = '', own = ''] = key.split('/');
      const before = resources.get(key);
      resources.apply({
        apiVersion: 'dimmer.dev/v1alpha1',
        kind: 'VirtualMachineMemory',
        metadata: {
          ...(before?.metadata ?? metadata(own)),
          namespace,
          ...(annotations === undefined ? {} : { annotations }),
        },
        spec: { virtualMachine: { uuid: vmUuid }, growPolicy: 'Whole', ...before?.spec, ...spec },
        status: unseen,
      });
    },
    delete: (name = 'vm') => resources.remove(keyFor(name), clock.now()),
    status: (name = 'vm') => resources.get(keyFor(name))?.status ?? {},
    condition: (type, name) => findCondition(bench.status(name).conditions, type),
    hostStatus: (name = 'hv-1') => hosts.get(name)?.status ?? {},
    applyHost(spec, name = 'hv-1') {
      const before = hosts.get(name);
      if (before === undefined) throw new Error(`no host ${name}`);
      hosts.apply({ ...before, spec: { ...before.spec, ...spec } });
    },
    metrics: () => registry.metrics(),
    reason: (name) => bench.condition('Ready', name)?.reason,
    async reaches(reason, name = 'vm', limitMs) {
      const holds = () =>
        bench.reason(name) === reason &&
        bench.status(name).observedGeneration === resources.get(keyFor(name))?.metadata.generation;
      try {
        await clock.until(`${name} says ${reason}`, holds, limitMs);
      } catch (error) {
        const { reason: said, message } = bench.condition('Ready', name) ?? {};
        throw new Error(`${(error as Error).message}; it says ${said}: ${message}`, { cause: error });
      }
    },
    async restart(meanwhile) {
      let closed = false;
      // It finishes what it has under way, and that takes time.
      void controller.close(60_000).then(() => (closed = true));
      await clock.until('the controller ends', () => closed);
      meanwhile?.();
      controller = create();
      controller.start();
    },
    kill() {
      life.isKilled = true;
      controller = create();
      controller.start();
    },
    close: () => controller.close(60_000),
  };
  bench.namespace('tenants');
  bench.addHost('hv-1', domains, options.hostSpec);
  let controller = create();
  controller.start();
  await clock.advance(0);
  return bench;
}
