/** What is known of all resources of one kind, and who wants to hear of changes. */
import type { Logger } from '../runtime/logger.ts';
import { ResourceListeners } from '../runtime/resource-listeners.ts';
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
  readonly #requestRefresh: (key: ResourceKey) => void;
  readonly #objects = new Map<ResourceKey, T>();
  /** Objects known to be gone as of a resource version that the watch hasn't reached yet. */
  readonly #graves = new Map<ResourceKey, string>();
  readonly #listeners: ResourceListeners<T>;

  constructor(logger: Logger, requestRefresh: (key: ResourceKey) => void) {
    this.#listeners = new ResourceListeners(logger);
    this.#requestRefresh = requestRefresh;
  }

  get synced(): boolean {
    return this.#listeners.synced;
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
    this.#listeners.tellSynced();
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
      this.#listeners.tell({ key, previous, current: undefined });
      this.#objects.set(key, object);
      this.#listeners.tell({ key, previous: undefined, current: object });
      return;
    }
    this.#listeners.tell({ key, previous, current: object });
  }

  #delete(key: ResourceKey): void {
    const previous = this.#objects.get(key);
    if (previous === undefined) return;
    this.#objects.delete(key);
    this.#listeners.tell({ key, previous, current: undefined });
  }
}
