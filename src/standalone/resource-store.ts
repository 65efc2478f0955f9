/** The resources of one kind as the reconcilers see them, each kept in the state directory before anybody sees it. */
import { isDeepStrictEqual } from 'node:util';
import { KeyedMutex } from '../runtime/keyed-mutex.ts';
import type { Logger } from '../runtime/logger.ts';
import { ResourceListeners } from '../runtime/resource-listeners.ts';
import {
  type FinalizerWriter,
  keyOf,
  type Resource,
  type ResourceChange,
  type ResourceKey,
  type ResourceSource,
  type StatusWriter,
  type WriteResult,
} from '../runtime/resources.ts';
import type { ResourceName, StateDirectory } from './state-directory.ts';

type Kept = Resource & {
  readonly kind: ResourceName['kind'];
  readonly spec: object;
  readonly status?: object;
  readonly metadata: { readonly labels?: object; readonly annotations?: object };
};

const nameOf = ({ kind, metadata }: Kept): ResourceName => ({
  kind,
  name: metadata.name,
  namespace: metadata.namespace ?? '',
});

export class ResourceStore<T extends Kept> implements ResourceSource<T>, StatusWriter<T> {
  readonly #state: StateDirectory;
  readonly #objects = new Map<ResourceKey, T>();
  readonly #listeners: ResourceListeners<T>;
  readonly #writes = new KeyedMutex();
  #version = 0;

  constructor(state: StateDirectory, logger: Logger) {
    this.#state = state;
    this.#listeners = new ResourceListeners(logger);
  }

  get synced(): boolean {
    return this.#listeners.synced;
  }

  /** The first complete set is there. */
  setSynced(): void {
    this.#listeners.tellSynced();
  }

  get(key: ResourceKey): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  onChange(listener: (change: ResourceChange<T>) => void): () => void {
    return this.#listeners.onChange(listener);
  }

  onSynced(listener: () => void): void {
    this.#listeners.onSynced(listener);
  }

  /** What is held here is the newest there is. */
  refresh(): void {
    return;
  }

  /**
   * Takes a resource as its manifest has it, under the uid and generation that it says; the status is the one that is
   * held. Nobody sees it before it is kept. @throws the system's error where it can't be kept
   */
  put(resource: T): Promise<void> {
    const key = keyOf(resource);
    return this.#writes.run(key, async () => {
      const held = this.#objects.get(key);
      const isSameLife = held?.metadata.uid === resource.metadata.uid;
      const next = this.#withVersion({
        ...resource,
        ...(isSameLife && held.status !== undefined ? { status: held.status } : {}),
      });
      if (held !== undefined && isSame(held, next)) return;
      await this.#state.write(nameOf(next), next);
      if (held !== undefined && !isSameLife) this.#set(key, undefined);
      this.#set(key, next);
    });
  }

  /** Shows what is kept already, as at the start. */
  restore(resource: T): void {
    this.#set(keyOf(resource), this.#withVersion(resource));
  }

  /** The manifest has gone; what is known of the resource is kept. @throws the system's error */
  remove(resource: T): Promise<void> {
    const key = keyOf(resource);
    return this.#writes.run(key, async () => {
      await this.#state.remove(nameOf(resource));
      this.#set(key, undefined);
    });
  }

  /** Adds annotations to what is held; nothing where nothing is. @throws the system's error where it can't be kept */
  annotate(key: ResourceKey, annotations: Readonly<Record<string, string>>): Promise<void> {
    return this.#writes.run(key, async () => {
      const held = this.#objects.get(key);
      if (held === undefined) return;
      const { metadata } = held;
      const more = { ...metadata, annotations: { ...metadata.annotations, ...annotations } };
      const next = this.#withVersion({ ...held, metadata: more });
      await this.#state.write(nameOf(next), next);
      this.#set(key, next);
    });
  }

  write(resource: T, status: object): Promise<WriteResult<T>> {
    return this.#replace(resource, 'status', (held) => ({ ...held, status }));
  }

  /** Keeps finalizers as they are said; a file that disappears waits for none of them. */
  readonly finalizers: FinalizerWriter<T> = {
    write: (resource, finalizers) =>
      this.#replace(resource, 'finalizers', (held) => ({ ...held, metadata: { ...held.metadata, finalizers } })),
  };

  #replace(resource: T, what: string, change: (held: T) => T): Promise<WriteResult<T>> {
    const key = keyOf(resource);
    return this.#writes.run(key, async (): Promise<WriteResult<T>> => {
      const held = this.#objects.get(key);
      if (held?.metadata.uid !== resource.metadata.uid) return { outcome: 'gone' };
      if (held.metadata.resourceVersion !== resource.metadata.resourceVersion) {
        return { outcome: 'conflict', current: held };
      }
      const next = this.#withVersion(change(held));
      try {
        await this.#state.write(nameOf(next), next);
      } catch (error) {
        return { outcome: 'failed', retryable: true, message: `${what} can't be kept: ${String(error)}` };
      }
      this.#set(key, next);
      return { outcome: 'written', resourceVersion: next.metadata.resourceVersion };
    });
  }

  #withVersion(resource: T): T {
    this.#version += 1;
    return { ...resource, metadata: { ...resource.metadata, resourceVersion: String(this.#version) } };
  }

  #set(key: ResourceKey, current: T | undefined): void {
    const previous = this.#objects.get(key);
    if (current === undefined) this.#objects.delete(key);
    else this.#objects.set(key, current);
    if (previous === undefined && current === undefined) return;
    this.#listeners.tell({ key, previous, current });
  }
}

/** Whether nothing but the version differs. */
function isSame(held: Kept, next: Kept): boolean {
  const without = ({ metadata: { resourceVersion: _, ...metadata }, ...rest }: Kept): unknown => ({
    ...rest,
    metadata,
  });
  return isDeepStrictEqual(without(held), without(next));
}
