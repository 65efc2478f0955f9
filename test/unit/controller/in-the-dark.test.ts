import { afterEach, describe, expect, it } from 'vitest';
import { gib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';
import { createTenantsBench, domain, notQuarantined, saidTo } from '../../support/tenants-bench.ts';

describe('what is in the dark', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const total = () => bench.host().script.total(vmUuid);

  it('a namespace that is not listed yet may not do what its labels might forbid', async () => {
    bench = await createControllerBench([domain], { hostSpec: { allowedNamespaces: notQuarantined } });
    bench.apply({ memory: '8Gi' }, 'rivals/first');
    await bench.clock.advance(60_000);
    expect(bench.host().script.changes()).toEqual([]);
    expect(bench.status('rivals/first')).toEqual({ observedGeneration: -1 });
    bench.namespace('rivals', { quarantine: 'yes' });
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/first', 5_000);
    expect(bench.host().script.changes()).toEqual([]);
  });

  it('nothing changes hands while it is not known what an older one may have', async () => {
    bench = await createControllerBench([domain], { hostSpec: { allowedNamespaces: notQuarantined } });
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
    bench = await createControllerBench([domain], { hostSpec: { allowedNamespaces: notQuarantined } });
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
    bench = await createTenantsBench();
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
    bench = await createTenantsBench([{ ...domain, ownerNamespace: 'tenants' }]);
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
