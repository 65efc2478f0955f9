import { afterEach, describe, expect, it } from 'vitest';
import { gib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';
import { createTenantsBench, domain } from '../../support/tenants-bench.ts';

describe('the claim of a resource that has lost its right', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const script = () => bench.host().script;
  const claim = () => script().domain(vmUuid).operations.claim;

  /** `rivals` has the VM, and has wished for it many times; `tenants` wants it too. */
  async function openBench(): Promise<void> {
    bench = await createTenantsBench();
    bench.namespace('rivals', { tier: 'gold' });
    for (let wish = 0; wish < 20; wish += 1) {
      bench.apply({ memory: '8Gi', unplugTimeout: `${30 + wish}s`, paused: wish < 19 }, 'rivals/first');
    }
    await bench.reaches('Converged', 'rivals/first');
    bench.apply({ memory: '10Gi' });
    await bench.reaches('DuplicateClaim');
    expect(claim()).toMatchObject({ namespace: 'rivals', generation: 20 });
  }

  /** `tenants` has the VM, at once, and `rivals` changes nothing more, whatever it wishes. */
  async function expectHandedOver(): Promise<void> {
    await bench.reaches('Converged', 'vm', 5_000);
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/first', 5_000);
    expect(script().total(vmUuid)).toBe(gib(10));
    const uid = bench.resources.get('tenants/vm')?.metadata.uid;
    expect(claim()).toMatchObject({ objectUid: uid, namespace: 'tenants', generation: 1 });
    const before = script().changes().length;
    bench.apply({ memory: '1Gi' }, 'rivals/first');
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/first');
    await bench.clock.advance(3_600_000);
    expect(script().changes()).toHaveLength(before);
  }

  it('is taken over when the label is taken from its namespace', async () => {
    await openBench();
    bench.namespace('rivals', {});
    await expectHandedOver();
  });

  it('is taken over when the host is open to others than it was', async () => {
    await openBench();
    bench.namespace('tenants', { tier: 'gold', team: 'a' });
    bench.changeHost('hv-1', { allowedNamespaces: { from: 'Selector', selector: { matchLabels: { team: 'a' } } } });
    await expectHandedOver();
  });

  it('is taken over when the VM is reserved for the other', async () => {
    await openBench();
    script().setOwner(vmUuid, 'tenants');
    await expectHandedOver();
  });

  it('is taken over when the older one looks for the VM on another host', async () => {
    await openBench();
    bench.addHost('hv-2', []);
    bench.apply({ hostRef: { name: 'hv-2' } }, 'rivals/first');
    await expectHandedOver();
  });

  it('stays when nobody else may have the VM, and is taken up again', async () => {
    await openBench();
    bench.resources.remove('tenants/vm');
    bench.namespace('rivals', {});
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/first');
    bench.apply({ memory: '9Gi' }, 'rivals/first');
    await bench.clock.advance(3_600_000);
    expect(script().total(vmUuid)).toBe(gib(8));
    bench.namespace('rivals', { tier: 'gold' });
    await bench.reaches('Converged', 'rivals/first', 5_000);
    expect(script().total(vmUuid)).toBe(gib(9));
  });

  it('is not taken over by a resource that may not have the VM either', async () => {
    await openBench();
    bench.namespace('rivals', {});
    bench.namespace('tenants', {});
    await bench.reaches('VMNotFoundOrNotAllowed');
    await bench.reaches('VMNotFoundOrNotAllowed', 'rivals/first');
    await bench.clock.advance(3_600_000);
    expect(claim()).toMatchObject({ namespace: 'rivals' });
  });

  it('is not taken over before the set of resources is complete', async () => {
    await openBench();
    bench.resources.synced = false;
    bench.namespace('rivals', {});
    await bench.reaches('VMBusy', 'vm', 5_000);
    await bench.clock.advance(60_000);
    expect(claim()).toMatchObject({ namespace: 'rivals' });
    bench.resources.synced = true;
    await bench.reaches('Converged', 'vm', 600_000);
    expect(claim()).toMatchObject({ namespace: 'tenants' });
  });

  it('is not taken over from another cluster', async () => {
    bench = await createControllerBench([domain]);
    const observed = await bench.host().observe(vmUuid);
    if (!observed.ok) throw new Error(observed.error.message);
    const theirs = { clusterId: 'another-cluster', objectUid: 'theirs', namespace: 'rivals', generation: 1 };
    const module = { slot: 0, size: gib(1), node: 0, hostReserve: gib(0), hostOvercommit: 1 };
    await bench.host().plug(vmUuid, observed.value.revision, { ...theirs, ...module });
    bench.apply({ memory: '4Gi' });
    await bench.reaches('ClaimedByOther');
    expect(claim()).toEqual(theirs);
    expect(bench.condition('Ready')?.message).not.toMatch(/another-cluster|theirs|rivals/);
  });
});

describe('a right that is lost in the middle of a change', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());

  /** A growth of four modules; something happens while the answer to the first is on its way. */
  async function interrupt(happens: () => void): Promise<number> {
    bench = await createTenantsBench();
    await bench.clock.advance(1_000);
    const { script } = bench.host();
    script.inject('plug', { kind: 'answer-late', ms: 2_000 });
    bench.apply({ memory: '8Gi', growPolicy: 'Divisible' });
    await bench.clock.until('a module is plugged', () => script.changes().length === 1);
    happens();
    await bench.clock.advance(600_000);
    return script.changes().length;
  }

  it('ends it after the step that is under way', async () => {
    expect(await interrupt(() => bench.namespace('tenants', {}))).toBe(1);
    expect(bench.reason()).toBe('VMNotFoundOrNotAllowed');
  });

  it('ends it when the VM is reserved for another namespace, and says no more than that', async () => {
    expect(await interrupt(() => bench.host().script.setOwner(vmUuid, 'rivals'))).toBe(1);
    expect(bench.reason()).toBe('VMNotFoundOrNotAllowed');
  });

  it('ends it when the host is taken from the cluster', async () => {
    expect(await interrupt(() => bench.hosts.remove('hv-1'))).toBe(1);
    expect(bench.reason()).toBe('VMNotFoundOrNotAllowed');
  });

  it('ends it when the resource is deleted', async () => {
    expect(await interrupt(() => bench.resources.remove('tenants/vm'))).toBe(1);
  });

  it('ends it when the resource is deleted and another of its name is made that wants nothing', async () => {
    const changes = await interrupt(() => {
      bench.resources.remove('tenants/vm');
      bench.apply({});
    });
    expect(changes).toBe(1);
    expect(bench.reason()).toBe('ObserveOnly');
  });
});
