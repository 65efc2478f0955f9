/** A store of resources in memory that keeps the API server's promises: resourceVersion, generation, conflict, gone. */
import { isDeepStrictEqual } from 'node:util';
import {
  keyOf,
  type LabelledResource,
  type RecordedEvent,
  type Resource,
  type ResourceChange,
  type ResourceKey,
  type ResourceSource,
  type StatusWriter,
  type WriteResult,
} from '../../src/runtime/resources.ts';

type Stored = Resource & {
  readonly metadata: {
    readonly deletionTimestamp?: string | undefined;
    readonly finalizers?: readonly string[] | undefined;
  };
  readonly spec?: unknown;
  readonly status?: object;
};

/** See the file's comment. */
export class MemoryStore<T extends Stored> implements ResourceSource<T>, StatusWriter<T> {
  synced = true;
  /** Every write of a status, in order. */
  readonly writes: object[] = [];
  /** The next writes fail with these. */
  readonly failures: WriteResult<T>[] = [];
  /** The next writes of finalizers fail with these. */
  readonly finalizerFailures: WriteResult<T>[] = [];
  /** Why a status can't be taken, as a schema would judge it; null: it can. */
  judges: (status: object) => string | null = () => null;
  /** Each happens right before one of the next writes, as a write by somebody else would. */
  readonly interruptions: (() => void)[] = [];
  readonly #objects = new Map<ResourceKey, T>();
  readonly #listeners = new Set<(change: ResourceChange<T>) => void>();
  #version = 0;

  get(key: ResourceKey): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  onChange(listener: (change: ResourceChange<T>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onSynced(listener: () => void): void {
    listener();
  }

  refresh(_key: ResourceKey): void {
    // What is held here is never stale.
  }

  /** The last finalizer of one that is being deleted takes it along. */
  writeFinalizers(resource: T, finalizers: readonly string[]): Promise<WriteResult<T>> {
    const failure = this.finalizerFailures.shift();
    if (failure !== undefined) return Promise.resolve(failure);
    const key = keyOf(resource);
    const stored = this.#objects.get(key);
    if (stored?.metadata.uid !== resource.metadata.uid) return Promise.resolve({ outcome: 'gone' });
    if (stored.metadata.resourceVersion !== resource.metadata.resourceVersion) {
      return Promise.resolve({ outcome: 'conflict', current: stored });
    }
    const resourceVersion = this.#nextVersion();
    this.#put(key, { ...stored, metadata: { ...stored.metadata, finalizers, resourceVersion } });
    if (stored.metadata.deletionTimestamp !== undefined && finalizers.length === 0) this.remove(key);
    return Promise.resolve({ outcome: 'written', resourceVersion });
  }

  /** Creates or replaces, as `kubectl apply` does: generation rises when the spec differs, status stays. */
  apply(resource: T): void {
    const key = keyOf(resource);
    const previous = this.#objects.get(key);
    const isSame = previous !== undefined && isDeepStrictEqual(previous.spec, resource.spec);
    const generation = previous === undefined ? 1 : previous.metadata.generation + (isSame ? 0 : 1);
    const status = previous?.status ?? resource.status;
    const metadata = { ...resource.metadata, generation, resourceVersion: this.#nextVersion() };
    this.#put(key, { ...resource, metadata, ...(status === undefined ? {} : { status }) });
  }

  remove(key: ResourceKey, atMs = Date.UTC(2026, 0, 1)): void {
    const previous = this.#objects.get(key);
    if (previous !== undefined && (previous.metadata.finalizers ?? []).length > 0) {
      const deletionTimestamp = previous.metadata.deletionTimestamp ?? `${new Date(atMs).toISOString().slice(0, 19)}Z`;
      const generation = previous.metadata.generation + 1;
      const metadata = { ...previous.metadata, deletionTimestamp, generation, resourceVersion: this.#nextVersion() };
      this.#put(key, { ...previous, metadata });
      return;
    }
    if (!this.#objects.delete(key)) return;
    for (const listener of this.#listeners) listener({ key, previous, current: undefined });
  }

  write(resource: T, status: object): Promise<WriteResult<T>> {
    this.interruptions.shift()?.();
    const failure = this.failures.shift();
    if (failure !== undefined) return Promise.resolve(failure);
    const key = keyOf(resource);
    const stored = this.#objects.get(key);
    if (stored?.metadata.uid !== resource.metadata.uid) {
      return Promise.resolve({ outcome: 'gone' });
    }
    if (stored.metadata.resourceVersion !== resource.metadata.resourceVersion) {
      return Promise.resolve({ outcome: 'conflict', current: stored });
    }
    const refusal = this.judges(status);
    if (refusal !== null) {
      return Promise.resolve({ outcome: 'failed', message: `422: ${refusal}`, retryable: false, refused: true });
    }
    const resourceVersion = this.#nextVersion();
    this.writes.push(status);
    this.#put(key, { ...stored, status, metadata: { ...stored.metadata, resourceVersion } });
    return Promise.resolve({ outcome: 'written', resourceVersion });
  }

  /** Changes a status as somebody else would: whatever its version. */
  patchStatus(key: ResourceKey, change: (status: NonNullable<T['status']>) => T['status']): void {
    const stored = this.#objects.get(key);
    if (stored === undefined) throw new Error(`${key} is not there`);
    const status = change(stored.status ?? {});
    this.#put(key, { ...stored, status, metadata: { ...stored.metadata, resourceVersion: this.#nextVersion() } });
  }

  #put(key: ResourceKey, current: T): void {
    const previous = this.#objects.get(key);
    this.#objects.set(key, current);
    for (const listener of this.#listeners) listener({ key, previous, current });
  }

  #nextVersion(): string {
    this.#version += 1;
    return String(this.#version);
  }
}

/** Keeps the events that are recorded. */
export class MemoryEvents {
  readonly events: (RecordedEvent & { readonly key: ResourceKey })[] = [];

  record(resource: Resource, event: RecordedEvent): void {
    this.events.push({ key: keyOf(resource), ...event });
  }
}

/** Stores as a controller takes them. */
export const hubOf = <M extends Stored, H extends Stored>(
  resources: MemoryStore<M>,
  hosts: MemoryStore<H>,
  namespaces: ResourceSource<LabelledResource>,
  events: MemoryEvents,
) => ({
  ...{ virtualMachineMemories: resources, virtualMachineMemoryStatus: resources },
  virtualMachineMemoryFinalizers: {
    write: (resource: M, finalizers: readonly string[]) => resources.writeFinalizers(resource, finalizers),
  },
  ...{ hosts, hostStatus: hosts, namespaces, events },
});
