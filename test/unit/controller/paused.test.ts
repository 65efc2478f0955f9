import { afterEach, describe, expect, it } from 'vitest';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';
import { computeKStatus } from '../../support/kstatus.ts';

const domain = { uuid: vmUuid, name: 'db-1', boot: gib(1) };
const annotation = { 'dimmer.dev/paused': 'true' };

describe('pausing', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const kstatus = () => computeKStatus(bench.resources.get('tenants/vm') ?? {});
  const said = () =>
    Object.fromEntries(
      (bench.status().conditions ?? [])
        .filter(({ type }) => ['Ready', 'Reconciling', 'Stalled', 'Paused'].includes(type))
        .map(({ type, status, reason }) => [type, `${status} ${reason}`]),
    );
  const changes = () => bench.host().script.changes().length;

  it('is a condition of its own: who has what is wanted stays Ready, and whoever waits for that goes on', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    expect(said()).toMatchObject({ Ready: 'True Converged', Paused: 'False NotPaused' });
    bench.apply({ paused: true });
    await bench.reaches('Converged');
    expect(said()).toEqual({
      ...{ Ready: 'True Converged', Reconciling: 'False Converged', Stalled: 'False Converged', Paused: 'True Paused' },
    });
    expect(bench.status().observedGeneration).toBe(2);
    expect(kstatus()).toBe('Current');
  });

  it('says what it would do where there is something to do, neither under way nor failed', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi', paused: true });
    await bench.reaches('Paused');
    expect(said()).toEqual({
      ...{ Ready: 'False Paused', Reconciling: 'False Paused', Stalled: 'False Paused', Paused: 'True Paused' },
    });
    expect(bench.condition('Ready')?.message).toBe('paused by spec.paused; the plan: plug 1Gi to go from 1Gi to 2Gi');
    expect(kstatus()).toBe('InProgress');
    // Also where what would be done is nothing.
    bench.apply({ memory: '512Mi' });
    await bench.reaches('Paused');
    expect(bench.status()).toMatchObject({ observedGeneration: 2, plan: { decision: 'Blocked' } });
    expect(said()).toMatchObject({ Stalled: 'False Paused' });
    // Somebody does it by hand.
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Paused');
    bench.host().script.plugByHand(vmUuid, { slot: 0, size: gib(1) });
    await bench.reaches('Converged');
    expect(changes()).toBe(1);
  });

  it('waits for a guest that has not taken up what was plugged before it was paused', async () => {
    bench = await createControllerBench([domain]);
    bench.host().script.setOnlines(vmUuid, false);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('WaitingForGuest');
    bench.apply({ paused: true });
    await bench.reaches('Paused');
    expect(bench.condition('Ready')?.message).toMatch(/^paused by spec.paused; waiting for the guest to online/);
    await bench.clock.advance(120_000);
    expect(bench.condition('Ready')?.message).toMatch(/^paused by spec.paused; the guest has not onlined/);
    expect(changes()).toBe(1);
  });

  it('names all that pauses, also where nothing is wanted or something is wrong', async () => {
    bench = await createControllerBench([{ ...domain, modules: [{ size: mib(512) }] }], { observeOnly: true });
    const by = () => bench.condition('Paused')?.message;
    bench.apply({}, 'vm', annotation);
    await bench.reaches('ObserveOnly');
    expect(by()).toBe('paused by --observe-only and annotation dimmer.dev/paused');
    bench.apply({ memory: '1Gi', paused: true }, 'vm', {});
    await bench.reaches('Paused');
    expect(by()).toBe('paused by --observe-only and spec.paused');
    bench.host().script.shutDown(vmUuid);
    await bench.reaches('VMNotRunning');
    expect(said()).toMatchObject({
      Ready: 'False VMNotRunning',
      Reconciling: 'True VMNotRunning',
      Paused: 'True Paused',
    });
  });

  it('of a resource that is deleted leaves the VM as it is', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    bench.apply({ memory: '1Gi' }, 'vm', annotation);
    await bench.reaches('Paused');
    const before = changes();
    bench.resources.remove('tenants/vm');
    await bench.clock.advance(600_000);
    expect(changes()).toBe(before);
    expect(bench.host().script.total(vmUuid)).toBe(gib(2));
  });
});
