import { afterEach, describe, expect, it } from 'vitest';
import { hostError } from '../../../src/host/errors.ts';
import { type ControllerBench, vmUuid } from '../../support/controller-bench.ts';
import { createTenantsBench, domain, saidTo } from '../../support/tenants-bench.ts';

describe('what a tenant is told', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());

  it('of an older resource of its own names it, of one elsewhere does not', async () => {
    bench = await createTenantsBench();
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
    bench = await createTenantsBench([{ ...domain, ownerNamespace: 'tenants' }]);
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
    bench = await createTenantsBench();
    const error = hostError('claimed-by-other', 'What Dimmer keeps in the metadata of VM db-1 cannot be read');
    bench.host().script.inject('observe', { kind: 'fail', error }, 1_000);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('ClaimedByOther');
    expect(saidTo(bench, 'tenants/vm')).not.toContain('db-1');
    expect(bench.condition('Ready')?.message).toContain('dimmer agent check');
  });

  it('is nothing of copies that are not its own', async () => {
    bench = await createTenantsBench([{ ...domain, ownerNamespace: 'tenants' }]);
    bench.namespace('rivals', { tier: 'gold' });
    bench.addHost('hv-2', [{ ...domain, ownerNamespace: 'tenants' }]);
    bench.host('hv-2').script.setMigrating(vmUuid, true);
    bench.apply({ memory: '8Gi' }, 'rivals/first');
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/first');
    expect(saidTo(bench, 'rivals/first')).not.toMatch(/hv-\d|migrating/);
  });

  it('is nothing of the VM that took the name of its own, when that belongs to others', async () => {
    bench = await createTenantsBench();
    bench.apply({ virtualMachine: { name: 'db-1' }, hostRef: { name: 'hv-1' }, memory: '2Gi' });
    await bench.reaches('Converged');
    const foreign = '00000000-0000-4000-8000-000000000001';
    bench.host().script.depart(vmUuid);
    bench.host().script.addDomain({ uuid: foreign, name: 'db-1', ownerNamespace: 'rivals' });
    await bench.reaches('VMNotFoundOrNotAllowed', 'vm', 700_000);
    expect(saidTo(bench, 'tenants/vm')).not.toContain(foreign);
  });
});
