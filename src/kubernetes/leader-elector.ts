/**
 * Takes part in the election of a leader: keeps a Lease, watches it, and tells who leads. What is done when is election.ts.
 */
import { hostname } from 'node:os';
import { randomUUID } from 'node:crypto';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { sleep } from '../runtime/sleep.ts';
import type { ApiClient, ApiResult } from './api-client.ts';
import {
  decide,
  type ElectionRules,
  type ElectionTimes,
  failed,
  hears,
  leads,
  nothingKnown,
  outdated,
  sees,
  type Standing,
  type WriteStep,
  wrote,
} from './election.ts';
import { type Lease, leaseBody, type LeaseRecord, leases } from './lease.ts';
import { readResource } from './list.ts';
import { Reflector } from './reflector.ts';
import { collectionPath, objectPath } from './resource-kind.ts';
import { microTime } from './micro-time.ts';

export type ElectorOptions = {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 (included) to 1 (excluded). */
  readonly random: () => number;
  readonly namespace: string;
  /** Of the Lease. */
  readonly name: string;
  readonly times: ElectionTimes;
  /** Which hosts it is there for while it leads, as the Lease says it to others: a label selector; empty: all. */
  readonly selector: string;
  /** Default: the host's name and a random part, as client-go has it; two processes never share one. */
  readonly identity?: string;
  /** Called once when this process doesn't lead any more and never will again, with the reason. */
  readonly onLost: (why: string) => void;
};

/** Why nothing is written any more. */
export const notLeading = 'this controller does not lead any more';
/** Releasing is a courtesy: whoever waits gets the lease a little sooner. */
const releaseTimeoutMs = 2_000;

/** See the file's comment. A process that has lost its lease is to end: it isn't elected again. */
export class LeaderElector {
  readonly #options: ElectorOptions;
  readonly #logger: Logger;
  readonly #rules: ElectionRules;
  readonly #reflector: Reflector<Lease>;
  readonly #stop = new AbortController();
  readonly #elected = Promise.withResolvers<'elected'>();
  #standing: Standing = nothingKnown;
  #running: Promise<void> = Promise.resolve();
  #wake = (): void => undefined;
  #toldHolder = '';
  #isLost = false;

  constructor(options: ElectorOptions) {
    const { namespace, name, identity = `${hostname()}_${randomUUID()}`, times } = options;
    this.#options = options;
    this.#rules = { identity, times };
    this.#logger = options.logger.child({ lease: `${namespace}/${name}`, identity });
    this.#reflector = new Reflector({ ...options, kind: leases, only: { namespace, name } });
  }

  get identity(): string {
    return this.#rules.identity;
  }

  /** The epoch of its leadership, looked up by the monotonic clock; null: it doesn't lead, or can't be sure. */
  get epoch(): number | null {
    const { clock } = this.#options;
    return leads(this.#standing, this.#rules, clock.monotonic()) ? (this.#standing.held?.epoch ?? null) : null;
  }

  /** Takes part from now on. Resolves when it leads for the first time, or when `signal` is aborted. */
  async start(signal: AbortSignal): Promise<void> {
    this.#reflector.source.onChange(({ previous, current }) => {
      // Of a deletion the watch doesn't tell when it was: after the last that was seen of the Lease.
      const version = (current ?? previous)?.metadata.resourceVersion;
      if (version !== undefined) this.#see(current ?? null, version);
    });
    this.#reflector.start();
    this.#running = this.#run();
    const aborted = Promise.withResolvers<'aborted'>();
    const end = (): void => aborted.resolve('aborted');
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    await Promise.race([this.#elected.promise, aborted.promise]);
    signal.removeEventListener('abort', end);
  }

  /** A host has refused us for a leader with this epoch (undefined: it didn't say): who leads is made sure of at once. */
  refused(newestEpoch: number | undefined): void {
    const { clock } = this.#options;
    this.#logger.warn({ newestEpoch, epoch: this.epoch }, 'a host knows a newer leader');
    this.#standing = hears(this.#standing, newestEpoch ?? this.#standing.held?.epoch ?? 0, clock.monotonic());
    this.#wake();
  }

  /** Ends, and gives the lease up so that somebody else may lead at once. What it led must have ended before. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#running;
    if (leads(this.#standing, this.#rules, this.#options.clock.monotonic())) await this.#release();
    await this.#reflector.close();
  }

  async #run(): Promise<void> {
    const { clock, random, times } = this.#options;
    while (!this.#stop.signal.aborted) {
      const step = decide(this.#standing, this.#rules, clock.monotonic(), clock.now());
      const retryMs = times.retryMs * (1 + random() / 5);
      switch (step.kind) {
        case 'wait':
          await this.#pause(step.ms);
          break;
        case 'read':
          await this.#read(retryMs);
          break;
        case 'write':
          await this.#write(step, retryMs);
          break;
        case 'lost':
          this.#lose(step.why);
          return;
        default:
          return step satisfies never;
      }
    }
  }

  /** Until something may be to be done earlier. */
  async #pause(ms: number): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    if (this.#stop.signal.aborted) return;
    // Timers go by whole milliseconds, and may come a little early.
    await sleep(this.#options.clock, Math.ceil(ms), woken.signal);
  }

  /** A request that isn't answered leaves time for another before the deadline. */
  #timeoutMs(): number {
    const { clock, times } = this.#options;
    const { held } = this.#standing;
    const leftMs = held === null ? Infinity : held.renewedMs + times.deadlineMs - clock.monotonic();
    return Math.max(1, Math.ceil(Math.min(times.deadlineMs / 2, leftMs)));
  }

  async #read(retryMs: number): Promise<void> {
    const { client, clock, namespace, name } = this.#options;
    const sentMs = clock.monotonic();
    const read = await readResource(client, leases, this.#logger, { namespace, name, timeoutMs: this.#timeoutMs() });
    if (!read.ok) {
      this.#logger.warn({ err: read.error.message }, 'the lease could not be read');
      this.#standing = failed(this.#standing, retryMs, sentMs);
      return;
    }
    const { object: lease, resourceVersion } = read.value;
    if (lease !== undefined) this.#reflector.learn(lease);
    this.#see(lease ?? null, lease?.metadata.resourceVersion ?? resourceVersion);
  }

  async #write(step: WriteStep, retryMs: number): Promise<void> {
    const { clock } = this.#options;
    const sentMs = clock.monotonic();
    const written = await this.#send(step.record, step.over, this.#timeoutMs());
    const nowMs = clock.monotonic();
    if (!written.ok) {
      // 404: it was deleted; 409: it was changed, made or deleted by somebody else.
      if (written.error.status === 404 || written.error.status === 409) this.#standing = outdated(this.#standing);
      else {
        this.#logger.warn({ err: written.error.message, acquires: step.acquires }, 'the lease could not be written');
        this.#standing = failed(this.#standing, retryMs, sentMs);
      }
      return;
    }
    const before = this.#standing.held;
    this.#standing = wrote(this.#standing, { step, lease: written.value, sentMs }, this.#rules, nowMs);
    this.#reflector.learn(written.value);
    const { held } = this.#standing;
    if (held !== null && held.epoch !== before?.epoch && this.#standing.lost === null) {
      this.#logger.info({ epoch: held.epoch, transitions: step.record.transitions }, 'this controller leads');
      this.#toldHolder = this.identity;
      this.#elected.resolve('elected');
    }
  }

  async #send(record: LeaseRecord, over: Lease | null, timeoutMs: number): Promise<ApiResult<Lease>> {
    const { client, namespace, name, selector } = this.#options;
    const target = { namespace, name, selector };
    const body = leaseBody(target, record, over);
    const sent = await client.send(
      over === null
        ? { method: 'POST', path: collectionPath(leases, namespace), body, timeoutMs }
        : { method: 'PUT', path: objectPath(leases, over.metadata), body, timeoutMs },
    );
    if (!sent.ok) return sent;
    const decoded = leases.decode(sent.value);
    if (decoded.ok && Number.isSafeInteger(Number(decoded.value.metadata.resourceVersion))) return decoded;
    const message = decoded.ok ? 'the resourceVersion is not a number' : decoded.error;
    return { ok: false, error: { kind: 'garbled', status: 0, reason: '', message, retryable: true } };
  }

  #see(lease: Lease | null, version: string): void {
    const { clock } = this.#options;
    this.#standing = sees(this.#standing, { lease, version }, this.#rules, clock.monotonic());
    const holder = this.#standing.lease?.record.holder ?? '';
    if (holder !== this.#toldHolder && holder !== '' && holder !== this.identity) {
      this.#logger.info({ holder }, 'another controller leads; waiting');
      this.#toldHolder = holder;
    }
    // Even while a request of ours isn't answered.
    if (this.#standing.lost !== null) this.#lose(this.#standing.lost);
    this.#wake();
  }

  #lose(why: string): void {
    if (this.#isLost || this.#stop.signal.aborted) return;
    this.#isLost = true;
    this.#logger.error({ why }, 'this controller does not lead any more');
    this.#options.onLost(why);
  }

  async #release(): Promise<void> {
    const { clock } = this.#options;
    const { lease } = this.#standing;
    if (!lease) return;
    const now = microTime(clock.now());
    const record = { ...lease.record, holder: '', durationMs: 1_000, acquireTime: now, renewTime: now };
    const released = await this.#send(record, lease, releaseTimeoutMs);
    this.#standing = { ...this.#standing, lost: 'released' };
    if (released.ok) this.#logger.info({}, 'the lease is released');
    else this.#logger.warn({ err: released.error.message }, 'the lease could not be released; it ends by itself');
  }
}
