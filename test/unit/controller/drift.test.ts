/** What somebody else does to the modules after the size was reached, and what is done about it. */
import { afterEach, describe, expect, it } from 'vitest';
import { findCondition } from '../../../src/api/v1alpha1/conditions.ts';
import type { VirtualMachineMemoryStatus } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

const domain = { uuid: vmUuid, name: 'db-1', boot: gib(1) };
const retry = (value: string) => ({ 'dimmer.dev/reconcile-requested-at': value });

describe('modules that somebody else changes', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const script = () => bench.host().script;
  const drift = () => bench.status().drift;
  const ready = () => bench.condition('Ready');
  const events = (reason: string) => bench.events.events.filter((event) => event.reason === reason);

  async function converge(spec: object = {}): Promise<void> {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi', ...spec });
    await bench.reaches('Converged');
  }

  const plugged = (): number =>
    script()
      .changes()
      .filter(({ what }) => what === 'plugged').length;
  /** Somebody takes the module out that is there. */
  async function takeOut(): Promise<void> {
    const [module] = script().domain(vmUuid).modules;
    if (module === undefined) throw new Error('there is no module');
    script().unplugByHand(vmUuid, module.slot);
    await bench.clock.advance(5_000);
  }

  it('leave a record of what was reached, for this generation in this run', async () => {
    await converge();
    expect(drift()).toEqual({ generation: 1, runtimeId: bench.status().virtualMachine?.runtimeId, size: '2Gi' });
  });

  it('are brought back, which is recorded before anything is changed, and told', async () => {
    await converge();
    const writes = bench.resources.writes.length;
    let stored: VirtualMachineMemoryStatus = {};
    bench.host().script.inject('plug', { kind: 'answer-late', ms: 10 });
    const unfollow = bench.resources.onChange(({ current }) => {
      if (current?.status?.drift?.phase !== 'Correcting') return;
      expect(plugged()).toBe(1);
      stored = current.status;
    });
    script().unplugByHand(vmUuid, 0);
    await bench.clock.advance(5_000);
    unfollow();
    expect(stored.drift).toMatchObject({ size: '2Gi', found: '1Gi', corrections: [expect.any(String)] });
    expect(findCondition(stored.conditions, 'Ready')).toMatchObject({ status: 'False', reason: 'DriftCorrected' });
    expect(findCondition(stored.conditions, 'Reconciling')?.status).toBe('True');
    await bench.reaches('Converged');
    expect(plugged()).toBe(2);
    expect(script().total(vmUuid)).toBe(gib(2));
    expect(drift()).toMatchObject({ size: '2Gi', corrections: [expect.any(String)] });
    expect(drift()).not.toHaveProperty('phase');
    expect(events('DriftCorrected')).toMatchObject([
      {
        type: 'Normal',
        message: expect.stringMatching(
          /^somebody else has changed the modules since 2Gi was reached: they and boot memory make 1Gi; they are brought back, for the first time/,
        ) as string,
      },
    ]);
    // One to record it, one for the guest to take it up, one for the end.
    expect(bench.resources.writes.length - writes).toBeLessThanOrEqual(3);
  });

  it('are taken out when they are too many', async () => {
    await converge();
    script().plugByHand(vmUuid, { slot: 5, size: mib(512) });
    await bench.clock.until('it is noticed', () => drift()?.phase === 'Correcting');
    await bench.reaches('Converged');
    expect(script().total(vmUuid)).toBe(gib(2));
    expect(events('DriftCorrected')).toHaveLength(1);
  });

  it('are brought back three times in an hour, and left at the fourth', async () => {
    await converge();
    for (let time = 1; time <= 3; time += 1) {
      await takeOut();
      await bench.reaches('Converged');
      expect(plugged()).toBe(1 + time);
    }
    await takeOut();
    await bench.reaches('DriftContested');
    expect(bench.condition('Stalled')?.status).toBe('True');
    expect(ready()?.message).toContain('after they were brought back 3 times within an hour');
    expect(events('DriftContested')).toMatchObject([{ type: 'Warning' }]);
    // Also when the hour is over: who has been overruled three times means it.
    await bench.clock.advance(7_200_000);
    expect(plugged()).toBe(4);
    expect(bench.reason()).toBe('DriftContested');
  });

  it('are counted by whatever controller there is', async () => {
    await converge();
    for (let time = 1; time <= 3; time += 1) {
      await takeOut();
      await bench.reaches('Converged');
      await bench.restart();
    }
    // And also where nobody was there to see it.
    await bench.restart(() => script().unplugByHand(vmUuid, script().domain(vmUuid).modules[0]?.slot ?? -1));
    await bench.reaches('DriftContested');
    expect(plugged()).toBe(4);
  });

  it.each([0, 1, 2, 3])('are counted though the controller dies in the middle of it (%d)', async (steps) => {
    await converge();
    for (let time = 1; time <= 3; time += 1) {
      script().unplugByHand(vmUuid, script().domain(vmUuid).modules[0]?.slot ?? -1);
      await bench.clock.advance(steps * 40);
      await bench.restart();
      await bench.reaches('Converged');
      expect(drift()?.corrections).toHaveLength(time);
    }
    await takeOut();
    await bench.reaches('DriftContested');
    expect(plugged()).toBe(4);
  });

  it('that are changed while the guest has not even taken up what was brought back count as well', async () => {
    await converge();
    await bench.clock.advance(10_000);
    script().setOnlines(vmUuid, false);
    for (let time = 1; time <= 3; time += 1) {
      await takeOut();
      await bench.reaches('WaitingForGuest');
    }
    await takeOut();
    await bench.reaches('DriftContested');
    expect(plugged()).toBe(4);
  });

  it('are brought back more often when it is seldom', async () => {
    await converge();
    for (let time = 1; time <= 6; time += 1) {
      await takeOut();
      await bench.reaches('Converged');
      await bench.clock.advance(1_300_000);
    }
    expect(plugged()).toBe(7);
    expect(drift()?.corrections?.length).toBeLessThanOrEqual(3);
  });

  it.each([
    ['the spec is changed', () => bench.apply({ unplugTimeout: '31s' })],
    ['somebody asks to retry', () => bench.apply({}, 'vm', retry('now'))],
    ['whoever it was brings them back', () => script().plugByHand(vmUuid, { slot: 9, size: gib(1) })],
  ])('and are contested are as wanted again when %s', async (_, happens) => {
    await converge();
    for (let time = 1; time <= 4; time += 1) await takeOut();
    await bench.reaches('DriftContested');
    happens();
    await bench.reaches('Converged');
    expect(script().total(vmUuid)).toBe(gib(2));
    expect(drift()).not.toHaveProperty('phase');
  });

  it('are only told of under Report, until the spec is changed', async () => {
    await converge({ driftPolicy: 'Report' });
    script().unplugByHand(vmUuid, 0);
    await bench.reaches('DriftReported');
    expect(drift()).toMatchObject({ phase: 'Reported', size: '2Gi', found: '1Gi' });
    expect(bench.condition('Stalled')?.status).toBe('True');
    expect(events('DriftReported')).toMatchObject([{ type: 'Warning' }]);
    await bench.restart();
    await bench.clock.advance(7_200_000);
    expect(plugged()).toBe(1);
    expect(bench.reason()).toBe('DriftReported');
    // What is found later is told, too.
    script().plugByHand(vmUuid, { slot: 3, size: mib(512) });
    await bench.clock.until('it is told', () => drift()?.found === '1536Mi');
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged');
    expect(script().total(vmUuid)).toBe(gib(3));
    expect(drift()).toMatchObject({ generation: 2, size: '3Gi' });
  });

  it('are brought back under Report when somebody asks to retry', async () => {
    await converge({ driftPolicy: 'Report' });
    script().unplugByHand(vmUuid, 0);
    await bench.reaches('DriftReported');
    bench.apply({}, 'vm', retry('now'));
    await bench.reaches('Converged');
    expect(script().total(vmUuid)).toBe(gib(2));
    await takeOut();
    await bench.reaches('DriftReported');
  });

  it('before a size was reached are no drift, under Report either', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi', driftPolicy: 'Report', paused: true });
    await bench.reaches('Paused');
    script().plugByHand(vmUuid, { slot: 0, size: mib(512) });
    bench.apply({ paused: false });
    await bench.reaches('Converged');
    expect(events('DriftReported')).toEqual([]);
  });

  it('and that are gone because the VM was started anew are no drift', async () => {
    await converge({ driftPolicy: 'Report' });
    for (let time = 1; time <= 5; time += 1) {
      script().shutDown(vmUuid);
      await bench.reaches('VMNotRunning');
      script().start(vmUuid);
      await bench.reaches('Converged', 'vm', 600_000);
    }
    expect(plugged()).toBe(6);
    expect(drift()).not.toHaveProperty('corrections');
    expect(events('DriftReported')).toEqual([]);
  });

  it('are not touched while it is paused, and judged when it is resumed', async () => {
    await converge({ driftPolicy: 'Report' });
    bench.apply({}, 'vm', { 'dimmer.dev/paused': 'true' });
    await bench.clock.advance(1_000);
    script().unplugByHand(vmUuid, 0);
    await bench.reaches('Paused');
    expect(drift()).not.toHaveProperty('phase');
    bench.apply({}, 'vm', {});
    await bench.reaches('DriftReported');
  });

  it('that a guest refuses to give up are asked for as ever, which counts once', async () => {
    await converge();
    script().setUnplugBehaviour(vmUuid, 'all', 'refuse');
    script().plugByHand(vmUuid, { slot: 5, size: mib(512) });
    await bench.reaches('GuestRefused');
    await bench.clock.advance(3_000_000);
    expect(drift()?.corrections).toHaveLength(1);
    script().setUnplugBehaviour(vmUuid, 'all', 'accept');
    await bench.reaches('Converged', 'vm', 7_200_000);
    expect(script().total(vmUuid)).toBe(gib(2));
  });

  it('are left as they are where the API server takes no record of it', async () => {
    await converge();
    bench.resources.failures.push(
      ...Array.from({ length: 3 }, () => ({ outcome: 'failed' as const, message: 'down', retryable: true })),
    );
    script().unplugByHand(vmUuid, 0);
    await bench.clock.until('it is recorded', () => drift()?.corrections !== undefined);
    expect(bench.resources.failures).toEqual([]);
    await bench.reaches('Converged');
    expect(plugged()).toBe(2);
    expect(drift()?.corrections).toHaveLength(1);
  });
});
