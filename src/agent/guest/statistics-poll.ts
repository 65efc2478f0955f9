/** There is no event for new statistics; they are polled while somebody listens and has looked at the domain. */
import type { GuestStatistics } from '../../host/port.ts';
import { MiB } from '../../memory/bytes.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import { toGuestStatistics } from '../domain/observed-guest.ts';
import type { RunningDomain } from '../domain/running-domain.ts';
import type { RunningDomains } from '../domain/running-domains.ts';
import type { Driver } from '../driver.ts';
import type { EventLog } from '../event-log.ts';
import { lookAgain, lookPeriodMs, type LookTimes, planLook } from './look-times.ts';

export type StatisticsPollOptions = {
  readonly driver: Driver;
  readonly runs: RunningDomains;
  readonly events: EventLog;
  readonly clock: Clock;
  /** Whether the hypervisor can be asked. */
  readonly isReady: () => boolean;
};

/** Statistics of domains that nobody has looked at for longer aren't polled. */
const interestMs = 10 * 60_000;
/** Looks that are due within so much are one round. */
const togetherMs = 10;

/** Whether `now` tells watchers something that `published` didn't: other memory, or a first report. */
export function isStatisticsNews(published: GuestStatistics | null, now: GuestStatistics): boolean {
  if (published?.fresh !== now.fresh) return now.fresh;
  if (published.total !== now.total) return true;
  return Math.abs(published.usable - now.usable) >= Math.max(64 * MiB, now.total / 16);
}

/** Looks at every domain of interest about every 2 s, each at its own moment, and tells watchers of news. */
export class StatisticsPoll {
  readonly #options: StatisticsPollOptions;
  readonly #times = new WeakMap<RunningDomain, LookTimes>();
  /** Those whose look isn't answered yet: one that hangs isn't asked twice, and keeps no other from being looked at. */
  readonly #lookedAt = new Set<RunningDomain>();
  #timer: { readonly atMs: number; readonly timer: Timer } | null = null;
  #stopped = false;

  constructor(options: StatisticsPollOptions) {
    this.#options = options;
  }

  start(): void {
    this.#lookAgainBy(this.#options.clock.now() + lookPeriodMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.timer.cancel();
  }

  #look(): void {
    const { clock, isReady } = this.#options;
    this.#timer = null;
    const nowMs = clock.now();
    this.#lookAgainBy(nowMs + lookPeriodMs);
    for (const run of this.#interesting()) {
      const nextMs = this.#times.get(run)?.nextMs ?? nowMs;
      if (nextMs > nowMs + togetherMs) this.#lookAgainBy(nextMs);
      else if (isReady()) void this.#lookAt(run);
    }
  }

  /** Sees to it that the next look comes at `atMs` at the latest. Epoch ms. */
  #lookAgainBy(atMs: number): void {
    if (this.#stopped || (this.#timer !== null && this.#timer.atMs <= atMs)) return;
    this.#timer?.timer.cancel();
    const pauseMs = Math.max(togetherMs, atMs - this.#options.clock.now());
    this.#timer = { atMs, timer: this.#options.clock.after(pauseMs, () => this.#look()) };
  }

  #interesting(): readonly RunningDomain[] {
    const { runs, events, clock } = this.#options;
    if (events.listeners === 0) return [];
    const sinceMs = clock.now() - interestMs;
    return runs.all().filter((run) => run.observedAtMs >= sinceMs && !this.#lookedAt.has(run));
  }

  async #lookAt(run: RunningDomain): Promise<void> {
    const { driver, clock } = this.#options;
    const atMs = clock.now();
    const before = this.#times.get(run) ?? null;
    this.#lookedAt.add(run);
    let times = lookAgain(before, atMs);
    let hasReported = false;
    try {
      const look = run.reports.beginLook(atMs);
      const report = run.reports.took(await driver.statistics(run.uuid), look);
      times = planLook(before, { ...report, atMs });
      hasReported = true;
    } catch {
      // It stops, or it is busy.
    }
    this.#lookedAt.delete(run);
    this.#times.set(run, times);
    this.#lookAgainBy(times.nextMs);
    if (hasReported) publishReport(this.#options, run);
  }
}

/** Tells watchers of the run's last report, if that is news or is to be told in any case. */
export function publishReport(
  { events, clock }: Pick<StatisticsPollOptions, 'events' | 'clock'>,
  run: RunningDomain,
  inAnyCase = false,
): void {
  const report = toGuestStatistics(run.reports.last, run, clock.now());
  if (report === null || !(inAnyCase || isStatisticsNews(run.published, report))) return;
  run.wasPublished(report);
  events.append({ kind: 'statistics', uuid: run.uuid });
}
