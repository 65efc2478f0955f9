/** When a resource may be looked at again because somebody asked for it: however often that is, it costs its host little. */
import type { Clock } from '../../runtime/clock.ts';
import type { ResourceKey } from '../../runtime/resources.ts';

/** At most one look so often for each resource. */
const everyMs = 5_000;

/** See the file's comment. */
export class ObserveRequests {
  readonly #clock: Pick<Clock, 'now'>;
  /** When each was last looked at for a request, epoch ms. */
  readonly #lookedAtMs = new Map<ResourceKey, number>();

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** In how many ms the next request may be heeded; 0: now. */
  dueInMs(key: ResourceKey): number {
    const lookedAtMs = this.#lookedAtMs.get(key);
    return lookedAtMs === undefined ? 0 : Math.max(0, lookedAtMs + everyMs - this.#clock.now());
  }

  /** One is heeded now. */
  heeded(key: ResourceKey): void {
    this.#lookedAtMs.set(key, this.#clock.now());
  }

  /** The resource is gone. */
  forget(key: ResourceKey): void {
    this.#lookedAtMs.delete(key);
  }
}
