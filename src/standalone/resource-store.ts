/** The resources of one kind as the reconcilers see them, each kept in the state directory before anybody sees it. */
import { isDeepStrictEqual } from 'node:util';
import { KeyedMutex } from '../runtime/keyed-mutex.ts';
import type { Logger } from '../runtime/logger.ts';
import { HeldResources } from '../runtime/held-resources.ts';
import {
  type FinalizerWriter,
  keyOf,
  type Resource,
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

export class ResourceStore<T extends Kept> extends HeldResources<T> implements ResourceSource<T>, StatusWriter<T> {
  readonly #state: StateDirectory;
  readonly #writes = new KeyedMutex();
  #version = 0;

  constructor(state: StateDirectory, logger: Logger) {
    super(logger);
    this.#state = state;
  }

  /** The first complete set is there. */
  setSynced(): void {
    this.tellSynced();
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
      const held = this.get(key);
      const isSameLife = held?.metadata.uid === resource.metadata.uid;
      const next = this.#withVersion({
        ...resource,
        ...(isSameLife && held.status !== undefined ? { status: held.status } : {}),
      });
      if (held !== undefined && isSame(held, next)) return;
      await this.#state.write(nameOf(next), next);
      this.hold(key, next);
    });
  }

  /** Shows what is kept already, as at the start. */
  restore(resource: T): void {
    this.hold(keyOf(resource), this.#withVersion(resource));
  }

  /** The manifest has gone; what is known of the resource is kept. @throws the system's error */
  remove(resource: T): Promise<void> {
    const key = keyOf(resource);
    return this.#writes.run(key, async () => {
      await this.#state.remove(nameOf(resource));
      this.hold(key, undefined);
    });
  }

  /** Adds annotations to what is held; nothing where nothing is. @throws the system's error where it can't be kept */
  annotate(key: ResourceKey, annotations: Readonly<Record<string, string>>): Promise<void> {
    return this.#writes.run(key, async () => {
      const held = this.get(key);
      if (held === undefined) return;
      const { metadata } = held;
      const more = { ...metadata, annotations: { ...metadata.annotations, ...annotations } };
      const next = this.#withVersion({ ...held, metadata: more });
      await this.#state.write(nameOf(next), next);
      this.hold(key, next);
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
      const held = this.get(key);
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
      this.hold(key, next);
      return { outcome: 'written', resourceVersion: next.metadata.resourceVersion };
    });
  }

  #withVersion(resource: T): T {
    this.#version += 1;
    return { ...resource, metadata: { ...resource.metadata, resourceVersion: String(this.#version) } };
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
