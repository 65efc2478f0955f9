/** What is known of all resources of one kind, and who wants to hear of changes. */
import type { Logger } from '../runtime/logger.ts';
import {
  keyOf,
  type Resource,
  type ResourceChange,
  type ResourceKey,
  type ResourceSource,
} from '../runtime/resources.ts';
import { isOlder } from './resource-version.ts';

/**
 * Objects arrive on three ways that overtake one another: the watch, answers to our own writes, and single reads. The
 * newest resource version wins, so nothing ever goes back in time.
 */
export class ResourceCache<T extends Resource> implements ResourceSource<T> {
  readonly #logger: Logger;
  readonly #requestRefresh: (key: ResourceKey) => void;
  readonly #objects = new Map<ResourceKey, T>();
  /** Objects known to be gone as of a resource version that the watch hasn't reached yet. */
  readonly #graves = new Map<ResourceKey, string>();
  readonly #listeners = new Set<(change: ResourceChange<T>) => void>();
  #syncedListeners: (() => void)[] = [];
  #synced = false;

  constructor(logger: Logger, requestRefresh: (key: ResourceKey) => void) {
    this.#logger = logger;
    this.#requestRefresh = requestRefresh;
  }

  get synced(): boolean {
    return this.#synced;
  }

  get(key: ResourceKey): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  onChange(listener: (change: ResourceChange<T>) => void): () => void {
    // A wrapper of its own, so that the same function may listen twice.
    const own = (change: ResourceChange<T>): void => listener(change);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  onSynced(listener: () => void): void {
    if (this.#synced) this.#call(listener, undefined);
    else this.#syncedListeners.push(listener);
  }

  refresh(key: ResourceKey): void {
    this.#requestRefresh(key);
  }

  /**
   * Takes over a complete set as of `version`. `rewound`: the server's history went back (a restored backup), so what
   * is held proves nothing.
   */
  replace(objects: readonly T[], version: string, rewound: boolean): void {
    const present = new Set<ResourceKey>();
    if (rewound) this.#graves.clear();
    for (const object of objects) {
      present.add(keyOf(object));
      if (rewound) this.#set(object);
      else this.put(object);
    }
    for (const [key, held] of this.#objects) {
      const newerThanSet = !rewound && isOlder(version, held.metadata.resourceVersion) === true;
      if (!present.has(key) && !newerThanSet) this.#delete(key);
    }
    this.passed(version);
    if (this.#synced) return;
    this.#synced = true;
    const waiting = this.#syncedListeners;
    this.#syncedListeners = [];
    for (const listener of waiting) this.#call(listener, undefined);
  }

  /** Takes over `object` unless something newer is known of it. */
  put(object: T): void {
    const key = keyOf(object);
    const version = object.metadata.resourceVersion;
    const grave = this.#graves.get(key);
    if (grave !== undefined && isOlder(grave, version) === false) return;
    const held = this.#objects.get(key)?.metadata.resourceVersion;
    if (held === version || (held !== undefined && isOlder(version, held) === true)) return;
    this.#set(object);
  }

  /** The object is gone as of `version`. */
  remove(key: ResourceKey, version: string): void {
    const held = this.#objects.get(key);
    if (held !== undefined && isOlder(version, held.metadata.resourceVersion) === true) return;
    const grave = this.#graves.get(key);
    // A deletion of an earlier life of the same name.
    if (grave !== undefined && isOlder(version, grave) === true) return;
    this.#graves.set(key, version);
    this.#delete(key);
  }

  /** The watch has delivered everything up to `version`: what it says from now on is newer. */
  passed(version: string): void {
    for (const [key, grave] of this.#graves) {
      if (isOlder(version, grave) !== true) this.#graves.delete(key);
    }
  }

  #set(object: T): void {
    const key = keyOf(object);
    const previous = this.#objects.get(key);
    if (
      previous?.metadata.uid === object.metadata.uid &&
      previous.metadata.resourceVersion === object.metadata.resourceVersion
    )
      return;
    this.#objects.set(key, object);
    // Deleted and made anew between two looks: whoever listens must see both, since one name stood for two things.
    if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) {
      this.#objects.delete(key);
      this.#notify({ key, previous, current: undefined });
      this.#objects.set(key, object);
      this.#notify({ key, previous: undefined, current: object });
      return;
    }
    this.#notify({ key, previous, current: object });
  }

  #delete(key: ResourceKey): void {
    const previous = this.#objects.get(key);
    if (previous === undefined) return;
    this.#objects.delete(key);
    this.#notify({ key, previous, current: undefined });
  }

  #notify(change: ResourceChange<T>): void {
    for (const listener of [...this.#listeners]) this.#call(listener, change);
  }

  /** One listener's failure is not the others'. */
  #call<A>(listener: (argument: A) => void, argument: A): void {
    try {
      listener(argument);
    } catch (error) {
      this.#logger.error({ err: error }, 'a listener for resource changes failed');
    }
  }
}
