/**
 * Stored definitions that could not be written. Tried again after a growing delay, whatever is heard of the VM meanwhile: a
 * full disk isn't written to at every event. Kept in memory only; a restarted controller tries once more.
 */
import type { HostError } from '../../host/errors.ts';
import { computeDelayMs } from '../../runtime/backoff.ts';
import type { ResourceKey } from '../../runtime/resources.ts';
import type { Judgement, NotStored } from './types.ts';

const delays = { initialMs: 10_000, maxMs: 600_000 };

type Entry = NotStored & { readonly fingerprint: string };

/** See the file's comment. Times are epoch milliseconds of the controller's clock. */
export class FailedStores {
  readonly #failed = new Map<ResourceKey, Entry>();

  /** What became of the same write earlier on; null: it wasn't tried, or succeeded. */
  find(key: ResourceKey, judgement: Judgement): NotStored | null {
    const known = this.#failed.get(key);
    return known?.fingerprint === fingerprintOf(judgement) ? known : null;
  }

  remember(key: ResourceKey, judgement: Judgement, error: HostError, nowMs: number): NotStored {
    const before = this.find(key, judgement)?.times ?? 0;
    const entry: Entry = {
      fingerprint: fingerprintOf(judgement),
      error,
      times: before + 1,
      againAtMs: nowMs + computeDelayMs(before, delays),
    };
    this.#failed.set(key, entry);
    return entry;
  }

  forget(key: ResourceKey): void {
    this.#failed.delete(key);
  }
}

/** What is to be written, and the agent that is to do it. */
const fingerprintOf = ({ located: { observation, facts } }: Judgement): string =>
  JSON.stringify([observation.uuid, observation.revision, facts?.agentVersion ?? null]);
