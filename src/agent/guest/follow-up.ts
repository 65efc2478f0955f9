/**
 * After a change of ours the guest is asked soon what has become of it, and watchers are told: the hypervisor says when a
 * module is attached, only the guest whether it has the memory.
 */
import type { Bytes } from '../../memory/bytes.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { KeyedMutex } from '../../runtime/keyed-mutex.ts';
import { toGuestStatistics } from '../domain/observed-guest.ts';
import type { RunningDomain } from '../domain/running-domain.ts';
import type { RunningDomains } from '../domain/running-domains.ts';
import { isDriverError } from '../driver-error.ts';
import type { EventLog } from '../event-log.ts';
import type { GuestQuestions } from './questions.ts';
import { publishReport } from './statistics-poll.ts';

export type GuestFollowUpOptions = {
  readonly questions: GuestQuestions;
  readonly runs: RunningDomains;
  readonly events: EventLog;
  /** Of changes: one in hand goes first. */
  readonly mutex: KeyedMutex;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** How long a guest is asked; the poll of all guests goes on after that. */
const followMs = 2_000;
/** A guest takes 50 to 120 ms to take memory up; asking keeps it from that. */
const plugPauseMs = 150;
/** What has left it has given up before. */
const departurePauseMs = 30;
const longestPauseMs = 400;

/** What is waited for. */
type Wait = {
  readonly sinceMs: number;
  /** MemTotal when the guest has taken up all that was plugged; null: any report made since will do. */
  readonly expected: number | null;
};

export class GuestFollowUp {
  readonly #options: GuestFollowUpOptions;
  readonly #waits = new Map<RunningDomain, Wait>();

  constructor(options: GuestFollowUpOptions) {
    this.#options = options;
  }

  /**
   * A module was plugged.
   * @param before MemTotal before that; null: not known
   */
  plugged(run: RunningDomain, before: Bytes | null, size: Bytes): void {
    const base = this.#waits.get(run)?.expected ?? before;
    this.#begin(run, base === null ? null : base + size, plugPauseMs);
  }

  /** A module has left. */
  departed(run: RunningDomain): void {
    this.#begin(run, null, departurePauseMs);
  }

  #begin(run: RunningDomain, expected: number | null, firstPauseMs: number): void {
    const { events, clock } = this.#options;
    if (events.listeners === 0) return;
    const isUnderWay = this.#waits.has(run);
    this.#waits.set(run, { sinceMs: clock.now(), expected });
    if (!isUnderWay) void this.#follow(run, firstPauseMs);
  }

  async #follow(run: RunningDomain, firstPauseMs: number): Promise<void> {
    const { clock, logger, mutex } = this.#options;
    try {
      for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 1.5)) {
        await new Promise<void>((resolve) => clock.after(pauseMs, resolve));
        await mutex.run(run.uuid, () => Promise.resolve());
        if (await this.#isOver(run)) return;
      }
    } catch (error) {
      // It stops, or libvirt is gone: the poll tells what there is to be told.
      if (!isDriverError(error)) throw error;
      logger.debug({ uuid: run.uuid, err: error }, 'guest could not be asked after a change');
    } finally {
      this.#waits.delete(run);
    }
  }

  /** Asks once. */
  async #isOver(run: RunningDomain): Promise<boolean> {
    const { questions, runs, clock } = this.#options;
    if (runs.get(run.uuid) !== run) return true;
    const answer = await questions.hear(run);
    // What is waited for may be another thing by now.
    const wait = this.#waits.get(run);
    if (wait === undefined || answer === 'absent' || answer === 'unable') return true;
    const hasCome = isWhatWasWaitedFor(run, wait, clock.now());
    // Whoever observed in between has seen more than was told: the memory of a module that came and went again.
    publishReport(this.#options, run, hasCome);
    if (hasCome) return true;
    return clock.now() - wait.sinceMs >= followMs;
  }
}

function isWhatWasWaitedFor(run: RunningDomain, { sinceMs, expected }: Wait, nowMs: number): boolean {
  // Only the plug can have made it that much, whichever question that answers.
  if (expected !== null) return (toGuestStatistics(run.reports.last, run, nowMs)?.total ?? 0) >= expected;
  return (run.reports.last?.answersAtMs ?? 0) > sinceMs;
}
