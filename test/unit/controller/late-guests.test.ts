/** Late isn't absent: a guest that has reported and falls silent is waited for, and nothing is done unjudged. */
import { afterEach, describe, expect, it } from 'vitest';
import type { VirtualMachineMemorySpec } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

let bench: ControllerBench;
afterEach(() => bench.close());

/** A guest with 1 GiB of boot memory and two modules of 512 MiB, whose 2 GiB are wanted. */
async function setUp(spec: Partial<VirtualMachineMemorySpec>, domain: Partial<SimulatedDomainSpec> = {}) {
  const modules = [{ size: mib(512) }, { size: mib(512) }];
  bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1), modules, ...domain }]);
  bench.apply({ memory: '2Gi', ...spec });
  await bench.reaches('Converged');
  return bench.host().script;
}
const asked = (): number[] =>
  bench
    .host()
    .script.changes()
    .filter(({ what }) => what === 'asked')
    .map(({ slot }) => slot);
const conditions = () => ['Ready', 'Reconciling', 'Stalled'].map((type) => bench.condition(type)?.status);

describe.each(['Required', 'BestEffort'] as const)('a guest that falls silent, %s', (guestSafety) => {
  it('is waited for while nobody knows what it uses, and shrunk when it says so', async () => {
    const script = await setUp({ guestSafety });
    script.setLate(vmUuid, true);
    await bench.clock.advance(12_000);
    bench.apply({ memory: '1Gi' });
    await bench.reaches('WaitingForGuest');
    expect(conditions()).toEqual(['False', 'True', 'False']);
    expect(bench.condition('Ready')?.message).toMatch(/the guest has not reported its memory for \d\d s/);
    await bench.clock.advance(20_000);
    expect([asked(), bench.reason()]).toEqual([[], 'WaitingForGuest']);
    script.setLate(vmUuid, false);
    await bench.reaches('Converged');
    expect(asked()).toHaveLength(2);
  });

  it('is looked after by somebody after a minute', async () => {
    const script = await setUp({ guestSafety });
    script.setLate(vmUuid, true);
    bench.apply({ memory: '1Gi' });
    const sinceMs = bench.clock.now();
    await bench.reaches('GuestMemoryUnknown');
    expect(bench.clock.now() - sinceMs).toBeGreaterThan(57_000);
    expect(bench.clock.now() - sinceMs).toBeLessThan(80_000);
    expect(conditions()).toEqual(['False', 'False', 'True']);
    expect(bench.condition('Ready')?.message).toMatch(/whether it hangs or is paused/);
    expect(asked()).toEqual([]);
    script.setLate(vmUuid, false);
    await bench.reaches('Converged');
  });

  it('a moment after its last report is asked, says nothing, and is asked again after 1, 2, 4 s', async () => {
    const script = await setUp({ guestSafety });
    script.setLate(vmUuid, true);
    const times: number[] = [];
    const before = script.calls().unplug;
    bench.apply({ memory: '1Gi' });
    await bench.reaches('WaitingForGuest');
    expect(bench.condition('Ready')?.message).toMatch(/does not answer; it last reported its memory \d s ago/);
    for (let calls = before; times.length < 3;) {
      await bench.clock.advance(100);
      if (script.calls().unplug > calls) times.push(bench.clock.now());
      calls = script.calls().unplug;
    }
    const gaps = times.slice(1).map((atMs, index) => Math.round((atMs - (times[index] ?? 0)) / 1_000));
    expect(gaps.every((gap, index) => gap >= 1 && gap <= 2 ** (index + 1))).toBe(true);
    expect(asked()).toEqual([]);
  });

  it('and said a moment ago that it uses its memory is believed', async () => {
    const script = await setUp({ guestSafety });
    script.setUsed(vmUuid, mib(1800));
    await bench.clock.advance(2_500);
    script.setLate(vmUuid, true);
    bench.apply({ memory: '1Gi' });
    await bench.reaches('GuestMemoryInUse');
    expect(asked()).toEqual([]);
  });
});

describe('BestEffort', () => {
  it('goes ahead unjudged where the guest has never reported in this boot', async () => {
    const script = await setUp({ guestSafety: 'BestEffort' });
    script.setReports(vmUuid, false);
    script.reset(vmUuid);
    await bench.clock.advance(70_000);
    bench.apply({ memory: '1Gi' });
    await bench.reaches('Converged');
    expect(asked()).toHaveLength(2);
  });
});

describe('a guest that is taking memory up', () => {
  it('is hardly polled: its agent tells when it has', async () => {
    const script = await setUp({});
    script.setOnlines(vmUuid, false);
    bench.apply({ memory: '3Gi' });
    await bench.reaches('WaitingForGuest');
    const before = script.calls().observe;
    const sinceMs = bench.clock.now();
    await bench.reaches('GuestNotOnlined');
    // After 5, 10, 20, 40 and 60 s, for a word that got lost.
    expect(script.calls().observe - before).toBe(5);
    expect(bench.clock.now() - sinceMs).toBeLessThan(62_000);
  });

  it('is Ready as soon as it says so', async () => {
    await setUp({});
    const sinceMs = bench.clock.now();
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged');
    // It takes 100 ms to online a module here.
    expect(bench.clock.now() - sinceMs).toBeLessThan(150);
  });
});

describe('a VM that shrinks and grows again before its guest has reported by itself', () => {
  // Wherever in its period of 2 s the guest is.
  it.each([100, 500, 600, 700, 1_200, 1_700])('stays Converged, %i ms into it', async (offsetMs) => {
    const script = await setUp({});
    await bench.clock.advance(20_000 - (bench.clock.now() % 2_000) + offsetMs);
    bench.apply({ memory: '1Gi' });
    await bench.reaches('Converged');
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    expect(script.total(vmUuid)).toBe(gib(2));
    // Its own next report has come meanwhile, of which nobody knows which question it answers.
    await bench.clock.advance(400);
    bench.apply({ memory: '2Gi' }, 'vm', { 'dimmer.dev/observe-requested-at': 'now' });
    await bench.clock.advance(10);
    expect(bench.status().lastHandledObserveAt).toBe('now');
    expect(bench.condition('Ready')).toMatchObject({ status: 'True', reason: 'Converged' });
  });
});
