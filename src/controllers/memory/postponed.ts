/** Who has what it wants, and could not be looked at just now because its host or its VM had other things to do. */
import { findCondition } from '../../api/v1alpha1/conditions.ts';
import type { Reason } from '../../api/v1alpha1/reasons.ts';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { keyOf, type ResourceKey } from '../../runtime/resources.ts';

/** Reasons that say nothing about the resource: it was not its turn. */
const busyReasons: ReadonlySet<Reason> = new Set<Reason>(['HostBusy', 'VMBusy']);
/** What was last seen is taken to be true for so long. Then it isn't known any more, and that is said. */
const keepsForMs = 60_000;

export const isBusy = (reason: Reason): boolean => busyReasons.has(reason);

export class Postponed {
  /** Since when each could not be looked at, epoch ms. */
  readonly #since = new Map<ResourceKey, number>();

  /** Whether the status of `resource` stands although it could not be looked at now. */
  keeps(resource: VirtualMachineMemory, nowMs: number): boolean {
    const { status, metadata } = resource;
    const isReady = findCondition(status?.conditions, 'Ready')?.status === 'True';
    if (!isReady || status?.observedGeneration !== metadata.generation) return false;
    const key = keyOf(resource);
    const sinceMs = this.#since.get(key) ?? nowMs;
    this.#since.set(key, sinceMs);
    return nowMs - sinceMs < keepsForMs;
  }

  /** It was looked at, or is gone. */
  forget(key: ResourceKey): void {
    this.#since.delete(key);
  }
}
