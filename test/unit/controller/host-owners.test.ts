import { afterEach, describe, expect, it } from 'vitest';
import { findCondition } from '../../../src/api/v1alpha1/conditions.ts';
import type { HypervisorHostSpec } from '../../../src/api/v1alpha1/hypervisor-host.ts';
import { computeOwnersCondition } from '../../../src/controllers/host/owners.ts';
import { hostError } from '../../../src/host/errors.ts';
import { fail, succeed } from '../../../src/memory/result.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

const gold = { from: 'Selector', selector: { matchLabels: { tier: 'gold' } } } as const;
const namespaces = ['a', 'b'].map((name) => ({
  metadata: {
    name,
    uid: name,
    resourceVersion: '1',
    generation: 0,
    ...(name === 'a' ? { labels: { tier: 'gold' } } : {}),
  },
}));

describe('the owners of a host', () => {
  const told = (spec: Partial<HypervisorHostSpec>, without: number | null) => {
    const host = { spec: { address: 'https://h', allowedNamespaces: { from: 'All' }, ...spec } } as const;
    const { status, reason, message } = computeOwnersCondition(
      host,
      succeed({ virtualMachinesWithoutOwner: without }),
      namespaces,
    );
    return `${status} ${reason}: ${message}`;
  };

  it.each([
    ['every VM has one', {}, 0, 'True AsExpected: '],
    [
      'several namespaces may use it',
      {},
      3,
      'False VMsWithoutOwner: 3 running VMs have no owner, and 2 namespaces may',
    ],
    ['one namespace may use it', { allowedNamespaces: gold }, 3, 'True OneNamespace: 3 running VMs have no owner; one'],
    ['it is closed', { allowedNamespaces: { from: 'None' } }, 1, 'True OneNamespace: 1 running VM has no owner; one'],
    ['it requires them', { requireOwner: true }, 1, 'False OwnerRequired: 1 running VM has no owner, so nobody may'],
    ['it requires them and has them', { requireOwner: true }, 0, 'True AsExpected: '],
    ['its agent is old', {}, null, "Unknown NotObserved: the agent is older than the controller and doesn't say"],
  ] as const)('when %s', (_when, spec, without, expected) => expect(told(spec, without)).toContain(expected));

  it('when it does not answer', () => {
    const spec = { address: 'https://h', allowedNamespaces: { from: 'All' } } as const;
    const answer = fail(hostError('unreachable', 'down'));
    expect(computeOwnersCondition({ spec }, answer, namespaces)).toMatchObject({ status: 'Unknown' });
  });
});

describe('the condition of a host', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const owners = () => findCondition(bench.hosts.get('hv-1')?.status?.conditions, 'OwnersNamed');

  it('follows owners, namespaces and the spec within half a minute, and names no VM', async () => {
    bench = await createControllerBench([{ uuid: vmUuid, name: 'secret-vm', boot: gib(1) }], {
      hostSpec: { allowedNamespaces: gold },
    });
    bench.namespace('tenants', { tier: 'gold' });
    const says = (reason: string) => bench.clock.until(`it says ${reason}`, () => owners()?.reason === reason, 40_000);
    await says('OneNamespace');
    bench.namespace('rivals', { tier: 'gold' });
    await says('VMsWithoutOwner');
    expect(owners()?.message).not.toMatch(/secret-vm|tenants|rivals/);
    bench.changeHost('hv-1', { requireOwner: true });
    await says('OwnerRequired');
    bench.host().script.setOwner(vmUuid, 'tenants');
    await says('AsExpected');
    // It is ready all the same, and nothing of this has its own field.
    const status = bench.hosts.get('hv-1')?.status;
    expect(findCondition(status?.conditions, 'Ready')?.status).toBe('True');
    expect(status).not.toHaveProperty('virtualMachinesWithoutOwner');
  });
});
