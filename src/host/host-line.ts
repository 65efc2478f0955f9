/**
 * What is asked of one host waits in line here, in the controller, instead of failing there: looks for a place among a
 * few at once, changes for one of the host's own (`maxConcurrentOperations`). A host that says "too many" is left alone
 * for as long as it says, and then asked again.
 */
import type { Clock } from '../runtime/clock.ts';
import { Line } from '../runtime/line.ts';
import type { Urgency } from '../runtime/urgency.ts';
import { fail, type HostAnswer, hostError } from './errors.ts';
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
export type HostCalls = Pick<Host, 'observe' | 'plug' | 'unplug'>;

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
  #closed = false;

  /** @param changesAtOnce how many changes may be under way, 1 or more */
  constructor(host: Host, clock: Clock, changesAtOnce: () => number) {
    this.#host = host;
    this.#clock = clock;
    this.changes = new Line(changesAtOnce);
    this.next = new Line(() => 2 * changesAtOnce());
  }

  facts(): ReturnType<Host['facts']> {
    return this.#look(
      () => 'user',
      () => this.#host.facts(),
    );
  }

  listDomains(): ReturnType<Host['listDomains']> {
    return this.#look(
      () => 'user',
      () => this.#host.listDomains(),
    );
  }

  /** Calls about one virtual machine, as urgent as `urgency` says when a place is free. */
  as(urgency: () => Urgency): HostCalls {
    const host = this.#host;
    return {
      observe: (uuid) => this.#look(urgency, () => host.observe(uuid)),
      plug: (uuid, revision, request) => this.#patiently(() => host.plug(uuid, revision, request)),
      unplug: (uuid, revision, request) => this.#patiently(() => host.unplug(uuid, revision, request)),
    };
  }

  /** Lets in whom there is place for now that `changesAtOnce` may be another. */
  admit(): void {
    this.next.admit();
    this.changes.admit();
  }

  /** Sends away all that wait. */
  close(): void {
    this.#closed = true;
    this.#looks.close();
    this.next.close();
    this.changes.close();
  }

  async #look<T>(urgency: () => Urgency, ask: () => Promise<HostAnswer<T>>): Promise<HostAnswer<T>> {
    const leave = await this.#looks.take(urgency);
    if (leave === null) return fail(hostError('unreachable', 'The connection to the host was closed'));
    try {
      return await this.#patiently(ask);
    } finally {
      leave();
    }
  }

  /** "Too many" means that nothing was done: what was asked, even a change, can be asked again. */
  async #patiently<T>(ask: () => Promise<HostAnswer<T>>): Promise<HostAnswer<T>> {
    const giveUpMs = this.#clock.now() + patienceMs;
    for (;;) {
      await this.#pause;
      const answer = await ask();
      if (answer.ok || answer.error.code !== 'too-many-requests') return answer;
      if (this.#closed || this.#clock.now() >= giveUpMs) return answer;
      this.#pauseFor(Math.min(longestPauseMs, answer.error.retryAfterMs ?? defaultPauseMs));
    }
  }

  #pauseFor(ms: number): void {
    const resumeMs = this.#clock.now() + ms;
    if (resumeMs <= this.#resumeMs) return;
    this.#resumeMs = resumeMs;
    this.#pause = new Promise((resolve) => this.#clock.after(ms, resolve));
  }
}
