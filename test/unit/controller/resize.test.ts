import { afterEach, describe, expect, it } from 'vitest';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

const domain = (spec: Partial<SimulatedDomainSpec> = {}): SimulatedDomainSpec => ({
  uuid: vmUuid,
  name: 'db-1',
  boot: gib(1),
  ...spec,
});

/** What was done to the VM, in words. */
const history = (bench: ControllerBench): readonly string[] =>
  bench
    .host()
    .script.changes()
    .map(({ what, slot }) => `${what} ${slot}`);

describe('resizing', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const start = async (spec: Partial<SimulatedDomainSpec> = {}, options = {}): Promise<void> => {
    bench = await createControllerBench([domain(spec)], options);
  };

  it('grows by one module and says so everywhere', async () => {
    await start();
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    expect(history(bench)).toEqual(['plugged 0']);
    expect(bench.status()).toMatchObject({
      observedGeneration: 1,
      hostName: 'hv-1',
      virtualMachine: { uuid: vmUuid, name: 'db-1', state: 'Running' },
      memory: { boot: '1Gi', plugged: '1Gi', current: '2Gi', target: '2Gi', max: '64Gi' },
      slots: { total: 16, used: 1 },
      modules: [{ slot: 0, alias: 'ua-dimmer-0', node: 0, size: '1Gi', state: 'Plugged' }],
      plan: { decision: 'Noop', steps: [] },
      lastResize: { from: '1Gi', to: '2Gi' },
    });
    expect(bench.status().lastResize?.completionTime).toBeDefined();
    expect(bench.condition('Ready')?.status).toBe('True');
    expect(bench.condition('Reconciling')?.status).toBe('False');
    expect(bench.condition('Stalled')?.status).toBe('False');
    expect(bench.condition('HostReachable')?.status).toBe('True');
    expect(bench.events.events.at(-1)).toMatchObject({ type: 'Normal', message: 'resized from 1Gi to 2Gi' });
  });

  it('is ready only when the guest has the memory', async () => {
    await start();
    bench.host().script.setOnlines(vmUuid, false);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('WaitingForGuest');
    expect(bench.condition('Ready')?.status).toBe('False');
    expect(bench.status().memory?.current).toBe('2Gi');
    await bench.reaches('GuestNotOnlined');
    expect(bench.condition('Ready')?.message).toContain('1Gi');
    expect(history(bench)).toEqual(['plugged 0']);
  });

  it('shrinks by the exact set, not the largest module', async () => {
    await start({ modules: [{ size: mib(384) }, { size: mib(256) }, { size: mib(256) }] });
    bench.apply({ memory: '1408Mi' });
    await bench.reaches('Converged');
    expect(bench.host().script.total(vmUuid)).toBe(mib(1408));
    expect(history(bench)).toEqual(['asked 2', 'removed 2', 'asked 1', 'removed 1']);
    expect(bench.status().modules?.map(({ size }) => size)).toEqual(['384Mi']);
  });

  it('leaves the VM alone when no set makes the size, and names those that can be had', async () => {
    await start({ modules: [{ size: gib(1) }] });
    bench.apply({ memory: '1536Mi' });
    await bench.reaches('UnreachableSize');
    expect(history(bench)).toEqual([]);
    expect(bench.status().reachable).toMatchObject({ below: '1Gi', above: '2Gi', complete: true });
    expect(bench.condition('PlanFeasible')).toMatchObject({ status: 'False', reason: 'UnreachableSize' });
    expect(bench.condition('Stalled')?.status).toBe('True');
  });

  it('tells of a refusal, names the module, and asks again only when the quarantine is over', async () => {
    await start({ modules: [{ size: mib(512) }] });
    bench.host().script.setUnplugBehaviour(vmUuid, 'all', 'refuse');
    bench.apply({ memory: '1Gi' });
    await bench.reaches('GuestRefused');
    expect(bench.condition('GuestAccepted')).toMatchObject({ status: 'False', reason: 'GuestRefused' });
    expect(bench.condition('GuestAccepted')?.message).toContain(bench.status().modules?.[0]?.alias);
    expect(bench.status().modules?.[0]).toMatchObject({ state: 'Refused', refusals: 1 });
    expect(bench.host().script.total(vmUuid)).toBe(mib(1536));
    expect(history(bench)).toEqual(['asked 0', 'refused 0']);

    await bench.clock.advance(50_000);
    expect(history(bench)).toHaveLength(2);
    await bench.clock.advance(20_000);
    expect(history(bench)).toEqual(['asked 0', 'refused 0', 'asked 0', 'refused 0']);
    expect(bench.status().modules?.[0]?.refusals).toBe(2);
    await bench.clock.advance(100_000);
    expect(history(bench)).toHaveLength(4);
  });

  it('keeps the quarantine across a restart of the controller', async () => {
    await start({ modules: [{ size: mib(512) }] });
    bench.host().script.setUnplugBehaviour(vmUuid, 'all', 'refuse');
    bench.apply({ memory: '1Gi' });
    await bench.reaches('GuestRefused');
    await bench.restart();
    await bench.clock.advance(50_000);
    expect(history(bench)).toEqual(['asked 0', 'refused 0']);
  });

  it('retries at once when somebody asks for it', async () => {
    await start({ modules: [{ size: mib(512) }] });
    bench.host().script.setUnplugBehaviour(vmUuid, 'all', 'refuse', { times: 1 });
    bench.apply({ memory: '1Gi' });
    await bench.reaches('GuestRefused');
    bench.apply({}, 'vm', { 'dimmer.dev/reconcile-requested-at': '2026-01-01T00:00:00Z' });
    await bench.reaches('Converged', 'vm', 5_000);
    expect(bench.host().script.total(vmUuid)).toBe(gib(1));
  });

  it('plans around a module that refuses', async () => {
    await start({ modules: [{ size: mib(512) }, { size: mib(256) }, { size: mib(256) }] });
    bench.host().script.setUnplugBehaviour(vmUuid, [0], 'refuse');
    bench.apply({ memory: '1536Mi' });
    await bench.reaches('Converged');
    expect(bench.host().script.total(vmUuid)).toBe(mib(1536));
    expect(bench.status().modules?.map(({ slot }) => slot)).toEqual([0]);
  });

  it('does not ask a guest that is using the memory', async () => {
    await start({ modules: [{ size: gib(1) }], used: mib(1500) });
    bench.apply({ memory: '1Gi' });
    await bench.reaches('GuestMemoryInUse');
    expect(history(bench)).toEqual([]);
    bench.host().script.setUsed(vmUuid, mib(100));
    await bench.reaches('Converged');
  });

  it('waits for a silent guest, asks again ever more slowly, and says so', async () => {
    await start({ modules: [{ size: mib(512) }] });
    bench.host().script.setUnplugBehaviour(vmUuid, 'all', 'silent');
    bench.apply({ memory: '1Gi' });
    await bench.reaches('UnplugUnknown');
    expect(bench.status().modules?.[0]).toMatchObject({ state: 'Leaving', leavingSince: expect.any(String) as string });
    const asked = history(bench).length;
    expect(asked).toBeGreaterThan(1);
    expect(asked).toBeLessThan(6);
    await bench.clock.advance(3_600_000);
    expect(history(bench).length - asked).toBeLessThan(20);
    bench.host().script.letGo(vmUuid, 0);
    await bench.reaches('Converged');
    expect(bench.host().script.total(vmUuid)).toBe(gib(1));
  });

  it('changes nothing while paused, and says what it would do', async () => {
    await start();
    bench.apply({ memory: '2Gi', paused: true });
    await bench.reaches('Paused');
    expect(bench.condition('Ready')).toMatchObject({ status: 'False', observedGeneration: 1 });
    expect(bench.condition('Ready')?.message).toMatch(/^paused by spec.paused; the plan: plug 1Gi/);
    expect(bench.status().plan).toMatchObject({ decision: 'Plug', steps: [{ operation: 'Plug', size: '1Gi' }] });
    expect(history(bench)).toEqual([]);
    bench.apply({ paused: false });
    await bench.reaches('Converged');
  });

  it('changes nothing with --observe-only, nor without spec.memory', async () => {
    await start({}, { observeOnly: true });
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Paused');
    await bench.close();
    await start({ modules: [{ size: gib(1) }] });
    bench.apply({});
    await bench.reaches('ObserveOnly');
    expect(bench.status().memory?.current).toBe('2Gi');
    expect(bench.host().script.domain(vmUuid).operations.claim).toBeNull();
  });

  it('restores the size when somebody unplugs a module by hand', async () => {
    await start();
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    bench.host().script.unplugByHand(vmUuid, 0);
    await bench.clock.until('the size is restored', () => bench.host().script.total(vmUuid) === gib(2));
    await bench.reaches('Converged');
  });

  it('writes nothing when nothing changed, and nothing but status', async () => {
    await start();
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    const { writes } = bench.resources;
    const before = writes.length;
    await bench.clock.advance(3_600_000);
    expect(writes.length).toBe(before);
    expect(bench.resources.get('tenants/vm')?.spec).toEqual({
      virtualMachine: { uuid: vmUuid },
      growPolicy: 'Whole',
      memory: '2Gi',
    });
  });
});
