import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { HypervisorHost } from '../../../src/api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { type Controller, createController } from '../../../src/controllers/controller.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { gib } from '../../../src/memory/bytes.ts';
import type { Clock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { LabelledResource } from '../../../src/runtime/resources.ts';
import { vmUuid } from '../../support/controller-bench.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { hubOf, MemoryEvents, MemoryStore } from '../../support/memory-store.ts';

/** A controller over one host with one VM, and all that it does to the world outside. */
function build(): {
  controller: Controller;
  clock: ManualClock;
  done: string[];
  resources: MemoryStore<VirtualMachineMemory>;
  hosts: MemoryStore<HypervisorHost>;
} {
  const manual = new ManualClock();
  const done: string[] = [];
  const clock: Clock = {
    now: () => manual.now(),
    monotonic: () => manual.monotonic(),
    after(ms, callback) {
      done.push('timer');
      return manual.after(ms, callback);
    },
  };
  /** Tells of whoever listens to it. */
  class WatchedStore<T extends LabelledResource & { readonly status?: object }> extends MemoryStore<T> {
    readonly #name: string;
    constructor(name: string) {
      super();
      this.#name = name;
    }
    override onChange(listener: Parameters<MemoryStore<T>['onChange']>[0]): () => void {
      done.push(`listens to ${this.#name}`);
      const stop = super.onChange(listener);
      return () => {
        done.push(`stops listening to ${this.#name}`);
        stop();
      };
    }
  }
  const resources = new WatchedStore<VirtualMachineMemory>('resources');
  const hosts = new WatchedStore<HypervisorHost>('hosts');
  const namespaces = new WatchedStore<LabelledResource>('namespaces');
  const metadata = (name: string) => ({
    name,
    uid: `uid-${name}`,
    resourceVersion: '',
    generation: 0,
    creationTimestamp: '2026-01-01T00:00:00Z',
  });
  hosts.apply({
    apiVersion: 'dimmer.dev/v1alpha1',
    kind: 'HypervisorHost',
    metadata: metadata('hv-1'),
    spec: { address: 'https://hv-1:9443', allowedNamespaces: { from: 'All' } },
  });
  namespaces.apply({ metadata: metadata('tenants') });
  resources.apply({
    apiVersion: 'dimmer.dev/v1alpha1',
    kind: 'VirtualMachineMemory',
    metadata: { ...metadata('vm'), namespace: 'tenants' },
    spec: { virtualMachine: { uuid: vmUuid }, memory: '2Gi' },
  });
  const controller = createController({
    hub: hubOf(resources, hosts, namespaces, new MemoryEvents()),
    clusterId: 'c',
    connect: () => {
      done.push('connects');
      const host = createSimulatedHost({ clock: manual, domains: [{ uuid: vmUuid, name: 'db-1', boot: gib(1) }] });
      const watch = host.watch.bind(host);
      host.watch = (listener) => {
        done.push('watches');
        return watch(listener);
      };
      return host;
    },
    clock,
    random: () => 0,
    logger: silentLogger,
    registry: new Registry(),
    concurrency: 1,
    observeOnly: false,
  });
  return { controller, clock: manual, done, resources, hosts };
}

describe('a controller', () => {
  it('does nothing at all before it is started, whatever changes meanwhile', async () => {
    const { controller, clock, done, resources, hosts } = build();
    const [vm, host] = [resources.get('tenants/vm'), hosts.get('hv-1')];
    if (vm === undefined || host === undefined) throw new Error('not there');
    resources.apply({ ...vm, spec: { ...vm.spec, memory: '3Gi' } });
    hosts.apply({ ...host, spec: { ...host.spec, cordoned: true } });
    await clock.advance(3_600_000);
    expect(done).toEqual([]);
    expect([...resources.writes, ...hosts.writes]).toEqual([]);

    hosts.apply(host);
    controller.start();
    await clock.until('it is done', () => resources.get('tenants/vm')?.status?.memory?.current === '3Gi');
    expect(done).toEqual(expect.arrayContaining(['connects', 'watches', 'timer']));
    await controller.close(60_000);
  });

  it('can be closed though it was never started', async () => {
    const { controller, clock, done } = build();
    await controller.close(60_000);
    await clock.advance(3_600_000);
    expect(done).toEqual([]);
  });

  it('connects to nothing any more once it is closed, and listens to nothing', async () => {
    const { controller, clock, done, hosts } = build();
    controller.start();
    await clock.advance(1_000);
    await controller.close(60_000);
    const count = (what: string): number => done.filter((entry) => entry === what).length;
    for (const name of ['resources', 'hosts', 'namespaces']) {
      expect(count(`listens to ${name}`)).toBeGreaterThan(0);
      expect(count(`stops listening to ${name}`)).toBe(count(`listens to ${name}`));
    }
    const before = done.length;
    const host = hosts.get('hv-1');
    if (host === undefined) throw new Error('not there');
    hosts.apply({ ...host, metadata: { ...host.metadata, name: 'hv-2', uid: 'uid-hv-2' } });
    await clock.advance(3_600_000);
    expect(done.slice(before)).toEqual([]);
  });
});
