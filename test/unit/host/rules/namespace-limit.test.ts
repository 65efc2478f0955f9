import { describe, expect, it } from 'vitest';
import {
  computeNamespaceFree,
  computeShare,
  holderOf,
  judgeNamespaceLimit,
  sumByHolder,
} from '../../../../src/host/rules/namespace-limit.ts';
import { bytes, gib, zeroBytes } from '../../../../src/memory/bytes.ts';

const tenant = { clusterId: 'c', namespace: 'shop' };
const claim = { ...tenant, objectUid: 'u', generation: 1 };

describe('whose a VM is for counting', () => {
  it.each([
    ['nobody has claimed and nobody owns: nobody', null, null, null],
    ['is claimed: of who has claimed it', claim, null, tenant],
    ['is claimed by its owner: of that cluster', claim, 'shop', tenant],
    ['is reserved and not claimed: of its owner', null, 'shop', { clusterId: null, namespace: 'shop' }],
    [
      'is reserved for another than has claimed it: of its owner',
      claim,
      'bank',
      { clusterId: null, namespace: 'bank' },
    ],
  ])('one that %s', (_, claimed, ownerNamespace, holder) => {
    expect(holderOf({ claim: claimed, ownerNamespace })).toEqual(holder);
  });
});

describe('what a namespace may have of a host', () => {
  const shares = sumByHolder([
    { holder: tenant, committed: gib(2) },
    { holder: tenant, committed: gib(1) },
    { holder: { clusterId: null, namespace: 'shop' }, committed: gib(4) },
    { holder: { clusterId: 'another', namespace: 'shop' }, committed: gib(8) },
    { holder: { clusterId: 'c', namespace: 'bank' }, committed: gib(16) },
    { holder: null, committed: gib(32) },
  ]);

  it('is counted by claims of this cluster and by owners', () => {
    expect(shares).toHaveLength(4);
    expect(computeShare(shares, tenant)).toBe(gib(7));
    expect(computeShare(shares, { ...tenant, namespace: 'none' })).toBe(0);
  });

  it.each([
    ['that counts already: to the byte', { holder: tenant, committed: gib(2) }, gib(3)],
    ['that is its owner’s', { holder: { clusterId: null, namespace: 'shop' }, committed: gib(4) }, gib(3)],
    ['that counts from now on: whole', { holder: null, committed: gib(1) }, gib(2)],
    ['that was another’s', { holder: { clusterId: 'c', namespace: 'bank' }, committed: gib(2) }, gib(1)],
    ['that is larger than what is left', { holder: null, committed: gib(4) }, zeroBytes],
  ] as const)('leaves room for a VM %s', (_, vm, free) => {
    const limit = gib(10);
    expect(computeNamespaceFree(shares, tenant, limit, vm)).toBe(free);
    // What is planned is admitted, and no byte more.
    if (free > 0) expect(judgeNamespaceLimit(shares, tenant, limit, vm, free)).toBeNull();
    expect(judgeNamespaceLimit(shares, tenant, limit, vm, bytes(free + 1))?.code).toBe('namespace-limit');
  });

  it('is said with its figures', () => {
    const judge = (vm: Parameters<typeof judgeNamespaceLimit>[3]) =>
      judgeNamespaceLimit(shares, tenant, gib(8), vm, gib(2))?.message;
    expect(judge({ holder: tenant, committed: gib(2) })).toBe(
      'the running VMs of namespace shop have 7Gi here; 2Gi more would exceed the 8Gi that one namespace may have',
    );
    expect(judge({ holder: null, committed: gib(1) })).toContain('and this one, which then counts, has 1Gi; 2Gi more');
  });
});
