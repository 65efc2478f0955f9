/**
 * How new the last look at the virtual machine of a resource was: an event that comes after it and that it shows already
 * is no reason for another look. Kept in memory only.
 */
import { isShownAsOf } from '../../host/event-order.ts';
import type { DomainObservation } from '../../host/port.ts';
import type { ResourceKey } from '../../runtime/resources.ts';

/** Events are told within moments: whose look is older than so many others' has heard of all that it shows. */
const maxLooks = 4_096;

/** See the file's comment. */
export class Shown {
  readonly #looks = new Map<ResourceKey, string>();

  /** The resource is being judged by this observation. */
  took(key: ResourceKey, { asOfEvent }: DomainObservation): void {
    this.#looks.delete(key);
    if (asOfEvent === undefined) return;
    this.#looks.set(key, asOfEvent);
    const [oldest] = this.#looks.keys();
    if (oldest !== undefined && this.#looks.size > maxLooks) this.#looks.delete(oldest);
  }

  /** Whether the resource was judged by an observation that shows what the event `id` tells of. */
  has(key: ResourceKey, id: string | undefined): boolean {
    return isShownAsOf(id, this.#looks.get(key));
  }

  forget(key: ResourceKey): void {
    this.#looks.delete(key);
  }
}
