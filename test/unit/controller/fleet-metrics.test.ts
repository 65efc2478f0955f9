import { describe, expect, it } from 'vitest';
import { Registry } from 'prom-client';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { countFleet, declareFleetMetrics, mostNamespaces } from '../../../src/controllers/memory/fleet-metrics.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { createControllerBench, vmUuid } from '../../support/controller-bench.ts';

const nowMs = Date.UTC(2026, 0, 1, 1);

const resource = (
  namespace: string,
  memory: string | undefined,
  ready?: { reason: string; status: 'True' | 'False'; since: string; current: string },
): VirtualMachineMemory => ({
  apiVersion: 'dimmer.dev/v1alpha1',
  kind: 'VirtualMachineMemory',
  metadata: {
    ...{ name: 'vm', namespace, uid: 'u', resourceVersion: '1', generation: 1 },
    creationTimestamp: '2026-01-01T00:59:00Z',
  },
  spec: { virtualMachine: { uuid: 'v' }, ...(memory === undefined ? {} : { memory }) },
  ...(ready === undefined
    ? {}
    : {
        status: {
          memory: { boot: '1Gi', plugged: '0', current: ready.current, balloon: ready.current },
          conditions: [
            { type: 'Ready', message: '', lastTransitionTime: ready.since, reason: ready.reason, status: ready.status },
          ],
        },
      }),
});
const converged = { reason: 'Converged', status: 'True', since: '2026-01-01T00:00:00Z', current: '2Gi' } as const;
const refused = { reason: 'GuestRefused', status: 'False', since: '2026-01-01T00:30:00Z', current: '3Gi' } as const;

describe('the metrics of all resources', () => {
  it('count reasons, sum memory, and tell who has waited longest', () => {
    const fleet = countFleet(
      [
        resource('a', '2Gi', converged),
        resource('a', '1Gi', refused),
        resource('b', '1Gi', { ...refused, since: '2026-01-01T00:45:00Z' }),
        resource('b', undefined, converged),
        resource('c', '4Gi'),
      ],
      nowMs,
    );
    expect(Object.fromEntries(fleet.byReason)).toEqual({ Converged: 2, GuestRefused: 2, '': 1 });
    expect(Object.fromEntries(fleet.longestUnready)).toEqual({ GuestRefused: 1_800, '': 60 });
    expect(Object.fromEntries(fleet.memory)).toEqual({
      a: { wanted: gib(3), current: gib(5) },
      b: { wanted: gib(3), current: gib(5) },
      c: { wanted: gib(4), current: 0 },
    });
  });

  it('have no more series than there are large namespaces', async () => {
    const registry = new Registry();
    const count = 1_000;
    const all = Array.from({ length: count }, (_, index) => resource(`n${index}`, `${index + 1}Gi`));
    declareFleetMetrics(registry, () => countFleet(all, nowMs));
    const lines = (await registry.metrics())
      .split('\n')
      .filter((line) => line.startsWith('dimmer_memory_wanted_bytes{'));
    expect(lines).toHaveLength(mostNamespaces + 1);
    const sum = lines.reduce((total, line) => total + Number(line.split(' ')[1]), 0);
    expect(sum).toBe(gib((count * (count + 1)) / 2));
    expect(lines).toContainEqual(expect.stringContaining('namespace="n999"'));
    expect(lines).toContainEqual(expect.stringContaining('namespace="_other"'));
  });

  it('forget what is gone', async () => {
    const registry = new Registry();
    let all = [resource('a', '2Gi', converged)];
    declareFleetMetrics(registry, () => countFleet(all, nowMs));
    expect(await registry.metrics()).toContain('dimmer_resources{reason="Converged"} 1');
    all = [];
    expect(await registry.metrics()).not.toContain('reason="Converged"');
  });
});

describe('the metrics of resizes', () => {
  it('say how long each took, which way it went and what became of it, each once', async () => {
    const bench = await createControllerBench([
      { uuid: vmUuid, name: 'db-1', boot: gib(1), modules: [{ size: gib(1) }] },
    ]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    const counts = async (): Promise<readonly string[]> =>
      (await bench.metrics()).split('\n').filter((line) => line.startsWith('dimmer_resize_duration_seconds_count'));
    expect(await counts()).toEqual([]);
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged');
    bench.host().script.setUnplugBehaviour(vmUuid, 'all', 'refuse');
    bench.apply({ memory: '1Gi' });
    await bench.reaches('GuestRefused');
    await bench.clock.advance(10_000);
    bench.host().script.setUnplugBehaviour(vmUuid, 'all', 'accept');
    await bench.reaches('Converged', 'vm', 3_600_000);
    await bench.clock.advance(3_600_000);
    const name = 'dimmer_resize_duration_seconds_count';
    expect(await counts()).toEqual([
      `${name}{direction="grow",outcome="Converged"} 1`,
      `${name}{direction="shrink",outcome="GuestRefused"} 1`,
      `${name}{direction="shrink",outcome="Converged"} 1`,
    ]);
    await bench.close();
  });
});
