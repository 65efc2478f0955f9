/** The resources of one kind as they are held here, and who wants to hear of changes: what every {@link ResourceSource} has alike. */
import type { Logger } from './logger.ts';
import type { Resource, ResourceChange, ResourceKey } from './resources.ts';

/** One listener's failure is logged, and is not the others'. */
export class HeldResources<T extends Resource> {
  readonly #logger: Logger;
  readonly #objects = new Map<ResourceKey, T>();
  readonly #ofChanges = new Set<(change: ResourceChange<T>) => void>();
  #ofSynced: (() => void)[] = [];
  #synced = false;

  constructor(logger: Logger) {
    this.#logger = logger;
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

  /** Calls `listener` for every change until the returned function is called; given twice, it is called twice. */
  onChange(listener: (change: ResourceChange<T>) => void): () => void {
    const own = (change: ResourceChange<T>): void => listener(change);
    this.#ofChanges.add(own);
    return () => this.#ofChanges.delete(own);
  }

  /** Calls `listener` once, at the first {@link tellSynced}; at once when that has been. */
  onSynced(listener: () => void): void {
    if (this.#synced) this.#call(listener, undefined);
    else this.#ofSynced.push(listener);
  }

  /** The first complete set is there. Does nothing when it has been said before. */
  protected tellSynced(): void {
    if (this.#synced) return;
    this.#synced = true;
    const waiting = this.#ofSynced;
    this.#ofSynced = [];
    for (const listener of waiting) this.#call(listener, undefined);
  }

  /**
   * Holds `current` from now on, undefined: nothing, and tells whoever listens. Deleted and made anew between two looks:
   * they see both, since one name stood for two things.
   */
  protected hold(key: ResourceKey, current: T | undefined): void {
    const previous = this.#objects.get(key);
    if (previous !== undefined && current !== undefined && previous.metadata.uid !== current.metadata.uid) {
      this.hold(key, undefined);
      this.hold(key, current);
      return;
    }
    if (previous === undefined && current === undefined) return;
    if (current === undefined) this.#objects.delete(key);
    else this.#objects.set(key, current);
    for (const listener of [...this.#ofChanges]) this.#call(listener, { key, previous, current });
  }

  #call<A>(listener: (argument: A) => void, argument: A): void {
    try {
      listener(argument);
    } catch (error) {
      this.#logger.error({ err: error }, 'a listener for resource changes failed');
    }
  }
}
