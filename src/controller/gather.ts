/** Gather first, judge second: all that a reconcile reads from outside, as one plain value. */
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import type { DomainObservation } from '../host/port.ts';
import { keyOf, type ResourceSource } from '../runtime/resources.ts';
import type { ClaimIndex } from './claim-index.ts';
import { locate, type LocateContext, notFoundProblem } from './locate.ts';
import type { Gathered, Problem } from './types.ts';

export type GatherContext = LocateContext & {
  readonly resources: ResourceSource<VirtualMachineMemory>;
  readonly claims: ClaimIndex;
  readonly clusterId: string;
};

const problem = (found: Problem): Gathered => ({ kind: 'problem', problem: found });

/** Whom the virtual machine belongs to; null: `resource` may act. */
function judgeClaim(
  resource: VirtualMachineMemory,
  observation: DomainObservation,
  context: GatherContext,
): Problem | { readonly replacesUid: string | null } {
  const { uid, namespace } = resource.metadata;
  const owner = context.claims.olderOwner(observation.uuid, resource);
  if (owner !== null) {
    return {
      reason: 'DuplicateClaim',
      message: `VM ${observation.uuid} belongs to the older VirtualMachineMemory ${keyOf(owner)}; delete one of the two`,
      retry: false,
    };
  }
  if (observation.ownerNamespace !== null && observation.ownerNamespace !== namespace) {
    return notFoundProblem(`VM ${observation.uuid}`);
  }
  const { claim } = observation;
  if (claim === null || (claim.clusterId === context.clusterId && claim.objectUid === uid)) {
    return { replacesUid: null };
  }
  if (claim.clusterId !== context.clusterId) {
    return {
      reason: 'ClaimedByOther',
      message: `VM ${observation.uuid} is claimed by another cluster (${claim.clusterId}); if that claim is stale, run 'dimmer agent release ${observation.uuid}' on its host`,
      retry: false,
    };
  }
  // Taken over only after a complete list shows the claiming resource gone (invariant I7).
  const isGone =
    context.resources.synced && !context.resources.list().some((other) => other.metadata.uid === claim.objectUid);
  if (isGone) return { replacesUid: claim.objectUid };
  return {
    reason: 'DuplicateClaim',
    message: `VM ${observation.uuid} is claimed by another VirtualMachineMemory of this cluster (uid ${claim.objectUid})`,
    retry: true,
  };
}

/** Finds and observes the virtual machine of `resource`. Changes nothing. */
export async function gather(resource: VirtualMachineMemory, context: GatherContext): Promise<Gathered> {
  const location = await locate(resource, context);
  if (location.kind === 'problem') return location;
  const { entry, observation } = location;
  const seen = { observation, hostName: entry.name };

  const pinned = resource.status?.virtualMachine?.uuid;
  if (pinned !== undefined && pinned !== observation.uuid) {
    return problem({
      reason: 'VMReplaced',
      message: `VM '${observation.name}' was ${pinned} and is now ${observation.uuid}; delete this resource and create it anew to adopt the new VM`,
      retry: false,
    });
  }
  context.claims.resolved(keyOf(resource), observation.uuid);
  const claim = judgeClaim(resource, observation, context);
  if ('reason' in claim) return problem(claim);

  if (observation.migrating) {
    return problem({ reason: 'VMMigrating', message: `VM ${observation.name} is migrating`, retry: true, ...seen });
  }
  if (observation.layout === null) {
    const message = `VM ${observation.name} is ${observation.state} on host ${entry.name}; start it, and its memory will be brought to the desired size`;
    return problem({ reason: 'VMNotRunning', message, retry: true, ...seen });
  }
  if (!entry.limits.ok) {
    return problem({
      reason: 'HostUnknown',
      message: `HypervisorHost ${entry.name}: ${entry.limits.problem}`,
      retry: false,
      ...seen,
    });
  }
  const facts = await entry.facts();
  return {
    kind: 'located',
    located: {
      hostName: entry.name,
      host: entry.line.as(context.urgency),
      limits: entry.limits.value,
      observation,
      layout: observation.layout,
      facts: facts.ok ? facts.value : null,
      replacesUid: claim.replacesUid,
    },
  };
}
