/**
 * Asking a guest what memory it has, and judging by what answers *this* question. The guest reports by itself every 2 s;
 * in that time it can fill all that was free, and an unplug judged by what it said before makes it kill its processes
 * (docs/adr/0008-the-guests-word.md).
 */
import type { Clock } from '../../runtime/clock.ts';
import type { HeardReport } from '../domain/guest-reports.ts';
import type { RunningDomain } from '../domain/running-domain.ts';
import type { Driver, MemoryStatistics } from '../driver.ts';
import { isDriverError } from '../driver-error.ts';
import type { StatisticsBell } from './statistics-bell.ts';

export type GuestQuestionsOptions = {
  readonly driver: Driver;
  readonly bell: StatisticsBell;
  readonly clock: Clock;
  /** Called when a question is over, with what became of it. */
  readonly onQuestion?: ((answer: GuestAnswer['kind'], durationMs: number) => void) | undefined;
};

export type GuestAnswer =
  /** The report was made after the question was put. */
  | { readonly kind: 'answered'; readonly report: HeardReport }
  /** Nothing came in time. */
  | { readonly kind: 'late' }
  /** It has never reported: no balloon, or no driver for it. */
  | { readonly kind: 'absent' }
  /** A migration, or another job, holds the domain: it isn't disturbed. */
  | { readonly kind: 'busy' }
  /** The driver can't ask guests. */
  | { readonly kind: 'unable' };

/** The usual guest answers within 10 ms; one that has to be asked in the next second needs a second more. */
const patienceMs = 1_500;
/** Between two looks for the answer. */
const firstPauseMs = 2;
const longestPauseMs = 25;
/** From one ring to the next, where an answer can't be told from what was said before; it doubles. */
const firstRepeatMs = 30;

const secondOf = (ms: number): number => Math.floor(ms / 1000);

/** A question that was put. */
type Question = {
  /** What was said before it. */
  readonly last: MemoryStatistics;
  readonly askedAtMs: number;
  /** Whether the next report can answer no other question. */
  readonly isOurs: boolean;
};

export class GuestQuestions {
  readonly #options: GuestQuestionsOptions;

  constructor(options: GuestQuestionsOptions) {
    this.#options = options;
  }

  /** Asks the guest; one question at a time on a domain. @throws DriverError */
  ask(run: RunningDomain): Promise<GuestAnswer> {
    const { clock, onQuestion } = this.#options;
    return this.#options.bell.exclusively(run.uuid, async () => {
      const beganMs = clock.now();
      const answer = await this.#put(run, (question) => this.#listen(run, question));
      onQuestion?.(answer.kind, clock.now() - beganMs);
      return answer;
    });
  }

  /**
   * Asks the guest once and listens for a moment: what it says stands in `run.reports`, whichever question it
   * answers, and nothing follows from silence. Cheaper than `ask`, for who asks again anyway. @throws DriverError
   */
  async hear(run: RunningDomain): Promise<GuestAnswer['kind']> {
    const { bell } = this.#options;
    const answer = await bell.exclusively(run.uuid, () =>
      this.#put(run, (question) => this.#listenOnce(run, question)),
    );
    return answer.kind;
  }

  async #put(run: RunningDomain, listen: (question: Question) => Promise<GuestAnswer>): Promise<GuestAnswer> {
    try {
      return await this.#putToFree(run, listen);
    } catch (error) {
      if (isDriverError(error, 'Busy')) return { kind: 'busy' };
      throw error;
    }
  }

  async #putToFree(run: RunningDomain, listen: (question: Question) => Promise<GuestAnswer>): Promise<GuestAnswer> {
    const { driver, bell, clock } = this.#options;
    if (!driver.capabilities.statisticsOnDemand) return { kind: 'unable' };
    if ((await driver.job(run.uuid)) !== 'none') return { kind: 'busy' };
    const look = run.reports.beginLook(clock.now());
    const last = run.reports.took(await driver.statistics(run.uuid), look);
    if (last.report === null) return { kind: 'absent' };
    const mayBeOpen = run.reports.beganQuestion(last.report);
    const ring = await bell.ring(run.uuid);
    if (ring === null) return { kind: 'absent' };
    try {
      const isOurs = !mayBeOpen && isYounger(last, ring.periodMs, clock.now());
      return await listen({ last, askedAtMs: ring.askedAtMs, isOurs });
    } finally {
      await bell.fallSilent(run.uuid);
    }
  }

  /**
   * Waits for a report that differs from the last one: its second, or any of its values. One that may answer another
   * question isn't judged by: QEMU drops a question while another one is open, and the guest is asked once more.
   */
  async #listen(run: RunningDomain, { last, askedAtMs, isOurs }: Question): Promise<GuestAnswer> {
    const { bell, clock } = this.#options;
    let deadlineMs = clock.now() + patienceMs;
    let rungAtMs = askedAtMs;
    let [rings, looks] = [1, 0];
    let [pauseMs, repeatMs] = [firstPauseMs, firstRepeatMs];
    const ringAgain = async (): Promise<void> => {
      rungAtMs = clock.now();
      [rings, looks, repeatMs] = [rings + 1, 0, repeatMs * 2];
      run.reports.beganQuestion(last.report);
      await bell.ring(run.uuid);
    };

    while (clock.now() < deadlineMs) {
      const look = run.reports.beginLook(clock.now());
      const now = await this.#read(run.uuid);
      if (now !== null && now.report !== last.report) {
        if (isOurs) {
          // What was there at the first look after a ring may have come before it: then that question is open.
          run.reports.endedQuestion(looks > 0 || rings === 1 ? null : now.report);
          return { kind: 'answered', report: run.reports.took(now, look, askedAtMs) };
        }
        run.reports.took(now, look);
        [last, isOurs, repeatMs] = [now, true, firstRepeatMs];
        deadlineMs = clock.now() + patienceMs;
        await ringAgain();
        continue;
      }
      if (now !== null) looks += 1;
      // An answer within the second of the last report, and with its values, can't be told from it. The guest may have
      // other values in a moment, and has another second in the next.
      const isHidden = secondOf(last.lastUpdateMs ?? 0) === secondOf(rungAtMs);
      const isNextSecond = secondOf(clock.now()) > secondOf(rungAtMs);
      if (isHidden && (isNextSecond || clock.now() >= rungAtMs + repeatMs)) {
        await ringAgain();
        // Looked at once: what comes after this look leaves no doubt about the next question.
        continue;
      }
      await this.#pause(pauseMs);
      pauseMs = Math.min(longestPauseMs, Math.ceil(pauseMs * 1.5));
    }
    return { kind: 'late' };
  }

  /** Waits a moment for a report that differs from the last one. */
  async #listenOnce(run: RunningDomain, { last, askedAtMs, isOurs }: Question): Promise<GuestAnswer> {
    for (let pauseMs = firstPauseMs; pauseMs <= longestPauseMs; pauseMs *= 2) {
      await this.#pause(pauseMs);
      const look = run.reports.beginLook(this.#options.clock.now());
      const now = await this.#read(run.uuid);
      if (now === null || now.report === last.report) continue;
      // It may answer an earlier question; then ours may be open.
      run.reports.endedQuestion(isOurs ? null : now.report);
      return { kind: 'answered', report: run.reports.took(now, look, isOurs ? askedAtMs : null) };
    }
    return { kind: 'late' };
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(ms, resolve));
  }

  /** What the balloon says; null: something is changing the domain just now. */
  async #read(uuid: string): Promise<MemoryStatistics | null> {
    try {
      return await this.#options.driver.statistics(uuid);
    } catch (error) {
      if (isDriverError(error, 'Busy')) return null;
      throw error;
    }
  }
}

/** Whether QEMU can't have asked by itself yet: it does when a report is as old as the period. */
const isYounger = ({ madeAfterMs }: HeardReport, periodMs: number, nowMs: number): boolean =>
  madeAfterMs <= nowMs && nowMs < madeAfterMs + periodMs;
