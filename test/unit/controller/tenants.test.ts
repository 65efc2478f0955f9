import { afterEach, describe, expect, it } from 'vitest';
import { hostError } from '../../../src/host/errors.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/model.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

const domain: SimulatedDomainSpec = { uuid: vmUuid, name: 'db-1', boot: gib(1) };
const gold = { from: 'Selector', selector: { matchLabels: { tier: 'gold' } } } as const;

/** `tenants` has a right to hv-1, `rivals` exists and doesn't say yet what it has. */
async function openBench(domains: readonly SimulatedDomainSpec[] = [domain]): Promise<ControllerBench> {
  const bench = await createControllerBench(domains, { hostSpec: { allowedNamespaces: gold } });
  bench.namespace('tenants', { tier: 'gold' });
  bench.namespace('rivals', {});
  return bench;
}

/** What a resource and its events say, all of it. */
const saidTo = (bench: ControllerBench, name: string): string =>
  JSON.stringify([bench.status(name), bench.events.events.filter(({ key }) => key === name)]);

describe('a resource that may not have the VM owns nothing', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const total = () => bench.host().script.total(vmUuid);

  it('older, in a namespace that may use no host', async () => {
    bench = await openBench();
    bench.apply({ memory: '8Gi' }, 'rivals/first');
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/first');
    expect(total()).toBe(gib(2));
  });

  it('older, when the rightful one is deleted and applied again', async () => {
    bench = await openBench();
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
    bench = await openBench();
    bench.apply({ virtualMachine: { name: 'db-1' }, hostRef: { name: 'hv-1' }, memory: '8Gi' }, 'rivals/first');
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    await bench.reaches('HostUnknown', 'rivals/first');
    expect(total()).toBe(gib(2));
  });

  it('older, on a host that both may use, when the VM is reserved for the other', async () => {
    bench = await openBench([{ ...domain, ownerNamespace: 'tenants' }]);
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
    bench = await openBench();
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
    bench = await openBench();
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
    bench = await openBench();
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
    bench = await openBench([{ ...domain, ownerNamespace: 'tenants' }]);
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
    bench = await openBench([{ ...domain, ownerNamespace: 'tenants', state: 'ShutOff' }]);
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

  it('keeps it by age, though paused', async () => {
    bench = await openBench();
    bench.namespace('rivals', { tier: 'gold' });
    bench.apply({ memory: '2Gi', paused: true });
    bench.apply({ memory: '8Gi' }, 'rivals/second');
    await bench.reaches('DuplicateClaim', 'rivals/second');
    await bench.reaches('Paused');
    expect(total()).toBe(gib(1));
  });

  it('is asked about again as soon as an older one looks elsewhere, or is here after all', async () => {
    bench = await openBench();
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
    bench = await openBench();
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
    bench = await openBench();
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

describe('what is in the dark', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const total = () => bench.host().script.total(vmUuid);
  const quiet = {
    from: 'Selector',
    selector: { matchExpressions: [{ key: 'quarantine', operator: 'DoesNotExist' }] },
  } as const;

  it('a namespace that is not listed yet may not do what its labels might forbid', async () => {
    bench = await createControllerBench([domain], { hostSpec: { allowedNamespaces: quiet } });
    bench.apply({ memory: '8Gi' }, 'rivals/first');
    await bench.clock.advance(60_000);
    expect(bench.host().script.changes()).toEqual([]);
    expect(bench.status('rivals/first')).toEqual({});
    bench.namespace('rivals', { quarantine: 'yes' });
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/first', 5_000);
    expect(bench.host().script.changes()).toEqual([]);
  });

  it('nothing changes hands while it is not known what an older one may have', async () => {
    bench = await createControllerBench([domain], { hostSpec: { allowedNamespaces: quiet } });
    bench.apply({ memory: '8Gi' }, 'rivals/first');
    bench.apply({ memory: '2Gi' });
    await bench.reaches('VMBusy');
    expect(saidTo(bench, 'tenants/vm')).not.toContain('rivals');
    expect(bench.host().script.changes()).toEqual([]);
    bench.namespace('rivals', {});
    await bench.reaches('Converged', 'rivals/first', 5_000);
    await bench.reaches('DuplicateClaim', 'vm', 5_000);
    bench.namespaces.remove('rivals');
    bench.apply({ memory: '9Gi' }, 'rivals/first');
    await bench.clock.advance(3_600_000);
    expect(total()).toBe(gib(8));
  });

  it('who has it goes on while it is not known what an older one may have', async () => {
    bench = await createControllerBench([domain], { hostSpec: { allowedNamespaces: quiet } });
    bench.addHost('hv-2', []);
    bench.apply({ memory: '8Gi', hostRef: { name: 'hv-2' } }, 'rivals/first');
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    bench.apply({ hostRef: { name: 'hv-1' } }, 'rivals/first');
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged');
    expect(total()).toBe(gib(3));
  });

  it('nothing is handed over while the host does not answer', async () => {
    bench = await openBench();
    bench.namespace('rivals', { tier: 'gold' });
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    bench.apply({ memory: '8Gi' }, 'rivals/second');
    await bench.reaches('DuplicateClaim', 'rivals/second');
    const { script } = bench.host();
    script.setReachable(false);
    script.setOwner(vmUuid, 'tenants');
    bench.namespace('tenants', {});
    await bench.reaches('VMNotFoundOrNotAllowed');
    await bench.reaches('HostUnreachable', 'rivals/second');
    bench.namespace('tenants', { tier: 'gold' });
    script.setReachable(true);
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/second');
    await bench.reaches('Converged');
    expect(script.domain(vmUuid).operations.claim?.namespace).toBe('tenants');
    expect(total()).toBe(gib(2));
  });
});

describe('many resources that may not have the VM', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());

  it('are not looked at whenever the memory of somebody else changes', async () => {
    bench = await openBench([{ ...domain, ownerNamespace: 'tenants' }]);
    bench.namespace('rivals', { tier: 'gold' });
    bench.apply({ memory: '2Gi' });
    bench.apply({ memory: '2Gi' }, 'second');
    for (let nth = 0; nth < 50; nth += 1) bench.apply({ memory: '8Gi' }, `rivals/nth-${nth}`);
    await bench.reaches('Converged');
    await bench.reaches('DuplicateClaim', 'second');
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/nth-49');
    await bench.clock.advance(10_000);
    const { observe } = bench.host().script.calls();
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged');
    await bench.clock.advance(10_000);
    expect(bench.host().script.calls().observe - observe).toBeLessThan(20);
    // When it may be theirs they are.
    bench.host().script.setOwner(vmUuid, 'rivals');
    await bench.reaches('Converged', 'rivals/nth-0', 5_000);
  });
});

describe('what a tenant is told', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());

  it('of an older resource of its own names it, of one elsewhere does not', async () => {
    bench = await openBench();
    bench.namespace('rivals', { tier: 'gold' });
    bench.apply({ memory: '2Gi' }, 'secret-name');
    bench.apply({ memory: '2Gi' }, 'own');
    bench.apply({ memory: '8Gi' }, 'rivals/second');
    await bench.reaches('DuplicateClaim', 'own');
    await bench.reaches('DuplicateClaim', 'rivals/second');
    expect(bench.condition('Ready', 'own')?.message).toContain('tenants/secret-name');
    const uid = bench.resources.get('tenants/secret-name')?.metadata.uid ?? '';
    for (const secret of ['tenants', 'secret-name', uid]) expect(saidTo(bench, 'rivals/second')).not.toContain(secret);
  });

  it('is the same of a VM that is missing and one that is reserved for others, however it is asked for', async () => {
    bench = await openBench([{ ...domain, ownerNamespace: 'tenants' }]);
    bench.namespace('rivals', { tier: 'gold' });
    const on = (name: string) => ({ virtualMachine: { name }, hostRef: { name: 'hv-1' }, memory: '2Gi' });
    const other = '00000000-0000-4000-8000-000000000001';
    bench.apply(on('db-1'), 'rivals/reserved-name');
    bench.apply(on('db-9'), 'rivals/missing-name');
    bench.apply({ memory: '2Gi', hostRef: { name: 'hv-1' } }, 'rivals/reserved-uuid');
    bench.apply({ memory: '2Gi', virtualMachine: { uuid: other } }, 'rivals/missing-uuid');
    const told = async (name: string) => {
      await bench.reaches('VMNotFoundOrNotAllowed', name);
      const { virtualMachine, conditions = [] } = bench.status(name);
      expect(virtualMachine).toBeUndefined();
      const shown = JSON.stringify(
        conditions.map(({ type, status, reason, message }) => [type, status, reason, message]),
      );
      return shown.replaceAll(/db-\d/g, 'NAME').replaceAll(new RegExp(`${vmUuid}|${other}`, 'g'), 'UUID');
    };
    expect(await told('rivals/reserved-name')).toBe(await told('rivals/missing-name'));
    expect(await told('rivals/reserved-uuid')).toBe(await told('rivals/missing-uuid'));
  });

  it('is not the name of a VM whose metadata can not be read', async () => {
    bench = await openBench();
    const error = hostError('claimed-by-other', 'What Dimmer keeps in the metadata of VM db-1 cannot be read');
    bench.host().script.inject('observe', { kind: 'fail', error }, 1_000);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('ClaimedByOther');
    expect(saidTo(bench, 'tenants/vm')).not.toContain('db-1');
    expect(bench.condition('Ready')?.message).toContain('dimmer agent check');
  });

  it('is nothing of copies that are not its own', async () => {
    bench = await openBench([{ ...domain, ownerNamespace: 'tenants' }]);
    bench.namespace('rivals', { tier: 'gold' });
    bench.addHost('hv-2', [{ ...domain, ownerNamespace: 'tenants' }]);
    bench.host('hv-2').script.setMigrating(vmUuid, true);
    bench.apply({ memory: '8Gi' }, 'rivals/first');
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/first');
    expect(saidTo(bench, 'rivals/first')).not.toMatch(/hv-\d|migrating/);
  });

  it('is nothing of the VM that took the name of its own, when that belongs to others', async () => {
    bench = await openBench();
    bench.apply({ virtualMachine: { name: 'db-1' }, hostRef: { name: 'hv-1' }, memory: '2Gi' });
    await bench.reaches('Converged');
    const foreign = '00000000-0000-4000-8000-000000000001';
    bench.host().script.depart(vmUuid);
    bench.host().script.addDomain({ uuid: foreign, name: 'db-1', ownerNamespace: 'rivals' });
    await bench.reaches('VMNotFoundOrNotAllowed', 'vm', 700_000);
    expect(saidTo(bench, 'tenants/vm')).not.toContain(foreign);
  });
});
