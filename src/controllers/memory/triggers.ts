/**
 * What enqueues what, and how urgently. A watch event that changes generation, deletion or annotations, a host's event, or
 * a host's own change enqueue keys; our own status writes enqueue nothing, and those of others only where they took our
 * Ready away.
 */
import { isDeepStrictEqual } from 'node:util';
import { findCondition } from '../../api/v1alpha1/conditions.ts';
import { observeRequestedAtAnnotation } from '../../api/v1alpha1/meta.ts';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import {
  keyOf,
  type LabelledResource,
  type ResourceChange,
  type ResourceKey,
  type ResourceSource,
} from '../../runtime/resources.ts';
import type { Urgency } from '../../runtime/urgency.ts';
import type { ClaimIndex } from '../shared/claim-index.ts';
import type { Reason } from '../../api/v1alpha1/reasons.ts';

/** Whether a change is more than a status write. */
export function isWorthReconciling({ previous, current }: ResourceChange<VirtualMachineMemory>): boolean {
  if (previous === undefined || current === undefined) return true;
  const before = previous.metadata;
  const now = current.metadata;
  return (
    before.uid !== now.uid ||
    before.generation !== now.generation ||
    before.deletionTimestamp !== now.deletionTimestamp ||
    !isDeepStrictEqual(otherAnnotations(before), otherAnnotations(now)) ||
    (hasReady(previous) && !hasReady(current))
  );
}

const observeRequestOf = (resource: VirtualMachineMemory | undefined): string | undefined =>
  resource?.metadata.annotations?.[observeRequestedAtAnnotation];

/** All but the one that only asks for a look. */
const otherAnnotations = ({ annotations }: VirtualMachineMemory['metadata']): Readonly<Record<string, string>> => {
  const { [observeRequestedAtAnnotation]: _, ...others } = annotations ?? {};
  return others;
};

/** Tells of resources that somebody asks to have looked at. */
export const watchObserveRequests = (
  source: ResourceSource<VirtualMachineMemory>,
  look: (key: ResourceKey) => void,
): (() => void) =>
  source.onChange(({ key, previous, current }) => {
    const request = observeRequestOf(current);
    if (request !== undefined && request !== observeRequestOf(previous)) look(key);
  });

/** False after a merge patch of somebody else, which replaces the list; never after a write of ours. */
const hasReady = ({ status }: VirtualMachineMemory): boolean =>
  findCondition(status?.conditions, 'Ready') !== undefined;

/** Reasons of resources that a host may have a place for which they weren't last seen at. */
const homeless: ReadonlySet<string | undefined> = new Set<Reason>([
  ...(['VMNotFoundOrNotAllowed', 'DuplicateClaim', 'AmbiguousVM', 'ShardConflict', 'NoShard'] as const),
]);

const reasonOf = (resource: VirtualMachineMemory | undefined): string | undefined =>
  findCondition(resource?.status?.conditions, 'Ready')?.reason;

/**
 * The keys that an event of a virtual machine concerns. What happens to its memory is nothing to those that may not have
 * it: however many they are, they cost a host nothing while others work.
 */
export function keysOfDomain(
  resources: ResourceSource<VirtualMachineMemory>,
  claims: ClaimIndex,
  uuid: string,
  what: 'lifecycle' | 'memory',
): readonly ResourceKey[] {
  const keys = claims.keysOf(uuid);
  if (what === 'lifecycle') return keys;
  return keys.filter((key) => !homeless.has(reasonOf(resources.get(key))));
}

/**
 * The keys that a change of a host concerns: the resources that name it, that were last seen there, or that have no
 * place yet or any more.
 */
export function keysOfHost(resources: readonly VirtualMachineMemory[], host: string): readonly ResourceKey[] {
  return resources
    .filter((resource) => {
      const { spec, status } = resource;
      if (spec.hostRef !== undefined) return spec.hostRef.name === host;
      if (status?.hostName === undefined || status.hostName === host) return true;
      return homeless.has(reasonOf(resource));
    })
    .map(keyOf);
}

/** Where a resource waits for a worker: with those of the host that it names, or was last seen on. */
export const laneOf = (resource: VirtualMachineMemory | undefined): string =>
  resource?.spec.hostRef?.name ?? resource?.status?.hostName ?? '';

/** How urgent a resource is to a controller that has just started: what it was told before is still wanted. */
export function urgencyAtStart({ metadata, status }: VirtualMachineMemory): Urgency {
  if (status?.observedGeneration !== metadata.generation) return 'user';
  return findCondition(status.conditions, 'Ready')?.status === 'True' ? 'resync' : 'event';
}

type Enqueue = (key: ResourceKey, urgency: Urgency) => void;

/** Whether a change may have given a virtual machine to another resource: one came, went, or speaks of another. */
const mayChangeHands = ({ previous, current }: ResourceChange<VirtualMachineMemory>): boolean =>
  previous?.metadata.uid !== current?.metadata.uid ||
  !isDeepStrictEqual(previous?.spec.virtualMachine, current?.spec.virtualMachine) ||
  previous?.spec.hostRef?.name !== current?.spec.hostRef?.name;

/** Enqueues on changes of resources: the resource itself, and those about the same VM when that may change hands. */
export function watchResources(
  source: ResourceSource<VirtualMachineMemory>,
  claims: ClaimIndex,
  enqueue: Enqueue,
): () => void {
  return source.onChange((change) => {
    if (!isWorthReconciling(change)) return;
    enqueue(change.key, 'user');
    if (!mayChangeHands(change)) return;
    for (const resource of [change.previous, change.current]) {
      if (resource === undefined) continue;
      for (const key of claims.keysBeside(resource)) enqueue(key, 'event');
    }
  });
}

/**
 * Enqueues the resources of a namespace that came, went, or changed its labels: other hosts may be open to it now.
 * Those about the same VMs, too: what it may no longer have is theirs.
 */
export function watchNamespaces(
  namespaces: ResourceSource<LabelledResource>,
  resources: ResourceSource<VirtualMachineMemory>,
  claims: ClaimIndex,
  enqueue: Enqueue,
): () => void {
  return namespaces.onChange(({ key: namespace, previous, current }) => {
    const isThere = previous !== undefined && current !== undefined;
    if (isThere && isDeepStrictEqual(previous.metadata.labels, current.metadata.labels)) return;
    for (const resource of resources.list()) {
      if (resource.metadata.namespace !== namespace) continue;
      enqueue(keyOf(resource), 'event');
      for (const key of claims.keysBeside(resource)) enqueue(key, 'event');
    }
  });
}
