/**
 * The shards that there are, by their Leases: those with a label, in the namespace of this process' own. Who leads says
 * there what its selector is, and reads the others' only after that: of two that match one host at least one knows
 * (docs/adr/0041-shards.md).
 */
import { isDeepStrictEqual } from 'node:util';
import { type Shard, shardLabel, type ShardSource } from '../api/v1alpha1/shards.ts';
import { parseLabelSelector } from '../api/v1alpha1/selector-text.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { orAborted } from '../runtime/or-aborted.ts';
import { keyOf, type ResourceKey } from '../runtime/resources.ts';
import type { ApiClient } from './api-client.ts';
import { type Lease, leases } from './lease.ts';
import { Reflector } from './reflector.ts';

export type ShardLeasesOptions = {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 (included) to 1 (excluded). */
  readonly random: () => number;
  readonly namespace: string;
  /** Of this process' own Lease. */
  readonly name: string;
};

/** See the file's comment. */
export class ShardLeases implements ShardSource {
  readonly own: string;
  readonly #options: ShardLeasesOptions;
  readonly #reflector: Reflector<Lease>;
  readonly #listeners = new Set<() => void>();
  /** Since when each says what it says, by the monotonic clock: no two clocks are compared, as in an election. */
  readonly #since = new Map<ResourceKey, number>();
  /** By text: a Lease is renewed every few seconds, and says the same. */
  readonly #parsed = new Map<string, Shard['selector']>();
  #shards: readonly Shard[] = [];
  #changedMs: number;
  #timer: Timer | null = null;
  #isClosed = false;

  constructor(options: ShardLeasesOptions) {
    this.#options = options;
    this.own = options.name;
    this.#changedMs = options.clock.monotonic();
    const only = { namespace: options.namespace, label: shardLabel };
    this.#reflector = new Reflector({ ...options, kind: leases, only });
  }

  /** Begins to read; this process must lead by then. Resolves with the first complete set, or when `signal` is aborted. */
  async start(signal: AbortSignal): Promise<void> {
    const { source } = this.#reflector;
    source.onChange(({ key, previous, current }) => {
      if (current === undefined) this.#since.delete(key);
      else if (!isDeepStrictEqual(previous?.record, current.record)) {
        this.#since.set(key, this.#options.clock.monotonic());
      }
      this.#take();
    });
    if (signal.aborted) return;
    this.#reflector.start();
    const synced = new Promise<void>((resolve) => source.onSynced(resolve));
    await orAborted(synced, signal, () => undefined);
  }

  list(): readonly Shard[] {
    return this.#shards;
  }

  unchangedMs(): number {
    return this.#options.clock.monotonic() - this.#changedMs;
  }

  onChange(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#reflector.close();
  }

  /** Takes up what the Leases say now, and looks again when the next of them runs out. */
  #take(): void {
    const { clock } = this.#options;
    const nowMs = clock.monotonic();
    const before = this.#shards;
    let nextMs = Infinity;
    this.#shards = this.#reflector.source.list().map((lease): Shard => {
      const { holder, durationMs } = lease.record;
      const endMs = (this.#since.get(keyOf(lease)) ?? nowMs) + durationMs;
      const isTaken = holder !== '';
      if (isTaken && endMs > nowMs) nextMs = Math.min(nextMs, endMs);
      const { name } = lease.metadata;
      return { name, selector: this.#read(lease), isTaken, isHeld: isTaken && endMs > nowMs };
    });
    this.#timer?.cancel();
    // Timers go by whole milliseconds, and may come a little early.
    if (nextMs < Infinity && !this.#isClosed) this.#timer = clock.after(Math.ceil(nextMs - nowMs), () => this.#take());
    if (isDeepStrictEqual(before, this.#shards)) return;
    if (!isDeepStrictEqual(before.map(whatIsTaken), this.#shards.map(whatIsTaken))) this.#changedMs = nowMs;
    for (const listener of this.#listeners) listener();
  }

  /** One that can't be read could match any host: nobody acts there. */
  #read({ selector, metadata }: Lease): Shard['selector'] {
    const written = selector ?? '';
    const known = this.#parsed.get(written);
    if (known !== undefined) return known;
    const read = parseLabelSelector(written);
    if (!read.ok) {
      const { logger } = this.#options;
      logger.error({ lease: metadata.name, problem: read.error }, 'the selector of a shard cannot be read');
    }
    const parsed = read.ok ? read.value : {};
    this.#parsed.set(written, parsed);
    return parsed;
  }
}

const whatIsTaken = ({ name, selector, isTaken }: Shard): object | null => (isTaken ? { name, selector } : null);
