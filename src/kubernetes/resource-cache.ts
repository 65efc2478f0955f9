/** What is known of all resources of one kind, and who wants to hear of changes. */
import type { Logger } from '../runtime/logger.ts';
import { HeldResources } from '../runtime/held-resources.ts';
import { keyOf, type Resource, type ResourceKey, type ResourceSource } from '../runtime/resources.ts';
import { isOlder } from './resource-version.ts';
import { SharedStrings } from './shared-strings.ts';

/**
 * Objects arrive on three ways that overtake one another: the watch, answers to our own writes, and single reads. The
 * newest resource version wins, so nothing ever goes back in time.
 */
export class ResourceCache<T extends Resource> extends HeldResources<T> implements ResourceSource<T> {
  readonly #requestRefresh: (key: ResourceKey) => void;
  /** Objects known to be gone as of a resource version that the watch hasn't reached yet. */
  readonly #graves = new Map<ResourceKey, string>();
  readonly #strings = new SharedStrings();

  constructor(logger: Logger, requestRefresh: (key: ResourceKey) => void) {
    super(logger);
    this.#requestRefresh = requestRefresh;
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
    for (const held of this.list()) {
      const key = keyOf(held);
      const newerThanSet = !rewound && isOlder(version, held.metadata.resourceVersion) === true;
      if (!present.has(key) && !newerThanSet) this.hold(key, undefined);
    }
    this.passed(version);
    this.tellSynced();
  }

  /** Takes over `object` unless something newer is known of it. */
  put(object: T): void {
    const key = keyOf(object);
    const version = object.metadata.resourceVersion;
    const grave = this.#graves.get(key);
    if (grave !== undefined && isOlder(grave, version) === false) return;
    const held = this.get(key)?.metadata.resourceVersion;
    if (held === version || (held !== undefined && isOlder(version, held) === true)) return;
    this.#set(object);
  }

  /** The object is gone as of `version`. */
  remove(key: ResourceKey, version: string): void {
    const held = this.get(key);
    if (held !== undefined && isOlder(version, held.metadata.resourceVersion) === true) return;
    const grave = this.#graves.get(key);
    // A deletion of an earlier life of the same name.
    if (grave !== undefined && isOlder(version, grave) === true) return;
    this.#graves.set(key, version);
    this.hold(key, undefined);
  }

  /** The watch has delivered everything up to `version`: what it says from now on is newer. */
  passed(version: string): void {
    for (const [key, grave] of this.#graves) {
      if (isOlder(version, grave) !== true) this.#graves.delete(key);
    }
  }

  #set(object: T): void {
    const key = keyOf(object);
    const { uid, resourceVersion } = object.metadata;
    const previous = this.get(key)?.metadata;
    if (previous?.uid === uid && previous.resourceVersion === resourceVersion) return;
    this.#strings.share(object);
    this.hold(key, object);
  }
}
