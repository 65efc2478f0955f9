/** Gather first, judge second: whether the resource may have the VM that was found, and what there is to plan with. */
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import type { DomainObservation, HostFacts } from '../../../host/port.ts';
import { keyOf, type ResourceSource } from '../../../runtime/resources.ts';
import type { ClaimIndex } from '../../shared/claim-index.ts';
import { isOpenTo, judgeHostUse } from '../../shared/entitlement.ts';
import type { HostEntry } from '../../shared/host-entry.ts';
import type { Location, LocateContext } from './locate.ts';
import { describeMachine, notFoundProblem } from './whereabouts.ts';
import { judgeOwnership, type Owned } from './ownership.ts';
import { type Observed, type Problem, stopped, type Stopped } from '../types.ts';
import { fail, type Result } from '../../../memory/result.ts';

export type GatherContext = LocateContext & {
  readonly resources: ResourceSource<VirtualMachineMemory>;
  readonly claims: ClaimIndex;
  readonly clusterId: string;
};

export type Found = Extract<Location, { kind: 'found' }>;
/** The resource may have what was found. */
export type Claimed = Owned & {
  readonly kind: 'claimed';
  /** null: the host didn't say. */
  readonly facts: HostFacts | null;
};

/** Whether `resource` may act on the machine that was found, by what is known at this moment. */
export function judgeRight(
  resource: VirtualMachineMemory,
  entry: HostEntry,
  observation: DomainObservation,
  context: GatherContext,
): Result<Owned, Problem> {
  const { namespace } = resource.metadata;
  const placed = { hostName: entry.name, host: entry.resource.spec, observation };
  const labels = context.namespaceLabels(namespace);
  // Before everything else: who may not have the machine learns nothing of it.
  const mayUse = judgeHostUse(placed.host.allowedNamespaces, labels) === 'entitled';
  if (!mayUse || !isOpenTo(namespace, placed))
    return fail(notFoundProblem(describeMachine(resource.spec.virtualMachine)));

  const pinned = resource.status?.virtualMachine?.uuid;
  if (pinned !== undefined && pinned !== observation.uuid) {
    return fail({
      reason: 'VMReplaced',
      message: `VM '${observation.name}' was ${pinned} and is now ${observation.uuid}; delete this resource and create it anew to adopt the new VM`,
      retry: false,
    });
  }
  return judgeOwnership({
    resource,
    placed,
    claim: observation.claim,
    clusterId: context.clusterId,
    others: context.claims.candidates(entry.name, observation.uuid, observation.name),
    complete: context.resources.synced,
    labelsOf: context.namespaceLabels,
  });
}

/** Judges whether `resource` may have the machine that was found for it. Changes nothing. */
export async function claim(
  resource: VirtualMachineMemory,
  { entry, observation }: Found,
  context: GatherContext,
): Promise<Claimed | Stopped> {
  // Also where it turns out that it may not have it: it hears when that changes.
  context.claims.resolved(keyOf(resource), observation.uuid);
  // Before the right is judged, so that no time passes between that and the first change.
  const facts = await entry.facts(context.signal);
  const right = judgeRight(resource, entry, observation, context);
  if (!right.ok) return stopped(right.error);
  return { kind: 'claimed', ...right.value, facts: facts.ok ? facts.value : null };
}

/** Who goes gives back only what it holds: nothing is done for a resource whose claim isn't the one that stands. */
export function requireClaim(
  { metadata }: VirtualMachineMemory,
  { entry, observation }: Found,
  { clusterId }: Pick<GatherContext, 'clusterId'>,
): Stopped | null {
  const { claim } = observation;
  if (claim?.objectUid === metadata.uid && claim.clusterId === clusterId) return null;
  const message =
    claim === null
      ? `no claim on VM ${observation.name} says that this resource has changed its memory since it was started`
      : `the claim on VM ${observation.name} is another's`;
  return stopped({ reason: 'ClaimedByOther', message, retry: false, observation, hostName: entry.name });
}

/** What there is to plan with. Pure. */
export function observe(
  { metadata: { namespace } }: VirtualMachineMemory,
  { entry, observation }: Found,
  claimed: Claimed,
  context: GatherContext,
): Observed {
  const seen = { observation, hostName: entry.name };
  if (observation.migrating) {
    return stopped({ reason: 'VMMigrating', message: `VM ${observation.name} is migrating`, retry: true, ...seen });
  }
  if (observation.layout === null) {
    const message = `VM ${observation.name} is ${observation.state} on host ${entry.name}; start it, and its memory will be brought to the desired size`;
    return stopped({ reason: 'VMNotRunning', message, retry: true, ...seen });
  }
  if (!entry.limits.ok) {
    return stopped({
      reason: 'HostUnknown',
      message: `HypervisorHost ${entry.name}: ${entry.limits.error}`,
      retry: false,
      ...seen,
    });
  }
  return {
    kind: 'observed',
    located: {
      hostName: entry.name,
      host: entry.line.as(context.urgency, context.signal),
      limits: entry.limits.value,
      tenant: { clusterId: context.clusterId, namespace },
      observation,
      layout: observation.layout,
      facts: claimed.facts,
      replacesUid: claimed.replacesUid,
    },
  };
}
