/**
 * Keeps a cache of one kind of resource equal to what the API server holds: lists once, then watches from there, and
 * after whatever failure goes on from the last resource version that it saw. Modelled on client-go's reflector
 * (tools/cache/reflector.go); see connect.ts for why client-node's isn't used.
 */
import { type BackoffLimits, computeBackoffMs } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { keyOf, type Resource, type ResourceKey, type ResourceSource } from '../runtime/resources.ts';
import type { ApiClient, ApiFailure } from './api-client.ts';
import { readLines } from './line-stream.ts';
import { listResources, readResource, selectorsOf } from './list.ts';
import { ResourceCache } from './resource-cache.ts';
import { collectionPath, type ResourceKind, splitKey } from './resource-kind.ts';
import { isOlder } from './resource-version.ts';
import { sleep } from '../runtime/sleep.ts';
import { Echoes } from './echoes.ts';
import { isExpired, parseWatchEvent, type WatchEvent } from './watch-event.ts';

export type ReflectorOptions<T extends Resource> = {
  readonly client: ApiClient;
  readonly kind: ResourceKind<T>;
  /** Only this one object, or those of a namespace that have a label; default all of the kind. */
  readonly only?: { readonly namespace: string; readonly name?: string; readonly label?: string };
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 (included) to 1 (excluded). */
  readonly random: () => number;
  /** Default 75 s: the API server sends a bookmark about every minute, so a quiet watch is still heard from. */
  readonly maxSilenceMs?: number;
  /** How long the server is asked to go on with one watch; a little random, so that watches don't end together. Default 300 s. */
  readonly watchSeconds?: number;
  readonly pageSize?: number;
  readonly backoff?: BackoffLimits;
  /** Told of every failure, for whoever shows how old things are, and of its end (null). `status`: of HTTP; 0: there was none. */
  readonly onTrouble?: (trouble: { readonly message: string; readonly status: number } | null) => void;
};

/** How the last watch ended. */
type WatchEnd =
  | { readonly next: 'resume' } /* the server ended it, as it does every few minutes */
  | { readonly next: 'relist'; readonly message: string }
  | {
      readonly next: 'retry';
      readonly message: string;
      readonly status?: number;
      readonly retryAfterMs?: number | undefined;
    };

/** Above what etcd lets an object be (1.5 MiB), JSON's escapes included. */
const maxLineBytes = 16 * 1024 * 1024;
/** A watch that stood for so long was no failure, whatever ended it. */
const lastingMs = 1_000;
const defaultBackoff: BackoffLimits = { initialMs: 100, maxMs: 5_000 };

export class Reflector<T extends Resource> {
  readonly #options: ReflectorOptions<T>;
  readonly #cache: ResourceCache<T>;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  readonly #refreshing = new Set<ResourceKey>();
  readonly #echoes = new Echoes();
  #running: Promise<void> | undefined;
  /** The newest resource version that the list or the watch has delivered. */
  #version: string | undefined;
  #mustList = true;
  #failures = 0;
  #failingSinceMs: number | undefined;
  #lastContactMs: number | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#logger = options.logger.child({ kind: options.kind.kind });
    this.#cache = new ResourceCache<T>(this.#logger, (key) => void this.#refresh(key));
  }

  get source(): ResourceSource<T> {
    return this.#cache;
  }

  /** When the API server was heard from last, epoch milliseconds; undefined before the first list. */
  get lastContactMs(): number | undefined {
    return this.#lastContactMs;
  }

  /** Takes over an object that came as the answer to a write. */
  learn(object: T): void {
    this.#cache.put(object);
    this.#echoes.expect(object);
  }

  /** Begins; comes back at once. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends for good. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  #stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#stopped()) {
      const end = this.#mustList ? await this.#list() : await this.#watch();
      if (this.#stopped()) return;
      switch (end.next) {
        case 'resume':
          break;
        case 'relist':
          this.#mustList = true;
          this.#logger.info({ err: end.message }, 'listing again');
          // Once at once: that a version has expired is normal. A server that says so every time is left alone.
          if (this.#failures > 0) await this.#backOff(undefined);
          this.#failures += 1;
          break;
        case 'retry':
          this.#failingSinceMs ??= this.#options.clock.now();
          this.#options.onTrouble?.({ message: end.message, status: end.status ?? 0 });
          this.#logger[this.#failures === 0 ? 'warn' : 'debug'](
            { err: end.message, failures: this.#failures + 1 },
            'the API server failed; trying again',
          );
          await this.#backOff(end.retryAfterMs);
          this.#failures += 1;
          break;
      }
    }
  }

  async #list(): Promise<WatchEnd> {
    const { client, kind, only, pageSize } = this.#options;
    const listed = await listResources(client, kind, this.#logger, {
      signal: this.#stop.signal,
      ...only,
      ...(pageSize === undefined ? {} : { pageSize }),
    });
    if (!listed.ok) return endOf(listed.error);
    const { items, resourceVersion } = listed.value;
    const rewound = this.#version !== undefined && isOlder(resourceVersion, this.#version) === true;
    if (rewound) this.#logger.warn({ from: this.#version, to: resourceVersion }, "the API server's history went back");
    this.#version = resourceVersion;
    this.#mustList = false;
    this.#echoes.forget();
    this.#contact();
    this.#cache.replace(items, resourceVersion, rewound);
    return { next: 'resume' };
  }

  async #watch(): Promise<WatchEnd> {
    const { client, kind, only, clock, random, maxSilenceMs = 75_000, watchSeconds = 300 } = this.#options;
    const seconds = Math.ceil(watchSeconds * (1 + random()));
    const opened = await client.stream({
      method: 'GET',
      path: collectionPath(kind, only?.namespace),
      query: {
        watch: 'true',
        allowWatchBookmarks: 'true',
        ...selectorsOf(only ?? {}),
        resourceVersion: this.#version ?? '',
        timeoutSeconds: String(seconds),
      },
      signal: this.#stop.signal,
    });
    if (!opened.ok) return endOf(opened.error);
    this.#contact();
    const openedMs = clock.now();
    let verdict: WatchEnd = { next: 'resume' };
    const end = await readLines(
      opened.value,
      (line) => {
        const problem = this.#take(this.#findEcho(line) ?? parseWatchEvent(line));
        if (problem !== undefined) verdict = problem;
        return problem === undefined;
      },
      { clock, maxSilenceMs, maxLineBytes },
    );
    if (clock.now() - openedMs >= lastingMs) this.#failures = 0;
    switch (end.outcome) {
      case 'stopped':
        return verdict;
      case 'ended':
        // A server (or something in between) that closes at once, over and over, must not be asked without pause.
        if (clock.now() - openedMs >= lastingMs) return { next: 'resume' };
        return { next: 'retry', message: 'the watch ended as soon as it was opened' };
      case 'silent':
        this.#logger.info({ maxSilenceMs }, 'the watch has gone silent; opening another');
        return { next: 'resume' };
      case 'broken':
        return { next: 'retry', message: end.message };
    }
  }

  /** Applies one event; the answer says how the watch must end, if it must. */
  #take(event: WatchEvent): WatchEnd | undefined {
    switch (event.type) {
      case 'expired':
        return { next: 'relist', message: event.message };
      case 'error':
        return { next: 'retry', message: event.message };
      case 'garbled':
        // It may have been a change that nobody will tell again.
        return { next: 'relist', message: `a malformed event: ${event.message}` };
      case 'bookmark':
        break;
      case 'changed':
      case 'deleted': {
        const decoded = this.#options.kind.decode(event.object);
        if (!decoded.ok) {
          this.#logger.error({ problem: decoded.error }, 'passing over a malformed object');
        } else if (event.type === 'changed') {
          this.#cache.put(decoded.value);
        } else {
          this.#cache.remove(keyOf(decoded.value), event.resourceVersion);
        }
        break;
      }
    }
    this.#version = event.resourceVersion;
    this.#cache.passed(event.resourceVersion);
    this.#failures = 0;
    this.#contact();
    return undefined;
  }

  /** What tells only what we have written, and hold just so: it isn't read, and is as good as a bookmark. */
  #findEcho(line: string): WatchEvent | null {
    const echo = this.#echoes.find(line);
    if (echo === null || this.#cache.get(echo.key)?.metadata.resourceVersion !== echo.resourceVersion) return null;
    return { type: 'bookmark', resourceVersion: echo.resourceVersion };
  }

  #contact(): void {
    this.#lastContactMs = this.#options.clock.now();
    if (this.#failingSinceMs === undefined) return;
    this.#logger.info({ afterMs: this.#lastContactMs - this.#failingSinceMs }, 'the API server is back');
    this.#failingSinceMs = undefined;
    this.#options.onTrouble?.(null);
  }

  async #backOff(retryAfterMs: number | undefined): Promise<void> {
    const { backoff = defaultBackoff, clock, random } = this.#options;
    const delayMs = Math.max(retryAfterMs ?? 0, computeBackoffMs(this.#failures, backoff, random));
    await sleep(clock, delayMs, this.#stop.signal);
  }

  async #refresh(key: ResourceKey): Promise<void> {
    if (this.#refreshing.has(key)) return;
    this.#refreshing.add(key);
    const { client, kind } = this.#options;
    const read = await readResource(client, kind, this.#logger, splitKey(key));
    this.#refreshing.delete(key);
    if (!read.ok) {
      // The watch will tell, a little later.
      this.#logger.debug({ key, err: read.error.message }, 'reading an object afresh failed');
    } else if (read.value.object === undefined) this.#cache.remove(key, read.value.resourceVersion);
    else this.#cache.put(read.value.object);
  }
}

function endOf(failure: ApiFailure): WatchEnd {
  if (isExpired(failure.status, failure.reason)) return { next: 'relist', message: failure.message };
  return { next: 'retry', message: failure.message, status: failure.status, retryAfterMs: failure.retryAfterMs };
}
