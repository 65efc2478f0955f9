/**
 * What enqueues what, and how urgently. A watch event that changes generation, deletion or annotations, a host's event, or a host's own
 * change enqueue keys; our own status writes enqueue nothing.
 */
import { isDeepStrictEqual } from 'node:util';
import { findCondition } from '../api/v1alpha1/conditions.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import {
  keyOf,
  type LabelledResource,
  type ResourceChange,
  type ResourceKey,
  type ResourceSource,
} from '../runtime/resources.ts';
import type { Urgency } from '../runtime/urgency.ts';
import { type ClaimIndex, uuidOf } from './claim-index.ts';

/** Whether a change is more than a status write. */
export function isWorthReconciling({ previous, current }: ResourceChange<VirtualMachineMemory>): boolean {
  if (previous === undefined || current === undefined) return true;
  const before = previous.metadata;
  const now = current.metadata;
  return (
    before.uid !== now.uid ||
    before.generation !== now.generation ||
    before.deletionTimestamp !== now.deletionTimestamp ||
    JSON.stringify(before.annotations ?? {}) !== JSON.stringify(now.annotations ?? {})
  );
}

/**
 * The keys that a change of a host concerns: the resources that name it, that were last seen there, or that have no
 * place yet.
 */
export function keysOfHost(resources: readonly VirtualMachineMemory[], host: string): readonly ResourceKey[] {
  return resources
    .filter(({ spec, status }) => {
      if (spec.hostRef !== undefined) return spec.hostRef.name === host;
      return status?.hostName === undefined || status.hostName === host;
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

/** Enqueues on changes of resources: the resource itself, and those about the same VM when an owner goes. */
export function watchResources(
  source: ResourceSource<VirtualMachineMemory>,
  claims: ClaimIndex,
  enqueue: Enqueue,
): () => void {
  return source.onChange((change) => {
    if (!isWorthReconciling(change)) return;
    enqueue(change.key, 'user');
    const gone = change.current === undefined ? change.previous : undefined;
    const uuid = gone === undefined ? undefined : uuidOf(gone);
    if (uuid !== undefined) for (const key of claims.keysOf(uuid)) enqueue(key, 'event');
  });
}

/** Enqueues the resources of a namespace whose labels changed: other hosts may be open to it now. */
export function watchNamespaces(
  namespaces: ResourceSource<LabelledResource>,
  resources: ResourceSource<VirtualMachineMemory>,
  enqueue: Enqueue,
): () => void {
  return namespaces.onChange(({ key, previous, current }) => {
    if (isDeepStrictEqual(previous?.metadata.labels, current?.metadata.labels)) return;
    for (const resource of resources.list()) {
      if (resource.metadata.namespace === key) enqueue(keyOf(resource), 'event');
    }
  });
}
