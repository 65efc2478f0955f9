import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../../src/kubernetes/cluster.ts';
import { eventsIn } from '../../lab/api-client.ts';
import {
  connectAsController,
  type DimmerCluster,
  eventually,
  memory,
  namespace,
  startDimmerCluster,
} from './support/dimmer-cluster.ts';

let plane: DimmerCluster;
let cluster: Cluster;
const log: string[] = [];

beforeAll(async () => {
  plane = await startDimmerCluster({ isOwn: true });
  await plane.apply(namespace('t'), memory('a', 't', { memory: '6Gi' }), memory('b', 't', { memory: '6Gi' }));
  cluster = connectAsController(plane);
  cluster.virtualMachineMemories.onChange(({ key, current }) =>
    log.push(`${key} ${current === undefined ? 'gone' : String(current.spec.memory)}`),
  );
  await cluster.start();
});
afterAll(async () => {
  await cluster.close();
  await plane.stop();
});

describe('an API server that dies', () => {
  it('loses no change: what came before, between and after is delivered', async ({ annotate }) => {
    log.length = 0;
    await plane.apply(memory('a', 't', { memory: '7Gi' }));
    await plane.killApiServer();
    const object = cluster.virtualMachineMemories.get('t/b');
    if (object === undefined) throw new Error('what was known is forgotten');
    expect(await cluster.virtualMachineMemoryStatus.write(object, {})).toMatchObject({
      outcome: 'failed',
      retryable: true,
    });
    cluster.events.record(object, { type: 'Normal', reason: 'Plugging', action: 'Plug', message: 'while it was away' });

    await plane.restartApiServer();
    const backMs = performance.now();
    // Changes made before the watch is back must not be lost either, so nobody waits here.
    await plane.apply(memory('c', 't', { memory: '1Gi' }));
    await plane.kubectlOk(['delete', 'vmmem', 'b', '-n', 't']);
    await eventually('everything', () => {
      const memories = cluster.virtualMachineMemories.list().map(({ metadata, spec }) => [metadata.name, spec.memory]);
      return JSON.stringify(memories.sort()) === '[["a","7Gi"],["c","1Gi"]]';
    });
    await annotate(`up to date ${Math.round(performance.now() - backMs)} ms after the API server was ready again`);
    expect(log.filter((line) => line === 't/a 7Gi')).toHaveLength(1);
    expect(log.slice(-2).sort()).toEqual(['t/b gone', 't/c 1Gi']);
    await eventually('the event of the outage', async () =>
      JSON.stringify(await plane.api.read(eventsIn('t'))).includes('while it was away'),
    );
  });

  it('loses no change where its history is gone, too, and tells of what did not change no second time', async () => {
    log.length = 0;
    await plane.killApiServer();
    await plane.compactHistory();
    await plane.restartApiServer();
    await plane.apply(memory('c', 't', { memory: '2Gi' }), memory('d', 't', { memory: '1Gi' }));
    await plane.kubectlOk(['delete', 'vmmem', 'd', '-n', 't']);
    await plane.apply(memory('e', 't', { memory: '1Gi' }));
    await eventually(
      'the last change',
      () => cluster.virtualMachineMemories.get('t/e') !== undefined,
      () => log.join('\n'),
    );
    expect(cluster.virtualMachineMemories.get('t/d')).toBeUndefined();
    // A change that is over before the list is taken is told of, or never was.
    expect(log.filter((line) => !line.startsWith('t/d '))).toEqual(['t/c 2Gi', 't/e 1Gi']);
  });

  it('and hangs instead of dying: requests end, and the watch goes on afterwards', async () => {
    plane.signalApiServer('SIGSTOP');
    const object = cluster.virtualMachineMemories.get('t/a');
    if (object === undefined) throw new Error('what was known is forgotten');
    const write = cluster.virtualMachineMemoryStatus.write(object, { observedGeneration: 1 });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    plane.signalApiServer('SIGCONT');
    expect(await write).toMatchObject({ outcome: 'written' });
    await plane.apply(memory('a', 't', { memory: '8Gi' }));
    await eventually('the change', () => cluster.virtualMachineMemories.get('t/a')?.spec.memory === '8Gi');
  });
});

describe('a controller that starts before the API server', () => {
  it('waits for it', async () => {
    await plane.killApiServer();
    const early = connectAsController(plane);
    try {
      const started = early.start();
      await plane.restartApiServer();
      await started;
      expect(early.virtualMachineMemories.get('t/a')).toBeDefined();
    } finally {
      await early.close();
    }
  });

  it('can be ended while it waits', async () => {
    await plane.killApiServer();
    const early = connectAsController(plane);
    void early.start();
    await early.close();
    expect(early.virtualMachineMemories.synced).toBe(false);
    await plane.restartApiServer();
  });
});
