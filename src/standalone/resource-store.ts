/** The resources of one kind as the reconcilers see them, each kept in the state directory before anybody sees it. */
import { isDeepStrictEqual } from 'node:util';
import { KeyedMutex } from '../runtime/keyed-mutex.ts';
import type { Logger } from '../runtime/logger.ts';
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
  readonly #logger: Logger;
  readonly #objects = new Map<ResourceKey, T>();
  readonly #listeners = new Set<(change: ResourceChange<T>) => void>();
  readonly #writes = new KeyedMutex();
  #waiting: (() => void)[] = [];
  #synced = false;
  #version = 0;

  constructor(state: StateDirectory, logger: Logger) {
    this.#state = state;
    this.#logger = logger;
  }

  get synced(): boolean {
    return this.#synced;
  }

  /** The first complete set is there. */
  setSynced(): void {
    if (this.#synced) return;
    this.#synced = true;
    for (const listener of this.#waiting) listener();
    this.#waiting = [];
  }

  get(key: ResourceKey): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  onChange(listener: (change: ResourceChange<T>) => void): () => void {
    const own = (change: ResourceChange<T>): void => listener(change);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  onSynced(listener: () => void): void {
    if (this.#synced) listener();
    else this.#waiting.push(listener);
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
    for (const listener of [...this.#listeners]) {
      try {
        listener({ key, previous, current });
      } catch (error) {
        this.#logger.error({ err: error }, 'a listener for resource changes failed');
      }
    }
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
