import { afterEach, describe, expect, it } from 'vitest';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

const domain: SimulatedDomainSpec = { uuid: vmUuid, name: 'db-1', boot: gib(1) };
const elsewhere: SimulatedDomainSpec = { uuid: '00000000-0000-4000-8000-000000000001', name: 'other' };

describe('finding the virtual machine', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const untouched = () => expect(bench.host().script.changes()).toEqual([]);

  it('finds it by name on the host that is named', async () => {
    bench = await createControllerBench([domain, elsewhere]);
    bench.apply({ virtualMachine: { name: 'db-1' }, hostRef: { name: 'hv-1' }, memory: '2Gi' });
    await bench.reaches('Converged');
    expect(bench.status().virtualMachine?.uuid).toBe(vmUuid);
  });

  it('finds it by uuid on whichever host runs it, also when it comes later', async () => {
    bench = await createControllerBench([elsewhere]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('VMNotFoundOrNotAllowed');
    bench.addHost('hv-2', [domain]);
    await bench.reaches('Converged');
    expect(bench.status().hostName).toBe('hv-2');
    untouched();
  });

  it('does not conclude that it is nowhere while a host is silent', async () => {
    bench = await createControllerBench([elsewhere]);
    bench.host().script.setReachable(false);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('HostUnreachable');
  });

  it('touches nothing when two hosts run it', async () => {
    bench = await createControllerBench([domain]);
    bench.addHost('hv-2', [domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('AmbiguousVM');
    untouched();
    expect(bench.condition('Ready')?.message).toMatch(/hv-1.*hv-2/);
  });

  it.each([
    ['has said so before', true],
    ['has said nothing yet', false],
  ])('touches nothing while another host takes its time that runs it too, and %s', async (_, hasSaid) => {
    bench = await createControllerBench([domain]);
    bench.addHost('hv-2', [domain]);
    if (hasSaid) {
      bench.apply({ memory: '2Gi' });
      await bench.reaches('AmbiguousVM');
    }
    const { script } = bench.host('hv-2');
    for (const operation of ['listDomains', 'observe'] as const) {
      script.inject(operation, { kind: 'answer-late', ms: 4_000 }, 100_000);
    }
    script.emit({ kind: 'reset' });
    bench.apply({ memory: '3Gi' });
    await bench.clock.advance(3_000);
    untouched();
    await bench.reaches('AmbiguousVM');
    untouched();
    // What is under way ends.
    script.clearFaults();
    await bench.clock.advance(10_000);
  });

  it('waits while it migrates, and follows it', async () => {
    bench = await createControllerBench([domain]);
    bench.addHost('hv-2', []);
    bench.host().script.setMigrating(vmUuid, true);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('VMMigrating');
    untouched();
    bench.host().script.setMigrating(vmUuid, false);
    const { script } = bench.host('hv-2');
    script.arrive(bench.host().script.depart(vmUuid));
    await bench.reaches('Converged', 'vm', 600_000);
    expect(bench.status().hostName).toBe('hv-2');
    expect(script.total(vmUuid)).toBe(gib(2));
  });

  it('gives the same answer for a host that is missing and one that is not allowed', async () => {
    bench = await createControllerBench([domain], { hostSpec: { allowedNamespaces: { from: 'None' } } });
    bench.apply({ hostRef: { name: 'hv-1' }, memory: '2Gi' }, 'not-allowed');
    bench.apply({ hostRef: { name: 'hv-9' }, memory: '2Gi' }, 'missing');
    await bench.reaches('HostUnknown', 'not-allowed');
    await bench.reaches('HostUnknown', 'missing');
    const messageOf = (name: string) => bench.condition('Ready', name)?.message.replace(/hv-\d/, 'HOST');
    expect(messageOf('not-allowed')).toBe(messageOf('missing'));
    bench.apply({ memory: '2Gi' }, 'anywhere');
    await bench.reaches('VMNotFoundOrNotAllowed', 'anywhere');
    untouched();
  });

  it('gives the same answer for a VM that is missing and one that belongs to another namespace', async () => {
    bench = await createControllerBench([{ ...domain, ownerNamespace: 'others' }]);
    bench.apply({ memory: '2Gi' }, 'refused');
    bench.apply({ virtualMachine: { uuid: elsewhere.uuid }, memory: '2Gi' }, 'missing');
    await bench.reaches('VMNotFoundOrNotAllowed', 'refused');
    await bench.reaches('VMNotFoundOrNotAllowed', 'missing');
    const messageOf = (name: string, uuid: string) => bench.condition('Ready', name)?.message.replace(uuid, 'UUID');
    expect(messageOf('refused', vmUuid)).toBe(messageOf('missing', elsewhere.uuid));
    untouched();
  });

  it('acts once the namespace gets the label that the host asks for', async () => {
    const selector = { matchLabels: { tier: 'gold' } };
    bench = await createControllerBench([domain], { hostSpec: { allowedNamespaces: { from: 'Selector', selector } } });
    bench.apply({ memory: '2Gi' });
    await bench.reaches('VMNotFoundOrNotAllowed');
    const namespace = bench.namespaces.get('tenants');
    if (namespace === undefined) throw new Error('no namespace');
    bench.namespaces.apply({ metadata: { ...namespace.metadata, labels: { tier: 'gold' } } });
    await bench.reaches('Converged', 'vm', 5_000);
  });

  it('says what a VM without hotplug, without a process, or without a free slot needs', async () => {
    bench = await createControllerBench([{ ...domain, maxMemory: null }]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('HotplugUnsupported');
    await bench.close();
    bench = await createControllerBench([{ ...domain, state: 'ShutOff' }]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('VMNotRunning');
    bench.host().script.start(vmUuid);
    await bench.reaches('Converged', 'vm', 600_000);
    await bench.close();
    bench = await createControllerBench([{ ...domain, slots: 1, modules: [{ size: gib(1) }] }]);
    bench.apply({ memory: '3Gi' });
    await bench.reaches('SlotsExhausted');
    untouched();
  });
});

describe('claims', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());

  it('leaves a VM to the older of two resources', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' }, 'older');
    bench.apply({ memory: '4Gi' }, 'younger');
    await bench.reaches('Converged', 'older');
    await bench.reaches('DuplicateClaim', 'younger');
    expect(bench.host().script.total(vmUuid)).toBe(gib(2));
    bench.resources.remove('tenants/older');
    await bench.reaches('Converged', 'younger');
    expect(bench.host().script.total(vmUuid)).toBe(gib(4));
  });

  it('touches nothing that another cluster claimed', async () => {
    bench = await createControllerBench([domain]);
    const { script } = bench.host();
    script.domain(vmUuid);
    const observed = await bench.host().observe(vmUuid);
    if (!observed.ok) throw new Error(observed.error.message);
    await bench.host().plug(vmUuid, observed.value.revision, {
      clusterId: 'another',
      objectUid: 'theirs',
      namespace: 'tenants',
      generation: 1,
      slot: 0,
      size: gib(1),
      node: 0,
      hostReserve: gib(0),
      hostOvercommit: 1,
    });
    const before = script.changes().length;
    bench.apply({ memory: '4Gi' });
    await bench.reaches('ClaimedByOther');
    expect(bench.condition('Ready')?.message).toContain('dimmer agent release');
    expect(script.changes()).toHaveLength(before);
  });

  it('keeps the memory when the resource goes (I7)', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    bench.resources.remove('tenants/vm');
    await bench.clock.advance(3_600_000);
    expect(bench.host().script.total(vmUuid)).toBe(gib(2));
  });
});
