import { afterEach, describe, expect, it } from 'vitest';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

const domain = { uuid: vmUuid, name: 'db-1', boot: gib(1) };
const observe = (value: string) => ({ 'dimmer.dev/observe-requested-at': value });

describe('status.planning', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());

  it('says what a planner was told beyond the other fields', async () => {
    const boot = [
      { node: 0, size: gib(1) },
      { node: 2, size: gib(2) },
    ];
    bench = await createControllerBench([
      { ...domain, boot, slots: 4, slotsUsedByOthers: [3], otherBytes: gib(1), pageSize: mib(2), maxMemory: gib(12) },
    ]);
    bench.apply({ memory: '3Gi', granularity: '256Mi' });
    await bench.reaches('Converged');
    const { planning } = bench.status();
    const time = expect.stringMatching(/^2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;
    expect(planning).toEqual({
      observedAt: time,
      boot: [
        { node: 0, size: '1Gi' },
        { node: 2, size: '2Gi' },
      ],
      block: '128Mi',
      slots: { usedByOthers: [3], resting: [], unnumbered: 0 },
      otherBytes: '1Gi',
      otherTotal: '0',
      booting: false,
      cordoned: false,
      guest: {
        usable: expect.any(String) as string,
        total: expect.any(String) as string,
        reportedAt: time,
        report: 'Fresh',
      },
      reach: { largest: '6Gi', limitedBy: 'Slots', step: '256Mi', smallest: '3Gi', shrinks: 'NothingPlugged' },
      // Three slots are free, and preallocated modules have 1Gi at most.
      backings: [
        { nodes: [0, 2], pageSize: '2Mi', preallocated: true, room: { pageSize: '2Mi', host: '3Gi', pages: '0' } },
      ],
    });
  });

  it('tells of the host no more than the VM could find out by growing, and that in whole GiB', async () => {
    bench = await createControllerBench([{ ...domain, maxMemory: gib(8) }]);
    const room = async (available: number) => {
      bench.host().script.setAvailable(mib(available));
      // What a host says of itself is kept for so long.
      await bench.clock.advance(6_000);
      bench.apply({}, 'vm', observe(String(available)));
      await bench.clock.until('it is looked at', () => bench.status().lastHandledObserveAt === String(available));
      return bench.status().planning?.backings[0]?.room?.host;
    };
    bench.apply({ memory: '1Gi' });
    await bench.reaches('Converged');
    // What the VM itself can take needs no rounding: it is no figure of the host's.
    expect([await room(100_000), await room(7_168), await room(7_167), await room(1_000)]).toEqual([
      '7Gi',
      '7Gi',
      '6Gi',
      '0',
    ]);
  });

  it('is written with the rest of a status, and never for what the guest uses or the host has left', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    const { script } = bench.host();
    script.setUsed(vmUuid, mib(900));
    script.setAvailable(gib(3));
    const writes = bench.resources.writes.length;
    const before = bench.status().planning;
    await bench.clock.advance(3_600_000);
    expect(bench.resources.writes).toHaveLength(writes);
    expect(bench.status().planning).toEqual(before);
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged');
    expect(bench.status().planning?.guest).not.toEqual(before?.guest);
    expect(bench.status().planning?.backings[0]?.room?.host).toBe('3Gi');
  });

  it('goes with the QEMU process that it speaks of', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    bench.host().script.shutDown(vmUuid);
    await bench.reaches('VMNotRunning');
    expect(bench.status().planning).toBeUndefined();
  });
});

describe('a request to look again', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const handled = (value: string) => () => bench.status().lastHandledObserveAt === value;

  it('has the planning written anew, and says that it was', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    const before = bench.status();
    bench.host().script.setUsed(vmUuid, mib(900));
    await bench.clock.advance(60_000);
    bench.apply({}, 'vm', observe('1'));
    await bench.clock.until('it is looked at', handled('1'));
    const { planning, lastHandledObserveAt, ...rest } = bench.status();
    const { planning: first, ...same } = before;
    expect(rest).toEqual(same);
    expect(lastHandledObserveAt).toBe('1');
    expect(planning).toEqual({
      ...first,
      observedAt: expect.not.stringMatching(first?.observedAt ?? '') as string,
      guest: expect.not.objectContaining({ usable: first?.guest?.usable }) as object,
    });
  });

  it('is heeded every 5 s at most, however many there are, and the last one is', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    await bench.clock.advance(60_000);
    const writes = bench.resources.writes.length;
    for (let request = 1; request <= 100; request += 1) {
      bench.apply({}, 'vm', observe(`${request}`));
      await bench.clock.advance(100);
    }
    await bench.clock.until('the last one is heeded', handled('100'), 5_000);
    expect(bench.resources.writes.length - writes).toBeLessThanOrEqual(3);
    // One that waits isn't forgotten over other things.
    bench.apply({}, 'vm', observe('101'));
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged');
    await bench.clock.until('it is heeded', handled('101'), 5_000);
    const settled = bench.resources.writes.length;
    await bench.clock.advance(3_600_000);
    expect(bench.resources.writes).toHaveLength(settled);
  });

  it('tries nothing again: a quarantine goes on, and what was called off stays so', async () => {
    bench = await createControllerBench([{ ...domain, modules: [{ size: gib(1) }] }]);
    bench.host().script.setUnplugBehaviour(vmUuid, 'all', 'refuse');
    bench.apply({ memory: '1Gi' });
    await bench.reaches('GuestRefused');
    const asked = () => bench.host().script.changes().length;
    const before = { asked: asked(), modules: bench.status().modules };
    bench.apply({}, 'vm', observe('now'));
    await bench.clock.until('it is looked at', handled('now'));
    expect({ asked: asked(), modules: bench.status().modules }).toEqual(before);
    expect(bench.reason()).toBe('GuestRefused');
    expect(bench.status().lastHandledReconcileAt).toBeUndefined();
  });

  it('is heeded while paused, and changes nothing then', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi', paused: true });
    await bench.clock.until('it is planned', () => bench.status().plan?.decision === 'Plug');
    bench.apply({}, 'vm', observe('now'));
    await bench.clock.until('it is looked at', handled('now'));
    expect(bench.host().script.total(vmUuid)).toBe(gib(1));
  });
});
