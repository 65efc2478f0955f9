/**
 * What one namespace has of a host, and whether it may have more (HypervisorHost.spec.namespaceLimit): judged by the
 * controller when it plans and by the agent, under the lock of the host, when it acts. It counts what the host's running VMs
 * are promised, by what stands with them: their claims, and the owner elements of the host's admin. Pure.
 */
import { type Bytes, bytes } from '../../memory/bytes.ts';
import type { Claim } from '../../memory/operation-state.ts';
import { formatQuantity } from '../../memory/quantity.ts';
import { hostError, type HostError } from '../errors.ts';
import type { HostFacts } from '../port.ts';

/** A namespace of a cluster. */
export type Tenant = Pick<Claim, 'clusterId' | 'namespace'>;

/** Whose a VM is for counting. `clusterId` null: the host's admin has named the namespace, which knows no cluster. */
export type Holder = { readonly clusterId: string | null; readonly namespace: string };

/** What each holder's running VMs are promised together; null: the host doesn't say, its agent is older. */
export type NamespaceShares = HostFacts['namespaces'];

/** Whose the VM is; null: nobody's yet. A claim that the owner element has overruled counts no more. */
export function holderOf({
  claim,
  ownerNamespace,
}: {
  readonly claim: Tenant | null;
  readonly ownerNamespace: string | null;
}): Holder | null {
  if (claim !== null && (ownerNamespace === null || ownerNamespace === claim.namespace)) {
    return { clusterId: claim.clusterId, namespace: claim.namespace };
  }
  return ownerNamespace === null ? null : { clusterId: null, namespace: ownerNamespace };
}

/** Whether what `holder` has counts for the tenant. */
const countsFor = (tenant: Tenant, holder: Holder | null): boolean =>
  holder?.namespace === tenant.namespace && (holder.clusterId === null || holder.clusterId === tenant.clusterId);

/** What VMs are promised, summed up by whose they are; in no order that means anything. */
export function sumByHolder(
  vms: Iterable<{ readonly holder: Holder | null; readonly committed: number }>,
): NonNullable<NamespaceShares> {
  const sums = new Map<string, { readonly holder: Holder; readonly committed: number }>();
  for (const { holder, committed } of vms) {
    if (holder === null) continue;
    const key = JSON.stringify([holder.clusterId, holder.namespace]);
    sums.set(key, { holder, committed: (sums.get(key)?.committed ?? 0) + committed });
  }
  return [...sums.values()].map(({ holder: { clusterId, namespace }, committed }) => ({
    ...{ clusterId, namespace },
    committed: bytes(committed),
  }));
}

/** What the VMs that count for the tenant are promised. */
export const computeShare = (shares: NonNullable<NamespaceShares>, tenant: Tenant): Bytes =>
  bytes(shares.reduce((sum, share) => (countsFor(tenant, share) ? sum + share.committed : sum), 0));

/** A VM that is to grow. */
export type GrowingVm = {
  readonly holder: Holder | null;
  /** What it is promised now. */
  readonly committed: number;
};

/** What a growth adds to the tenant's share before its first byte: all of a VM that counts for it only from then on. */
const entryCost = (tenant: Tenant, { holder, committed }: GrowingVm): number =>
  countsFor(tenant, holder) ? 0 : committed;

/** By how much a VM may grow for the tenant; never negative. */
export function computeNamespaceFree(
  shares: NonNullable<NamespaceShares>,
  tenant: Tenant,
  limit: Bytes,
  vm: GrowingVm,
): Bytes {
  return bytes(Math.max(0, limit - computeShare(shares, tenant) - entryCost(tenant, vm)));
}

/** Whether a VM may have `size` more for the tenant. Null: it may. */
export function judgeNamespaceLimit(
  shares: NonNullable<NamespaceShares>,
  tenant: Tenant,
  limit: Bytes,
  vm: GrowingVm,
  size: Bytes,
): HostError | null {
  const share = computeShare(shares, tenant);
  const entry = entryCost(tenant, vm);
  if (share + entry + size <= limit) return null;
  const with_ = entry === 0 ? '' : `, and this one, which then counts, has ${formatQuantity(bytes(entry))}`;
  return hostError(
    'namespace-limit',
    `the running VMs of namespace ${tenant.namespace} have ${formatQuantity(share)} here${with_}; ` +
      `${formatQuantity(size)} more would exceed the ${formatQuantity(limit)} that one namespace may have`,
  );
}
