import { afterEach, describe, expect, it } from 'vitest';
import { gib } from '../../../src/memory/bytes.ts';
import { findCondition } from '../../../src/api/v1alpha1/conditions.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';
import { computeKStatus } from '../../support/kstatus.ts';

const domain = { uuid: vmUuid, name: 'db-1', boot: gib(1) };

describe('what is observed can be written', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());

  it('though names, aliases, annotations and times are longer than any schema takes', async () => {
    const long = 'x'.repeat(3_000);
    bench = await createControllerBench([
      { ...domain, name: long, modules: ['a', 'b'].map((end) => ({ size: gib(1), alias: `ua-${long}${end}` })) },
    ]);
    bench.host().script.setUnplugBehaviour(vmUuid, 'all', 'refuse');
    bench.apply({ memory: '3Gi' }, 'vm', {
      'dimmer.dev/reconcile-requested-at': long,
      'dimmer.dev/observe-requested-at': long,
    });
    await bench.reaches('Converged');
    const { virtualMachine, modules, lastHandledReconcileAt, lastHandledObserveAt } = bench.status();
    const aliases = modules?.map(({ alias }) => alias) ?? [];
    expect(virtualMachine?.name).toHaveLength(255);
    expect(aliases.map(({ length }) => length)).toEqual([255, 255]);
    expect(new Set(aliases).size).toBe(2);
    expect([lastHandledReconcileAt?.length, lastHandledObserveAt?.length]).toEqual([1024, 1024]);
    // One request is one retry, however long its value.
    bench.apply({ memory: '2Gi' });
    await bench.reaches('GuestRefused');
    const asked = bench.host().script.changes().length;
    await bench.clock.advance(30_000);
    expect(bench.host().script.changes()).toHaveLength(asked);
  });
});

describe('a status that the API server refuses all the same', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const refusesModules = (status: object) => ('modules' in status ? 'status.modules: Invalid value' : null);

  it('leaves a short one that says so, once, and is written when it is taken again', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    bench.resources.judges = refusesModules;
    bench.apply({ memory: '3Gi' });
    await bench.reaches('StatusRefused');
    const message = () => bench.condition('Ready')?.message ?? '';
    await bench.clock.until('the guest has it', () => message().includes('Converged, the guest has 3Gi, as wanted'));
    const { conditions = [], ...rest } = bench.status();
    expect(Object.keys(rest).sort()).toEqual([
      'drift',
      'hostName',
      'lastResize',
      'observedGeneration',
      'virtualMachine',
    ]);
    const ready = findCondition(conditions, 'Ready');
    expect(ready).toMatchObject({ status: 'False', observedGeneration: 2 });
    expect(ready?.message).toContain('422: status.modules: Invalid value');
    expect(ready?.message).toContain('apply the CRDs');
    expect(computeKStatus(bench.resources.get('tenants/vm') ?? {})).toBe('Failed');
    // The wish is fulfilled all the same.
    expect(bench.host().script.total(vmUuid)).toBe(gib(3));

    const writes = bench.resources.writes.length;
    const told = () => bench.events.events.filter(({ reason }) => reason === 'StatusRefused').length;
    expect(told()).toBe(1);
    await bench.clock.advance(3_600_000);
    expect([bench.resources.writes.length, told()]).toEqual([writes, 1]);

    bench.resources.judges = () => null;
    await bench.reaches('Converged', 'vm', 600_000);
    expect(bench.status()).toMatchObject({ memory: { current: '3Gi' }, lastResize: { from: '2Gi', to: '3Gi' } });
    expect(bench.events.events.at(-1)?.message).toBe('resized from 2Gi to 3Gi');
  });

  it('keeps who the VM is, and what the guest refused', async () => {
    bench = await createControllerBench([{ ...domain, modules: [{ size: gib(1) }] }]);
    bench.host().script.setUnplugBehaviour(vmUuid, 'all', 'refuse');
    bench.apply({ virtualMachine: { name: 'db-1' }, hostRef: { name: 'hv-1' }, memory: '1Gi' });
    await bench.reaches('GuestRefused');
    bench.resources.judges = refusesModules;
    bench.apply({}, 'vm', { note: 'look' });
    await bench.clock.advance(5_000);
    // Nothing is written while the status stands as it is.
    expect(bench.reason()).toBe('GuestRefused');
    bench.apply({ unplugTimeout: '1m' });
    await bench.reaches('StatusRefused');
    expect(bench.status().virtualMachine?.uuid).toBe(vmUuid);
    const asked = () =>
      bench
        .host()
        .script.changes()
        .filter(({ what }) => what === 'asked').length;
    const before = asked();
    await bench.clock.advance(30_000);
    expect(asked()).toBe(before);
  });

  it('is told by an event where not even a short one is taken', async () => {
    bench = await createControllerBench([domain]);
    bench.resources.judges = () => 'nothing is good enough';
    bench.apply({ memory: '2Gi' });
    const told = () => bench.events.events.find(({ reason }) => reason === 'StatusRefused');
    await bench.clock.until('it is told', () => told() !== undefined);
    expect(told()).toMatchObject({ type: 'Warning', action: 'WriteStatus' });
    expect(told()?.message).toContain('nothing is good enough');
  });

  it('of a host leaves a short one, too', async () => {
    bench = await createControllerBench([domain]);
    await bench.clock.until('it is told', () => bench.hostStatus().observedGeneration === 1);
    bench.hosts.judges = (status) => ('nodes' in status ? 'status.nodes: Invalid value' : null);
    bench.changeHost('hv-1', { maxConcurrentOperations: 5 });
    const ready = () => findCondition(bench.hostStatus().conditions, 'Ready');
    await bench.clock.until('it is told', () => ready()?.reason === 'StatusRefused');
    expect(ready()?.message).toContain('AgentAnswers');
    expect(bench.hostStatus().observedGeneration).toBe(2);
    const writes = bench.hosts.writes.length;
    await bench.clock.advance(3_600_000);
    expect(bench.hosts.writes).toHaveLength(writes);
    expect(bench.events.events.filter(({ reason }) => reason === 'StatusRefused')).toHaveLength(1);
    bench.hosts.judges = () => null;
    await bench.clock.until('it is told again', () => ready()?.reason === 'AgentAnswers', 60_000);
    expect(bench.hostStatus().nodes).toHaveLength(1);
  });
});
