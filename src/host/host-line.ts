/**
 * What is asked of one host waits in line here, in the controller, instead of failing there: looks for a place among a
 * few at once, changes for one of the host's own (`maxConcurrentOperations`). A host that says "too many" is left alone
 * for as long as it says, and then asked again.
 */
import type { Clock } from '../runtime/clock.ts';
import { Line } from '../runtime/line.ts';
import { orAborted } from '../runtime/or-aborted.ts';
import type { Urgency } from '../runtime/urgency.ts';
import { type HostAnswer, hostError } from './errors.ts';
import { fail } from '../memory/result.ts';
import type { Host } from './port.ts';

/** Looks at a time. libvirtd serves five calls of one client at once by default (max_client_requests). */
export const looksAtOnce = 8;
/** For a host that says "too many" without a time. */
const defaultPauseMs = 1_000;
/** No host is left alone for longer, whatever it says. */
const longestPauseMs = 10_000;
/** A host that says "too many" for so long is believed. */
const patienceMs = 30_000;

/** What is asked of a host about one virtual machine. */
export type HostCalls = Pick<Host, 'observe' | 'plug' | 'unplug' | 'persist' | 'releaseClaim'>;

export class HostLine {
  /** Changes under way on the host. Whoever sends one holds a place here first. */
  readonly changes: Line;
  /**
   * Those that have a place among the changes, and as many that come next: they look at their VM anew while they wait
   * for the last step, so that no place is empty meanwhile.
   */
  readonly next: Line;
  readonly #host: Host;
  readonly #clock: Clock;
  readonly #looks = new Line(() => looksAtOnce);
  #pause: Promise<void> = Promise.resolve();
  #resumeMs = 0;
  readonly #closing = new AbortController();

  /** @param changesAtOnce how many changes may be under way, 1 or more */
  constructor(host: Host, clock: Clock, changesAtOnce: () => number) {
    this.#host = host;
    this.#clock = clock;
    this.changes = new Line(changesAtOnce);
    this.next = new Line(() => 2 * changesAtOnce());
  }

  /** Asked for whoever waits: it goes on until the line is closed. */
  facts(): ReturnType<Host['facts']> {
    return this.#look(
      () => 'user',
      (signal) => this.#host.facts(signal),
      this.#closing.signal,
    );
  }

  /** Asked for whoever waits: it goes on until the line is closed. */
  listDomains(): ReturnType<Host['listDomains']> {
    return this.#look(
      () => 'user',
      (signal) => this.#host.listDomains(signal),
      this.#closing.signal,
    );
  }

  /**
   * Calls about one virtual machine, as urgent as `urgency` says when a place is free. `signal` ends a look, and the
   * waiting for a host that wants to be left alone; never a change that was sent.
   */
  as(urgency: () => Urgency, signal?: AbortSignal): HostCalls {
    const host = this.#host;
    return {
      observe: (uuid) => this.#look(urgency, () => host.observe(uuid, signal), signal),
      plug: (uuid, revision, request) => this.#patiently(() => host.plug(uuid, revision, request), signal),
      unplug: (uuid, revision, request) => this.#patiently(() => host.unplug(uuid, revision, request), signal),
      persist: (uuid, revision, request) => this.#patiently(() => host.persist(uuid, revision, request), signal),
      releaseClaim: (uuid, revision, request) =>
        this.#patiently(() => host.releaseClaim(uuid, revision, request), signal),
    };
  }

  /** Lets in whom there is place for now that `changesAtOnce` may be another. */
  admit(): void {
    this.next.admit();
    this.changes.admit();
  }

  /** Sends away all that wait. */
  close(): void {
    this.#closing.abort();
    this.#looks.close();
    this.next.close();
    this.changes.close();
  }

  async #look<T>(
    urgency: () => Urgency,
    ask: (signal: AbortSignal | undefined) => Promise<HostAnswer<T>>,
    signal: AbortSignal | undefined,
  ): Promise<HostAnswer<T>> {
    const giveUp = (): HostAnswer<T> =>
      this.#closing.signal.aborted
        ? fail(hostError('unreachable', 'The connection to the host was closed'))
        : fail(hostError('timeout', 'The host did not answer before it was given up'));
    const leave = await this.#looks.take(urgency, signal);
    if (leave === null) return giveUp();
    try {
      // Also where the host itself doesn't heed the signal.
      return await orAborted(
        this.#patiently(() => ask(signal), signal),
        signal,
        giveUp,
      );
    } finally {
      leave();
    }
  }

  /** "Too many" means that nothing was done: what was asked, even a change, can be asked again. */
  async #patiently<T>(ask: () => Promise<HostAnswer<T>>, signal: AbortSignal | undefined): Promise<HostAnswer<T>> {
    const giveUpMs = this.#clock.now() + patienceMs;
    let refusal: HostAnswer<T> = fail(hostError('too-many-requests', 'The host wants to be left alone'));
    for (;;) {
      await orAborted(this.#pause, signal, () => undefined);
      if (signal?.aborted === true) return refusal;
      const answer = await ask();
      if (answer.ok || answer.error.code !== 'too-many-requests') return answer;
      if (this.#closing.signal.aborted || this.#clock.now() >= giveUpMs) return answer;
      this.#pauseFor(Math.min(longestPauseMs, answer.error.retryAfterMs ?? defaultPauseMs));
      refusal = answer;
    }
  }

  #pauseFor(ms: number): void {
    const resumeMs = this.#clock.now() + ms;
    if (resumeMs <= this.#resumeMs) return;
    this.#resumeMs = resumeMs;
    this.#pause = new Promise((resolve) => this.#clock.after(ms, resolve));
  }
}
