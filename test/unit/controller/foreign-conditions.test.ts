import { afterEach, describe, expect, it } from 'vitest';
import type { Condition } from '../../../src/api/v1alpha1/meta.ts';
import type { VirtualMachineMemoryStatus } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

const domain: SimulatedDomainSpec = { uuid: vmUuid, name: 'db-1', boot: gib(1) };
const key = 'tenants/vm';
const backedUp = (message: string): Condition => ({
  type: 'acme.io/BackedUp',
  status: 'True',
  reason: 'Nightly',
  message,
  lastTransitionTime: '2026-01-01T00:00:00Z',
});

describe('a condition of somebody else', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const set = (message: string): void =>
    bench.resources.patchStatus(key, ({ conditions = [], ...status }) => ({
      ...status,
      conditions: [...conditions.filter(({ type }) => type !== backedUp('').type), backedUp(message)],
    }));
  const spoil = (change: Partial<VirtualMachineMemoryStatus>): void =>
    bench.resources.patchStatus(key, (status) => ({ ...status, ...change }));

  it('that comes while the controller works costs nothing of what the controller has done', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    const before = bench.host().script.calls().observe;
    // Each write meets one: the resize is known to this reconcile alone, and no later one could tell when it began.
    for (const message of ['first', 'second', 'third']) bench.resources.interruptions.push(() => set(message));
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged');
    expect(bench.condition('acme.io/BackedUp')).toEqual(backedUp('third'));
    expect(bench.status().lastResize).toMatchObject({ from: '2Gi', to: '3Gi' });
    expect(bench.events.events.at(-1)).toMatchObject({ action: 'Resize', message: 'resized from 2Gi to 3Gi' });
    expect(bench.host().script.calls().observe - before).toBeLessThan(10);
  });

  it('that changes with every write holds nothing up for ever', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    for (let round = 0; round < 40; round += 1) bench.resources.interruptions.push(() => set(`beat ${round}`));
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged');
    expect(
      bench
        .host()
        .script.changes()
        .filter(({ what }) => what === 'plugged'),
    ).toHaveLength(2);
  });

  it('is no excuse to overwrite what another controller wrote, or to speak of an older spec', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    bench.resources.interruptions.push(() => spoil({ lastHandledReconcileAt: 'by another' }));
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged');
    expect(bench.status().lastHandledReconcileAt).toBe('by another');
    bench.resources.interruptions.push(() => bench.apply({ memory: '4Gi' }));
    const written = bench.resources.writes.length;
    bench.apply({ memory: '5Gi' });
    await bench.reaches('Converged');
    const generations = bench.resources.writes
      .slice(written)
      .map((status) => (status as VirtualMachineMemoryStatus).observedGeneration);
    expect(new Set(generations)).toEqual(new Set([bench.resources.get(key)?.metadata.generation]));
    expect(bench.host().script.total(vmUuid)).toBe(gib(4));
  });

  it('that was put in the place of ours, as a merge patch does, stays, and ours are back at once', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    await bench.clock.advance(60_000);
    const written = bench.resources.writes.length;
    spoil({ conditions: [backedUp('last night')] });
    await bench.clock.advance(1_000);
    expect(bench.reason()).toBe('Converged');
    expect(bench.condition('Stalled')?.status).toBe('False');
    expect(bench.status().conditions?.at(-1)).toEqual(backedUp('last night'));
    await bench.clock.advance(600_000);
    expect(bench.resources.writes).toHaveLength(written + 1);
  });

  it('in another place of the list is no reason to write', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    set('first');
    bench.resources.patchStatus(key, (status) => ({
      ...status,
      conditions: status.conditions?.toReversed() ?? [],
    }));
    const written = bench.resources.writes.length;
    await bench.clock.advance(3_600_000);
    expect(bench.resources.writes).toHaveLength(written);
  });
});
