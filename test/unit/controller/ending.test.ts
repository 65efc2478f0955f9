/** The end of a process, and of a reconcile that takes too long: what is ended at once, and what is finished first. */
import { beforeEach, describe, expect, it } from 'vitest';
import { uuidOfNumber } from '../../../src/host/simulated/numbered-domains.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

/** As long as no call on a host: what ends within it was ended, not waited out. */
const atOnceMs = 100;

describe('a controller that is closed', () => {
  let bench: ControllerBench;
  beforeEach(async () => {
    bench = await createControllerBench(
      [
        { uuid: vmUuid, name: 'db-1', boot: gib(1) },
        { uuid: uuidOfNumber(2), name: 'db-2', boot: gib(1) },
      ],
      { hostSpec: { maxConcurrentOperations: 1 } },
    );
    bench.apply({ memory: '1Gi' });
    await bench.reaches('Converged');
  });

  /** Closes it, and says when it has ended. */
  const close = (): { atMs: number | null } => {
    const ended: { atMs: number | null } = { atMs: null };
    void bench.close().then(() => (ended.atMs = bench.clock.now()));
    return ended;
  };
  const plugs = (): number => bench.host().script.calls().plug;

  it('ends at once while a host does not answer, and says nothing of the host because of that', async () => {
    for (const operation of ['observe', 'facts', 'listDomains'] as const) {
      bench.host().script.inject(operation, { kind: 'hang', ms: 3_600_000 }, 100);
    }
    bench.host().script.emit({ kind: 'reset' });
    bench.apply({ memory: '2Gi' });
    await bench.clock.advance(5_000);
    const [writes, hostWrites] = [bench.resources.writes.length, bench.hosts.writes.length];
    const ended = close();
    await bench.clock.advance(atOnceMs);
    expect(ended.atMs).not.toBeNull();
    expect([bench.resources.writes.length, bench.hosts.writes.length]).toEqual([writes, hostWrites]);
    expect(bench.reason()).toBe('Converged');
  });

  it('finishes the plug that is under way, says so in the status, and begins neither the next step nor another VM', async () => {
    bench.host().script.inject('plug', { kind: 'answer-late', ms: 20_000 }, 100);
    bench.apply({ memory: '3Gi', growPolicy: 'Divisible' });
    await bench.clock.until('the first plug is sent', () => plugs() === 1);
    bench.apply({ virtualMachine: { uuid: uuidOfNumber(2) }, memory: '2Gi' }, 'waits');
    await bench.clock.advance(5_000);
    const ended = close();
    await bench.clock.advance(14_000);
    expect(ended.atMs).toBeNull();
    await bench.clock.advance(1_000 + atOnceMs);
    expect(ended.atMs).not.toBeNull();
    expect(plugs()).toBe(1);
    expect(bench.reason()).toBe('Plugging');
    expect(bench.status().observedGeneration).toBe(2);
    expect(bench.status().lastResize).toMatchObject({ from: '1Gi', to: '3Gi' });
  });

  it('says of a plug that fails meanwhile why it failed', async () => {
    bench.host().script.setAvailable(gib(0));
    bench.host().script.inject('facts', { kind: 'hang', ms: 1 }, 100);
    bench.host().script.inject('plug', { kind: 'answer-late', ms: 10_000 });
    bench.apply({ memory: '2Gi' });
    await bench.clock.until('the plug is sent', () => plugs() === 1);
    const ended = close();
    await bench.clock.until('it has ended', () => ended.atMs !== null, 11_000);
    expect(bench.reason()).toBe('InsufficientHostMemory');
  });

  it('waits no longer than its grace for a change', async () => {
    bench.host().script.inject('plug', { kind: 'answer-late', ms: 3_600_000 });
    bench.apply({ memory: '2Gi' });
    await bench.clock.until('the plug is sent', () => plugs() === 1);
    const startedMs = bench.clock.now();
    const ended = close();
    await bench.clock.until('it has ended', () => ended.atMs !== null, 3_600_000);
    expect((ended.atMs ?? 0) - startedMs).toBe(60_000);
  });

  it('ends at once between two rounds, and what the next one knows is the same', async () => {
    await bench.clock.advance(10_000);
    bench.host().script.inject('observe', { kind: 'answer-late', ms: 1_000 }, 1_000);
    bench.apply({ memory: '2Gi' });
    await bench.clock.until('the plug is sent', () => plugs() === 1);
    // The second round has begun.
    await bench.clock.advance(500);
    const ended = close();
    await bench.clock.advance(atOnceMs);
    expect(ended.atMs).not.toBeNull();
    expect(bench.status().lastResize).toMatchObject({ from: '1Gi', to: '2Gi' });
    bench.host().script.clearFaults();
    await bench.restart();
    await bench.reaches('Converged');
    expect(bench.events.events.at(-1)?.message).toContain('resized from 1Gi to 2Gi');
  });
});

describe('a reconcile', () => {
  it('ends at its deadline though the host does not answer, says so, and comes back', async () => {
    const bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1) }]);
    bench.host().script.inject('observe', { kind: 'hang', ms: 86_400_000 });
    const startedMs = bench.clock.now();
    bench.apply({ memory: '2Gi', hostRef: { name: 'hv-1' } });
    await bench.reaches('HostUnreachable', 'vm', 200_000);
    expect(bench.clock.now() - startedMs).toBe(120_000);
    await bench.reaches('Converged', 'vm', 5_000);
    expect(await bench.metrics()).toContain('dimmer_reconciles_total{kind="VirtualMachineMemory",outcome="overdue"} 1');
    await bench.close();
  });

  it('says after its deadline how far it has come, and goes on at once', async () => {
    const bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1), slots: 32 }]);
    bench.apply({ memory: '1Gi' });
    await bench.reaches('Converged');
    bench.host().script.inject('plug', { kind: 'answer-late', ms: 35_000 }, 100);
    bench.apply({ memory: '9Gi', growPolicy: 'Divisible' });
    const startedMs = bench.clock.now();
    await bench.clock.until('it says so', () => bench.reason() === 'Plugging', 200_000);
    // The fourth plug was under way at 120 s.
    expect(bench.clock.now() - startedMs).toBe(4 * 35_000);
    expect(bench.status().lastResize).toMatchObject({ from: '1Gi', to: '9Gi' });
    expect(bench.host().script.calls().plug).toBe(5);
    await bench.reaches('Converged', 'vm', 400_000);
    await bench.close();
  });

  it('comes no nearer to its deadline while it waits in line', async () => {
    const bench = await createControllerBench(
      [
        { uuid: vmUuid, name: 'db-1', boot: gib(1) },
        { uuid: uuidOfNumber(2), name: 'db-2', boot: gib(1) },
      ],
      { hostSpec: { maxConcurrentOperations: 1 } },
    );
    bench.host().script.inject('plug', { kind: 'answer-late', ms: 600_000 });
    bench.apply({ memory: '2Gi' });
    await bench.clock.until('the plug is sent', () => bench.host().script.calls().plug === 1);
    bench.apply({ virtualMachine: { uuid: uuidOfNumber(2) }, memory: '2Gi' }, 'waits');
    await bench.clock.advance(590_000);
    expect(bench.reason('waits')).toBe('HostBusy');
    await bench.reaches('Converged', 'waits', 15_000);
    // The one that it waited for.
    expect(await bench.metrics()).toContain('dimmer_reconciles_total{kind="VirtualMachineMemory",outcome="overdue"} 1');
    await bench.close();
  });
});
