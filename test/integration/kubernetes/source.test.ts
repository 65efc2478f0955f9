import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import type { Cluster } from '../../../src/kubernetes/cluster.ts';
import { Echoes } from '../../../src/kubernetes/echoes.ts';
import type { ResourceChange } from '../../../src/runtime/resources.ts';
import { eventsIn } from '../../lab/api-client.ts';
import {
  connectAsController,
  type DimmerCluster,
  eventually,
  host,
  memory,
  namespace,
  startDimmerCluster,
} from './support/dimmer-cluster.ts';

let plane: DimmerCluster;
let cluster: Cluster;
const changes: (ResourceChange<VirtualMachineMemory> & { readonly atMs: number })[] = [];

beforeAll(async () => {
  plane = await startDimmerCluster();
  await plane.apply(namespace('t', { team: 'db' }), memory('first', 't', { memory: '6Gi' }), host('hv'));
  cluster = connectAsController(plane);
  cluster.virtualMachineMemories.onChange((change) => changes.push({ ...change, atMs: performance.now() }));
  await cluster.start();
});
afterAll(async () => {
  await cluster.close();
  await plane.stop();
});

const held = (name: string): VirtualMachineMemory | undefined => cluster.virtualMachineMemories.get(`t/${name}`);
const present = (name: string): VirtualMachineMemory => {
  const object = held(name);
  if (object === undefined) throw new Error(`${name} isn't known`);
  return object;
};
/** Waits until the cache holds the object as the API server has it now. */
const caughtUp = async (name: string): Promise<VirtualMachineMemory> => {
  const { metadata } = await plane.get('vmmem', name, '-n', 't');
  return eventually(`${name} to be up to date`, () => {
    const object = held(name);
    return object?.metadata.resourceVersion === metadata['resourceVersion'] && object;
  });
};

describe('sources', () => {
  it('have everything once started', () => {
    expect(present('first').spec).toEqual({
      virtualMachine: { uuid: '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11' },
      memory: '6Gi',
      shrinkPolicy: 'Exact',
      growPolicy: 'Divisible',
      rounding: 'Exact',
      guestSafety: 'Required',
      unplugTimeout: '30s',
      driftPolicy: 'Correct',
      deletionPolicy: 'Retain',
      persistence: 'Live',
      releaseTimeout: '10m',
    });
    expect(cluster.hosts.get('hv')?.spec.address).toBe('https://127.0.0.1:9443');
    expect(cluster.namespaces.get('t')?.metadata.labels).toMatchObject({ team: 'db' });
    expect(cluster.lastContactMs()).toBeGreaterThan(Date.now() - 60_000);
  });

  it('know the cluster by the uid of kube-system', async () => {
    const { metadata } = await plane.get('namespace', 'kube-system');
    expect(await cluster.clusterId()).toBe(metadata['uid']);
  });

  it('follow a resource from its creation to its deletion', async () => {
    changes.length = 0;
    await plane.apply(memory('life', 't', { memory: '6Gi' }));
    await plane.apply(memory('life', 't', { memory: '7Gi' }));
    await plane.kubectlOk(['annotate', 'vmmem', 'life', '-n', 't', 'dimmer.dev/paused=true']);
    await plane.kubectlOk(['delete', 'vmmem', 'life', '-n', 't']);
    await eventually('all changes', () => changes.length === 4);
    expect(changes.map(({ previous, current }) => [previous?.spec.memory, current?.spec.memory])).toEqual([
      [undefined, '6Gi'],
      ['6Gi', '7Gi'],
      ['7Gi', '7Gi'],
      ['7Gi', undefined],
    ]);
    expect(changes[2]?.current?.metadata.annotations).toMatchObject({ 'dimmer.dev/paused': 'true' });
    expect(changes[1]?.current?.metadata.generation).toBe(2);
    expect(changes[2]?.current?.metadata.generation).toBe(2);
  });

  it('follow the labels of namespaces', async () => {
    await plane.kubectlOk(['label', 'namespace', 't', 'team=web', '--overwrite']);
    await eventually('the label', () => cluster.namespaces.get('t')?.metadata.labels?.['team'] === 'web');
  });
});

describe('status', () => {
  const status = (message: string) => ({
    observedGeneration: 1,
    hostName: 'hv',
    plan: { decision: 'Noop', steps: [], message },
  });

  it('is written, known at once, and delivered once', async () => {
    await plane.apply(memory('status', 't', { memory: '6Gi' }));
    const object = await caughtUp('status');
    changes.length = 0;
    const result = await cluster.virtualMachineMemoryStatus.write(object, status('one'));
    expect(result.outcome).toBe('written');
    // No wait: the writer tells the cache.
    expect(held('status')?.status?.plan?.message).toBe('one');
    const again = await cluster.virtualMachineMemoryStatus.write(present('status'), status('two'));
    expect(again.outcome).toBe('written');
    await plane.apply(memory('status', 't', { memory: '7Gi' }));
    await eventually('the change of spec', () => held('status')?.spec.memory === '7Gi');
    expect(changes.map(({ current }) => current?.status?.plan?.message)).toEqual(['one', 'two', 'two']);
    const stored = await plane.get('vmmem', 'status', '-n', 't');
    expect(stored['status']).toEqual(status('two'));
    expect(stored['spec']).toMatchObject({ memory: '7Gi' });
  });

  it('is known again in the line in which the watch tells of it', async () => {
    await plane.apply(memory('echo', 't', { memory: '6Gi' }));
    const object = await caughtUp('echo');
    await cluster.virtualMachineMemoryStatus.write(object, status('one'));
    await plane.apply(memory('echo', 't', { memory: '7Gi' }));
    const query = `watch=true&timeoutSeconds=1&resourceVersion=${object.metadata.resourceVersion}&fieldSelector=metadata.name=echo`;
    const watch = `/apis/dimmer.dev/v1alpha1/namespaces/t/virtualmachinememories?${query}`;
    const echoes = new Echoes();
    // By now the cache may hold what came after it.
    const [written] = changes.filter(({ current }) => current?.metadata.name === 'echo' && current.status?.plan);
    if (written?.current === undefined) throw new Error('it was not learned');
    echoes.expect(written.current);
    const lines = (await plane.kubectlOk(['get', '--raw', watch])).trim().split('\n');
    const found = lines.map((line) => echoes.find(line)?.resourceVersion ?? null);
    expect(found).toEqual([written.current.metadata.resourceVersion, null]);
  });

  it('replaces: a field that is no longer there is gone', async () => {
    await plane.apply(memory('replace', 't', {}));
    await cluster.virtualMachineMemoryStatus.write(await caughtUp('replace'), status('one'));
    await cluster.virtualMachineMemoryStatus.write(present('replace'), { observedGeneration: 1 });
    expect((await plane.get('vmmem', 'replace', '-n', 't'))['status']).toEqual({ observedGeneration: 1 });
  });

  it('never touches the spec, whatever the resource in hand says', async () => {
    await plane.apply(memory('spec', 't', { memory: '6Gi' }));
    const object = await caughtUp('spec');
    await cluster.virtualMachineMemoryStatus.write({ ...object, spec: { ...object.spec, memory: '1Gi' } }, status('x'));
    expect((await plane.get('vmmem', 'spec', '-n', 't'))['spec']).toMatchObject({ memory: '6Gi' });
  });

  it('derived from an older object is a conflict', async () => {
    await plane.apply(memory('conflict', 't', { memory: '6Gi' }));
    const old = await caughtUp('conflict');
    await plane.apply(memory('conflict', 't', { memory: '7Gi' }));
    expect(await cluster.virtualMachineMemoryStatus.write(old, status('x'))).toMatchObject({
      outcome: 'conflict',
      current: { spec: { memory: '7Gi' } },
    });
    cluster.virtualMachineMemories.refresh('t/conflict');
    await eventually('the fresh object', () => held('conflict')?.spec.memory === '7Gi');
    expect((await plane.get('vmmem', 'conflict', '-n', 't'))['status']).toEqual({ observedGeneration: -1 });
  });

  it('of a deleted object is gone', async () => {
    await plane.apply(memory('deleted', 't', {}));
    const old = await caughtUp('deleted');
    await plane.kubectlOk(['delete', 'vmmem', 'deleted', '-n', 't']);
    expect(await cluster.virtualMachineMemoryStatus.write(old, status('x'))).toEqual({ outcome: 'gone' });
  });

  it('never lands on an object that was made anew under the same name', async () => {
    await plane.apply(memory('recreated', 't', {}));
    const old = await caughtUp('recreated');
    await plane.kubectlOk(['delete', 'vmmem', 'recreated', '-n', 't']);
    await plane.apply(memory('recreated', 't', {}));
    expect(await cluster.virtualMachineMemoryStatus.write(old, status('x'))).toEqual({ outcome: 'gone' });
    // The uid alone decides, even if the resourceVersion were right.
    const present = await plane.get('vmmem', 'recreated', '-n', 't');
    const forged = {
      ...old,
      metadata: { ...old.metadata, resourceVersion: String(present.metadata['resourceVersion']) },
    };
    expect(await cluster.virtualMachineMemoryStatus.write(forged, status('x'))).toEqual({ outcome: 'gone' });
    expect((await plane.get('vmmem', 'recreated', '-n', 't'))['status']).toEqual({ observedGeneration: -1 });
  });

  it('that the schema refuses fails for good', async () => {
    await plane.apply(memory('invalid', 't', {}));
    const result = await cluster.virtualMachineMemoryStatus.write(await caughtUp('invalid'), { granularity: 'coarse' });
    expect(result).toMatchObject({ outcome: 'failed', retryable: false });
    expect(result.outcome === 'failed' && result.message).toContain('status.granularity');
  });

  it('of a host is written, too', async () => {
    const hv = cluster.hosts.get('hv');
    if (hv === undefined) throw new Error('no host');
    const result = await cluster.hostStatus.write(hv, { virtualMachines: 3 });
    expect(result.outcome).toBe('written');
    expect(cluster.hosts.get('hv')?.status?.virtualMachines).toBe(3);
  });
});

describe('events', () => {
  it('are shown by kubectl describe and kubectl events, repeated ones as one with a count', async () => {
    await plane.apply(memory('eventful', 't', {}));
    const object = await caughtUp('eventful');
    const refused = {
      type: 'Warning',
      reason: 'GuestRefused',
      action: 'Unplug',
      message: 'the guest kept slot 3',
    } as const;
    cluster.events.record(object, { type: 'Normal', reason: 'Plugging', action: 'Plug', message: 'plugging 2Gi' });
    for (let time = 0; time < 3; time += 1) cluster.events.record(object, refused);
    type Event = { reason: string; note: string; series?: { count: number }; regarding: { uid: string } };
    const events = await eventually('the series', async () => {
      const { items } = (await plane.get('events.events.k8s.io', '-n', 't')) as unknown as { items: Event[] };
      return items.some(({ series }) => series?.count === 3) && items;
    });
    expect(events.map(({ reason, note, regarding }) => [reason, note, regarding.uid]).sort()).toEqual([
      ['GuestRefused', 'the guest kept slot 3', object.metadata.uid],
      ['Plugging', 'plugging 2Gi', object.metadata.uid],
    ]);
    const listed = await plane.kubectlOk(['events', '-n', 't', '--for', 'vmmem/eventful']);
    expect(listed).toMatch(/Warning +GuestRefused +VirtualMachineMemory\/eventful +the guest kept slot 3/);
    expect(listed).toMatch(/\(x3 over /);
    const described = await plane.kubectlOk(['describe', 'vmmem', 'eventful', '-n', 't']);
    expect(described).toMatch(/Normal +Plugging .*plugging 2Gi/);
  });

  it('about a host are found by kubectl describe', async () => {
    const hv = cluster.hosts.get('hv');
    if (hv === undefined) throw new Error('no host');
    cluster.events.record(hv, { type: 'Warning', reason: 'HostUnreachable', action: 'Connect', message: 'no answer' });
    await eventually('the event', async () =>
      JSON.stringify(await plane.api.read(eventsIn('default'))).includes('HostUnreachable'),
    );
    expect(await plane.kubectlOk(['describe', 'hvh', 'hv'])).toContain('HostUnreachable');
  });
});

describe('delivery', () => {
  it('takes milliseconds from the answer to a write until the listener is called', async ({ annotate }) => {
    await plane.apply(memory('quick', 't', { memory: '6Gi' }));
    await caughtUp('quick');
    // The administrator writes by another connection; its answer and our event race.
    const admin = connectAsController({ ...plane, controllerKubeconfig: plane.adminKubeconfig });
    await admin.start();
    try {
      const delays: number[] = [];
      for (let round = 0; round < 20; round += 1) {
        changes.length = 0;
        const object = admin.virtualMachineMemories.get('t/quick');
        if (object === undefined) throw new Error('not there');
        const written = await admin.virtualMachineMemoryStatus.write(object, { observedGeneration: round });
        const answeredMs = performance.now();
        expect(written.outcome).toBe('written');
        const heard = await eventually('the change', () => changes[0]);
        delays.push(heard.atMs - answeredMs);
      }
      const median = delays.sort((a, b) => a - b)[10] ?? Infinity;
      await annotate(
        `delivery after the answer: median ${median.toFixed(1)} ms, worst ${delays.at(-1)?.toFixed(1) ?? ''} ms`,
      );
      expect(median).toBeLessThan(50);
    } finally {
      await admin.close();
    }
  });
});
