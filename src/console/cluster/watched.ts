/** The kinds that the console watches, as the API has them beside what we read of them. */
import type { Result } from '../../memory/result.ts';
import { isObject } from '../../memory/shape.ts';
import { hypervisorHosts, type ResourceKind, virtualMachineMemories } from '../../kubernetes/resource-kind.ts';
import type { Seen } from '../../operator/backend.ts';
import type { Resource } from '../../runtime/resources.ts';

/** A resource, and the object that it was read from. */
export type Watched<T extends Resource> = Pick<T, 'metadata'> & { readonly seen: Seen<T> };

const watched = <T extends Resource>(kind: ResourceKind<T>): ResourceKind<Watched<T>> => ({
  ...kind,
  decode(raw): Result<Watched<T>, string> {
    const read = kind.decode(raw);
    if (!read.ok) return read;
    const object = isObject(raw) ? raw : {};
    return { ok: true, value: { metadata: read.value.metadata, seen: { resource: read.value, object } } };
  },
});

export const watchedMemories = watched(virtualMachineMemories);
export const watchedHosts = watched(hypervisorHosts);
