/** Conditions that others set on our resources, by server-side apply on the status, as backup tools and policy engines do. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { gib } from '../../../src/memory/bytes.ts';
import type { Condition } from '../../../src/api/v1alpha1/meta.ts';
import type { Cluster } from '../../../src/kubernetes/cluster.ts';
import type { Resource, StatusWriter } from '../../../src/runtime/resources.ts';
import { pathOf } from '../../lab/api-client.ts';
import { type DimmerCluster, eventually, host, memory, startClusterWithOne, uuid } from './support/dimmer-cluster.ts';
import { waitFor } from '../../lab/wait.ts';
import { type LiveController, startLiveController } from './support/live-controller.ts';

type Set = { readonly type: string; readonly status: string; readonly at?: string };
type Seen = { readonly metadata: Record<string, unknown>; readonly status: { readonly conditions?: Condition[] } };

let plane: DimmerCluster;
let controller: LiveController | undefined;
/** Runs once, right before the next write of the controller. */
let beforeWrite: (() => Promise<void>) | undefined;
let writes = 0;

beforeAll(async () => {
  plane = await startClusterWithOne('hv');
});
afterEach(async () => {
  await controller?.close();
  controller = undefined;
});
afterAll(() => plane.stop());

function watched<T extends Resource>(writer: StatusWriter<T>): StatusWriter<T> {
  return {
    async write(resource, status) {
      writes += 1;
      const interruption = beforeWrite;
      beforeWrite = undefined;
      await interruption?.();
      return writer.write(resource, status);
    },
  };
}
const startController = async (): Promise<void> => {
  controller = await startLiveController(plane, {
    domains: { hv: [{ uuid, name: 'db-vm', boot: gib(1), slots: 32 }] },
    wrap: (cluster: Cluster) => ({
      ...cluster,
      virtualMachineMemoryStatus: watched(cluster.virtualMachineMemoryStatus),
      hostStatus: watched(cluster.hostStatus),
    }),
  });
};

const condition = ({ type, status, at = '2026-01-01T00:00:00Z' }: Set) => ({
  type,
  status,
  reason: 'Nightly',
  message: `${type} says ${status}`,
  lastTransitionTime: at,
});

/** The two kinds, each with a change that makes the controller write its status. */
const kinds = {
  vmmem: {
    of: (name: string) => memory(name, 't', { memory: '2Gi' }),
    scope: ['-n', 't'],
    change: (name: string, step: number) => memory(name, 't', { memory: `${2 + step}Gi` }),
    ours: 6,
  },
  hvh: {
    of: (name: string) => host(name),
    scope: [],
    change: (name: string, step: number) => host(name, { maxConcurrentOperations: 4 + step }),
    ours: 3,
  },
} as const;
type Kind = keyof typeof kinds;

const read = (kind: Kind, name: string) => plane.get(kind, name, ...kinds[kind].scope) as unknown as Promise<Seen>;
const conditionsOf = async (kind: Kind, name: string): Promise<readonly Condition[]> =>
  (await read(kind, name)).status.conditions ?? [];
const foreignOf = async (kind: Kind, name: string) =>
  (await conditionsOf(kind, name)).filter(({ type }) => type.includes('/'));

/** As `kubectl apply --server-side --subresource=status` does, by the manager `acme`; the whole of what it wants. */
const setConditions = async (kind: Kind, name: string, ...wanted: readonly Set[]): Promise<void> => {
  const { spec: _, ...object } = kinds[kind].of(name);
  const body = { ...object, ...(wanted.length === 0 ? {} : { status: { conditions: wanted.map(condition) } }) };
  const path = `${pathOf(kind, name, 't')}/status?fieldManager=acme&fieldValidation=Strict`;
  const answer = await plane.api.ask(path, { method: 'PATCH', patch: 'apply', body });
  if (answer.status !== 200) throw new Error(answer.text);
};
/** Changes the spec; waits until the controller has written that generation. */
const changed = async (kind: Kind, name: string, step: number): Promise<void> => {
  await plane.apply(kinds[kind].change(name, step));
  await eventually('the controller to have written', async () => {
    const { metadata, status } = await read(kind, name);
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    return ready?.status === 'True' && ready.observedGeneration === metadata['generation'];
  });
};

describe.each(Object.keys(kinds) as Kind[])('on a %s', (kind) => {
  const name = 'hv';

  it('are kept as they are, changed without a conflict, and gone once their owner lets go', async () => {
    await startController();
    await changed(kind, name, 0);
    await setConditions(kind, name, { type: 'acme.io/BackedUp', status: 'True' });
    await changed(kind, name, 1);
    expect(await foreignOf(kind, name)).toEqual([condition({ type: 'acme.io/BackedUp', status: 'True' })]);

    const later = { type: 'acme.io/BackedUp', status: 'False', at: '2026-02-02T00:00:00Z' };
    await setConditions(kind, name, later, { type: 'acme.io/Scanned', status: 'True' });
    await changed(kind, name, 2);
    expect(await foreignOf(kind, name)).toEqual([
      condition(later),
      condition({ type: 'acme.io/Scanned', status: 'True' }),
    ]);

    await setConditions(kind, name);
    await changed(kind, name, 3);
    expect(await foreignOf(kind, name)).toEqual([]);
  });

  it('without a domain are ours, and written anew', async () => {
    await startController();
    await setConditions(kind, name, { type: 'BackedUp', status: 'True' });
    await changed(kind, name, 4);
    expect((await conditionsOf(kind, name)).map(({ type }) => type)).not.toContain('BackedUp');
  });

  it('are not lost when they come between the look and the write of the controller', async () => {
    await startController();
    await changed(kind, name, 5);
    beforeWrite = () => setConditions(kind, name, { type: 'acme.io/BackedUp', status: 'Unknown' });
    await changed(kind, name, 6);
    expect(beforeWrite).toBeUndefined();
    expect(await foreignOf(kind, name)).toEqual([condition({ type: 'acme.io/BackedUp', status: 'Unknown' })]);
    await setConditions(kind, name);
  });

  it('make the controller do nothing, however often they change', async () => {
    await startController();
    await changed(kind, name, 7);
    // What the change itself still brings about.
    await eventually('a second without a write', async () => {
      writes = 0;
      await delay(1_000);
      return writes === 0;
    });
    for (let round = 0; round < 10; round += 1) {
      await setConditions(kind, name, { type: 'acme.io/Beat', status: 'True', at: `2026-01-01T00:00:0${round}Z` });
    }
    // The time that it would take to hear of them and to write.
    await delay(1_500);
    expect(writes).toBe(0);
    expect(await foreignOf(kind, name)).toHaveLength(1);
    await setConditions(kind, name);
  });

  it('that a merge patch puts in the place of ours stay, and ours come back', async () => {
    await startController();
    await changed(kind, name, 8);
    const conditions = [condition({ type: 'acme.io/Patched', status: 'True' })];
    const patch = JSON.stringify({ status: { conditions } });
    await plane.kubectlOk([
      ...['patch', kind, name, ...kinds[kind].scope, '--subresource=status', '--type=merge', '-p', patch],
    ]);
    // A host is asked every half minute.
    await waitFor(async () => (await conditionsOf(kind, name)).some(({ type }) => type === 'Ready'), {
      what: 'ours to be back',
      timeoutMs: kind === 'hvh' ? 45_000 : 5_000,
    });
    expect(await foreignOf(kind, name)).toEqual(conditions);
  });

  it('that fill the list leave room for ours: the oldest goes, with an event', async () => {
    const full = `full-${kind}`;
    await plane.apply(kinds[kind].of(full));
    const day = (number: number) => String((number % 28) + 1).padStart(2, '0');
    const month = (number: number) => String(Math.floor(number / 28) + 1).padStart(2, '0');
    // The first is the youngest.
    const all = Array.from({ length: 64 }, (_, index) => ({
      type: `acme.io/Check-${index}`,
      status: 'True',
      at: `2026-${month(63 - index)}-${day(63 - index)}T00:00:00Z`,
    }));
    await setConditions(kind, full, ...all);
    await startController();
    const conditions = await eventually('ours', async () => {
      const now = await conditionsOf(kind, full);
      return now.some(({ type }) => type === 'Ready') && now;
    });
    const ours = conditions.findIndex(({ type }) => type.includes('/'));
    expect(ours).toBeGreaterThanOrEqual(kinds[kind].ours);
    expect(conditions.slice(ours)).toEqual(all.slice(0, 64 - ours).map(condition));
    const told = await eventually('the events', async () => {
      const text = await plane.kubectlOk(['events', '-A', '--for', `${kind}/${full}`, '--no-headers']);
      const lines = text.split('\n').filter((line) => line.includes('ConditionLeftOut'));
      return lines.length === ours && lines;
    });
    expect(told.join('\n')).toContain('acme.io/Check-63');
    expect(told[0]).toMatch(/Warning .* status.conditions is full/);
  });
});
