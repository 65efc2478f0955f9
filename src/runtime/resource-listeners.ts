/** Who wants to hear of the resources of one kind: the half of a {@link ResourceSource} that every source has alike. */
import type { Logger } from './logger.ts';
import type { Resource, ResourceChange } from './resources.ts';

/** One listener's failure is logged, and is not the others'. */
export class ResourceListeners<T extends Resource> {
  readonly #logger: Logger;
  readonly #ofChanges = new Set<(change: ResourceChange<T>) => void>();
  #ofSynced: (() => void)[] = [];
  #synced = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  get synced(): boolean {
    return this.#synced;
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

  tell(change: ResourceChange<T>): void {
    for (const listener of [...this.#ofChanges]) this.#call(listener, change);
  }

  /** The first complete set is there. Does nothing when it has been said before. */
  tellSynced(): void {
    if (this.#synced) return;
    this.#synced = true;
    const waiting = this.#ofSynced;
    this.#ofSynced = [];
    for (const listener of waiting) this.#call(listener, undefined);
  }

  #call<A>(listener: (argument: A) => void, argument: A): void {
    try {
      listener(argument);
    } catch (error) {
      this.#logger.error({ err: error }, 'a listener for resource changes failed');
    }
  }
}
