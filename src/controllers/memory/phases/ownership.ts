/** Whose a virtual machine is: of the resources that may have it the oldest. Pure. */
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import type { Claim } from '../../../memory/operation-state.ts';
import { keyOf } from '../../../runtime/resources.ts';
import { judgeEntitlement, type NamespaceLabels, type Placed } from '../../shared/entitlement.ts';
import type { Problem } from '../types.ts';
import { fail, type Result, succeed } from '../../../memory/result.ts';

export type OwnershipInput = {
  /** The resource that asks. It may have the machine. */
  readonly resource: VirtualMachineMemory;
  readonly placed: Placed;
  readonly claim: Claim | null;
  readonly clusterId: string;
  /** Resources that might speak of the machine, in any order; `resource` may be among them. */
  readonly others: readonly VirtualMachineMemory[];
  /** Whether `others` is drawn from a complete set. */
  readonly complete: boolean;
  readonly labelsOf: (namespace: string) => NamespaceLabels;
};

/** It may act; `replacesUid` is the uid whose claim it takes over. */
export type Owned = { readonly replacesUid: string | null };

/** Whether `a` came before `b`; of two made in the same second the one whose uid sorts first. */
const isOlder = (a: VirtualMachineMemory, b: VirtualMachineMemory): boolean =>
  a.metadata.creationTimestamp === b.metadata.creationTimestamp
    ? a.metadata.uid < b.metadata.uid
    : a.metadata.creationTimestamp < b.metadata.creationTimestamp;

/**
 * Whether the resource that asks has the machine, and whose claim in the domain it takes over then: that of whoever
 * isn't the owner any more, because it is gone, has lost its right, or is the younger one. While that can't be told
 * nothing changes hands: only who holds the claim goes on.
 */
export function judgeOwnership(input: OwnershipInput): Result<Owned, Problem> {
  const { resource, placed, claim, clusterId, labelsOf } = input;
  const { uuid } = placed.observation;
  let isUncertain = !input.complete;
  let owner = resource;
  for (const other of input.others) {
    if (other.metadata.uid === resource.metadata.uid || !isOlder(other, owner)) continue;
    const entitlement = judgeEntitlement(other, placed, labelsOf(other.metadata.namespace));
    if (entitlement === 'entitled') owner = other;
    if (entitlement === 'unknown') isUncertain = true;
  }
  if (owner !== resource) return fail(explainOlder(uuid, owner, resource));
  if (claim !== null && claim.clusterId !== clusterId) {
    return fail({
      reason: 'ClaimedByOther',
      message: `VM ${uuid} is claimed by another cluster; if that claim is stale, an admin of its host can end it with 'dimmer agent release ${uuid}'`,
      retry: false,
      adminDetail: `claimed by object ${claim.objectUid} of cluster ${claim.clusterId}`,
    });
  }
  const holds = claim?.objectUid === resource.metadata.uid;
  if (holds) return succeed({ replacesUid: null });
  if (isUncertain) {
    return fail({
      reason: 'VMBusy',
      message: `VM ${uuid} is left as it is until it is known whether an older VirtualMachineMemory has it`,
      retry: true,
    });
  }
  return succeed({ replacesUid: claim?.objectUid ?? null });
}

/** Names the older one only to a reader of its namespace. */
function explainOlder(uuid: string, owner: VirtualMachineMemory, resource: VirtualMachineMemory): Problem {
  const isOwn = owner.metadata.namespace === resource.metadata.namespace;
  return {
    reason: 'DuplicateClaim',
    message: isOwn
      ? `VM ${uuid} belongs to the older VirtualMachineMemory ${keyOf(owner)}; delete one of the two`
      : `VM ${uuid} belongs to an older VirtualMachineMemory of another namespace that may have it too; delete this one, or ask the cluster's admin to reserve the VM for one namespace`,
    retry: false,
    adminDetail: `belongs to ${keyOf(owner)}`,
  };
}
