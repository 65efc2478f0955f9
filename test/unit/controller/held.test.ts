/** What is over in a moment is told once; what takes longer is told while it goes on. */
import { beforeEach, describe, expect, it } from 'vitest';
import { longestHoldMs } from '../../../src/controllers/memory/held.ts';
import type { VirtualMachineMemoryStatus } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

describe('a resize', () => {
  let bench: ControllerBench;
  beforeEach(async () => {
    bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1), modules: [{ size: gib(1) }] }]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
  });
  const writes = (): number => bench.resources.writes.length;
  const told = (): readonly string[] => bench.events.events.map(({ reason }) => reason);

  it.each(['3Gi', '1Gi'])('to %s that is over within a second is one write of status and one event', async (memory) => {
    const [before, events] = [writes(), told().length];
    bench.apply({ memory });
    await bench.reaches('Converged');
    await bench.clock.advance(60_000);
    expect(writes() - before).toBe(1);
    expect(told().slice(events)).toEqual(['Converged']);
  });

  it('is told no second time when its slots have rested, whenever somebody looks', async () => {
    bench.apply({ memory: '1Gi' });
    await bench.reaches('Converged');
    expect(bench.status().planning?.slots.resting).toEqual([0]);
    const before = writes();
    await bench.clock.advance(90_000);
    await bench.restart();
    await bench.clock.advance(900_000);
    expect(writes() - before).toBe(0);
  });

  it('that takes longer is told after a second, while it goes on', async () => {
    bench.host().script.setOnlines(vmUuid, false);
    bench.apply({ memory: '3Gi' });
    await bench.clock.advance(longestHoldMs - 50);
    expect([bench.reason(), bench.status().observedGeneration]).toEqual(['Converged', 1]);
    await bench.clock.advance(100);
    expect([bench.reason(), bench.status().observedGeneration]).toEqual(['WaitingForGuest', 2]);
    expect(bench.status().lastResize).toMatchObject({ from: '2Gi', to: '3Gi' });
  });

  it('whose wish changes all the time is told after a second all the same', async () => {
    bench.host().script.setOnlines(vmUuid, false);
    for (let step = 0; step < 12; step += 1) {
      bench.apply({ memory: step % 2 === 0 ? '3Gi' : '4Gi' });
      await bench.clock.advance(100);
    }
    // The second GiB may be more than the guest has room for before it has taken up the first.
    expect(bench.reason()).toBe('Plugging');
  });

  it('that goes wrong within the second is told at once', async () => {
    bench.host().script.setUnplugBehaviour(vmUuid, 'all', 'refuse');
    bench.apply({ memory: '1Gi' });
    await bench.clock.advance(longestHoldMs / 2);
    expect(bench.reason()).toBe('GuestRefused');
  });

  it('that the end of the process meets in that second is told before it', async () => {
    bench.host().script.setOnlines(vmUuid, false);
    bench.apply({ memory: '3Gi' });
    await bench.clock.advance(longestHoldMs / 2);
    const before = writes();
    await bench.close();
    expect(writes() - before).toBe(1);
    expect([bench.reason(), bench.status().observedGeneration]).toEqual(['WaitingForGuest', 2]);
  });

  it('of a guest that takes nothing is never told to be done, whenever the controller is killed in it', async () => {
    for (let atMs = 0; atMs <= 1_500; atMs += 20) {
      bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1) }]);
      bench.apply({ memory: '1Gi' });
      await bench.reaches('Converged');
      bench.host().script.setOnlines(vmUuid, false);
      const before = writes();
      bench.apply({ memory: '2Gi' });
      await bench.clock.advance(atMs);
      bench.kill();
      await bench.reaches('GuestNotOnlined', 'vm', 200_000);
      const reasons = bench.resources.writes
        .slice(before)
        .map((status) => (status as VirtualMachineMemoryStatus).conditions?.[0]?.reason);
      expect(reasons, `killed after ${atMs} ms`).not.toContain('Converged');
      expect(bench.host().script.changes(), `killed after ${atMs} ms`).toHaveLength(1);
    }
  });
});
