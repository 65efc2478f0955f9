import { afterEach, describe, expect, it } from 'vitest';
import { gib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';
import { createTenantsBench, domain, gold } from '../../support/tenants-bench.ts';

describe('a resource that may not have the VM owns nothing', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const total = () => bench.host().script.total(vmUuid);

  it('older, in a namespace that may use no host', async () => {
    bench = await createTenantsBench();
    bench.apply({ memory: '8Gi' }, 'rivals/first');
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/first');
    expect(total()).toBe(gib(2));
  });

  it('older, when the rightful one is deleted and applied again', async () => {
    bench = await createTenantsBench();
    bench.apply({ memory: '8Gi' }, 'rivals/first');
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    bench.resources.remove('tenants/vm');
    await bench.clock.advance(3_600_000);
    expect(total()).toBe(gib(2));
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged');
    expect(total()).toBe(gib(3));
  });

  it('older, by name on a host that it may not use', async () => {
    bench = await createTenantsBench();
    bench.apply({ virtualMachine: { name: 'db-1' }, hostRef: { name: 'hv-1' }, memory: '8Gi' }, 'rivals/first');
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    await bench.reaches('HostUnknown', 'rivals/first');
    expect(total()).toBe(gib(2));
  });

  it('older, on a host that both may use, when the VM is reserved for the other', async () => {
    bench = await createTenantsBench([{ ...domain, ownerNamespace: 'tenants' }]);
    bench.namespace('rivals', { tier: 'gold' });
    bench.apply({ memory: '8Gi' }, 'rivals/by-uuid');
    bench.apply({ virtualMachine: { name: 'db-1' }, hostRef: { name: 'hv-1' }, memory: '8Gi' }, 'rivals/by-name');
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/by-uuid');
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/by-name');
    expect(total()).toBe(gib(2));
  });

  it('older, with a hostRef to a host where the VM is not', async () => {
    bench = await createTenantsBench();
    bench.addHost('hv-2', []);
    bench.apply({ hostRef: { name: 'hv-2' }, memory: '8Gi' }, 'first');
    bench.apply({ hostRef: { name: 'hv-9' }, memory: '8Gi' }, 'second');
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    await bench.reaches('VMNotFoundOrNotAllowed', 'first');
    await bench.reaches('HostUnknown', 'second');
    expect(total()).toBe(gib(2));
  });

  it('older, by a name that stands for another VM now', async () => {
    bench = await createTenantsBench();
    const byName = { virtualMachine: { name: 'db-1' }, hostRef: { name: 'hv-1' } };
    bench.apply({ ...byName, memory: '2Gi' }, 'by-name');
    await bench.reaches('Converged', 'by-name');
    const { script } = bench.host();
    script.arrive({ ...script.depart(vmUuid), name: 'db-1-old' });
    script.addDomain({ uuid: '00000000-0000-4000-8000-000000000001', name: 'db-1' });
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged', 'vm', 700_000);
    await bench.reaches('VMReplaced', 'by-name', 700_000);
    expect(total()).toBe(gib(3));
  });

  it('older, with its namespace gone, until one of that name is there and may use the host', async () => {
    bench = await createTenantsBench();
    bench.namespace('rivals', { tier: 'gold' });
    bench.apply({ memory: '2Gi' }, 'rivals/first');
    await bench.reaches('Converged', 'rivals/first');
    bench.apply({ memory: '3Gi' });
    await bench.reaches('DuplicateClaim');
    bench.resources.remove('rivals/first');
    bench.namespaces.remove('rivals');
    await bench.reaches('Converged');
    bench.namespace('rivals', {});
    bench.apply({ memory: '8Gi' }, 'rivals/first');
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/first');
    await bench.clock.advance(3_600_000);
    expect(bench.reason()).toBe('Converged');
    expect(total()).toBe(gib(3));
  });

  it('with a copy of the VM that is its own elsewhere', async () => {
    bench = await createTenantsBench([{ ...domain, ownerNamespace: 'tenants' }]);
    bench.namespace('rivals', { tier: 'gold' });
    bench.addHost('hv-2', [{ ...domain, ownerNamespace: 'rivals' }]);
    bench.apply({ memory: '4Gi' }, 'rivals/theirs');
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    await bench.reaches('Converged', 'rivals/theirs');
    expect(total()).toBe(gib(2));
    expect(bench.host('hv-2').script.total(vmUuid)).toBe(gib(4));
    expect(bench.status().hostName).toBe('hv-1');
  });

  it('with a copy that runs, while the VM itself is switched off', async () => {
    bench = await createTenantsBench([{ ...domain, ownerNamespace: 'tenants', state: 'ShutOff' }]);
    bench.addHost('hv-2', [{ ...domain, ownerNamespace: 'rivals' }]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('VMNotRunning');
    expect(bench.host('hv-2').script.changes()).toEqual([]);
  });
});

describe('whoever may have the VM', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const total = () => bench.host().script.total(vmUuid);

  it('hears at once that it may, also when it goes by name', async () => {
    bench = await createTenantsBench([{ ...domain, ownerNamespace: 'rivals' }]);
    const byName = { virtualMachine: { name: 'db-1' }, hostRef: { name: 'hv-1' } };
    bench.apply({ ...byName, memory: '2Gi' });
    await bench.reaches('VMNotFoundOrNotAllowed');
    bench.apply({ ...byName, memory: '3Gi' });
    await bench.reaches('VMNotFoundOrNotAllowed');
    bench.host().script.setOwner(vmUuid, 'tenants');
    await bench.reaches('Converged', 'vm', 2_000);
    expect(total()).toBe(gib(3));
  });

  it('keeps it by age, though paused', async () => {
    bench = await createTenantsBench();
    bench.namespace('rivals', { tier: 'gold' });
    bench.apply({ memory: '2Gi', paused: true });
    bench.apply({ memory: '8Gi' }, 'rivals/second');
    await bench.reaches('DuplicateClaim', 'rivals/second');
    await bench.reaches('Paused');
    expect(total()).toBe(gib(1));
  });

  it('keeps it until it is gone, though it is being deleted', async () => {
    bench = await createTenantsBench();
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    const going = bench.resources.get('tenants/vm');
    if (going === undefined) throw new Error('no resource');
    bench.apply({ memory: '3Gi' }, 'second');
    bench.resources.apply({ ...going, metadata: { ...going.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
    await bench.reaches('DuplicateClaim', 'second');
    await bench.clock.advance(3_600_000);
    expect(total()).toBe(gib(2));
    bench.resources.remove('tenants/vm');
    await bench.reaches('Converged', 'second', 5_000);
    expect(total()).toBe(gib(3));
  });

  it('is asked about again as soon as an older one looks elsewhere, or is here after all', async () => {
    bench = await createTenantsBench();
    bench.addHost('hv-2', []);
    bench.apply({ memory: '2Gi' }, 'first');
    await bench.reaches('Converged', 'first');
    bench.apply({ memory: '3Gi' }, 'second');
    await bench.reaches('DuplicateClaim', 'second');
    bench.apply({ hostRef: { name: 'hv-2' } }, 'first');
    await bench.reaches('Converged', 'second', 5_000);
    expect(total()).toBe(gib(3));
    bench.apply({ hostRef: { name: 'hv-1' } }, 'first');
    await bench.reaches('DuplicateClaim', 'second', 5_000);
    await bench.reaches('Converged', 'first', 5_000);
    expect(total()).toBe(gib(2));
  });

  it('is asked about again as soon as the host that the VM moved to is open to it', async () => {
    bench = await createTenantsBench();
    bench.addHost('hv-2', [], { allowedNamespaces: { from: 'None' } });
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    bench.host('hv-2').script.arrive(bench.host().script.depart(vmUuid));
    await bench.reaches('VMNotFoundOrNotAllowed');
    bench.apply({ memory: '3Gi' });
    await bench.clock.advance(1_000);
    expect(bench.host('hv-2').script.total(vmUuid)).toBe(gib(2));
    bench.changeHost('hv-2', { allowedNamespaces: gold });
    await bench.reaches('Converged', 'vm', 5_000);
    expect(bench.host('hv-2').script.total(vmUuid)).toBe(gib(3));
  });

  it('has it without having been resolved first, by name', async () => {
    bench = await createTenantsBench();
    bench.apply({ virtualMachine: { name: 'db-1' }, hostRef: { name: 'hv-1' }, memory: '2Gi' }, 'by-name');
    bench.apply({ memory: '3Gi' }, 'by-uuid');
    await bench.reaches('Converged', 'by-name');
    await bench.reaches('DuplicateClaim', 'by-uuid');
    expect(bench.host().script.changes()).toHaveLength(1);
  });
});

describe('a host that requires owners', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());

  it('refuses a VM without one, with the answer for a VM that is missing, until it is named', async () => {
    bench = await createControllerBench([domain], { hostSpec: { requireOwner: true } });
    bench.apply({ memory: '2Gi' });
    bench.apply({ virtualMachine: { uuid: '00000000-0000-4000-8000-000000000001' }, memory: '2Gi' }, 'missing');
    await bench.reaches('VMNotFoundOrNotAllowed');
    await bench.reaches('VMNotFoundOrNotAllowed', 'missing');
    const told = (name: string) => bench.condition('Ready', name)?.message.replace(/VM [-0-9a-f]+/, 'VM');
    expect(told('vm')).toBe(told('missing'));
    expect(bench.host().script.changes()).toEqual([]);
    bench.host().script.setOwner(vmUuid, 'tenants');
    await bench.reaches('Converged', 'vm', 5_000);
  });

  it('lets go of a VM without one when it begins to, and serves it again when it no longer does', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    bench.changeHost('hv-1', { requireOwner: true });
    await bench.reaches('VMNotFoundOrNotAllowed', 'vm', 5_000);
    bench.apply({ memory: '3Gi' });
    await bench.clock.advance(3_600_000);
    expect(bench.host().script.total(vmUuid)).toBe(gib(2));
    bench.changeHost('hv-1', { requireOwner: false });
    await bench.reaches('Converged', 'vm', 5_000);
    expect(bench.host().script.total(vmUuid)).toBe(gib(3));
  });
});
