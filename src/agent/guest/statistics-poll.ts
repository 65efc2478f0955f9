/** There is no event for new statistics; they are polled while somebody listens and has looked at the domain. */
import type { GuestStatistics } from '../../host/port.ts';
import { MiB } from '../../memory/bytes.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import { toGuestStatistics } from '../domain/observation.ts';
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
  #timer: Timer | null = null;
  #stopped = false;

  constructor(options: StatisticsPollOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.after(lookPeriodMs, () => void this.#look());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const { clock, isReady } = this.#options;
    if (isReady()) {
      const untilMs = clock.now() + togetherMs;
      const due = this.#interesting().filter((run) => (this.#times.get(run)?.nextMs ?? 0) <= untilMs);
      await Promise.all(due.map((run) => this.#lookAt(run)));
    }
    if (this.#stopped) return;
    const nowMs = clock.now();
    const nextMs = this.#interesting().map((run) => this.#times.get(run)?.nextMs ?? nowMs + lookPeriodMs);
    const pauseMs = Math.max(togetherMs, Math.min(lookPeriodMs, ...nextMs.map((at) => at - nowMs)));
    this.#timer = clock.after(pauseMs, () => void this.#look());
  }

  #interesting(): readonly RunningDomain[] {
    const { runs, events, clock } = this.#options;
    if (events.listeners === 0) return [];
    const sinceMs = clock.now() - interestMs;
    return runs.all().filter((run) => run.observedAtMs >= sinceMs);
  }

  async #lookAt(run: RunningDomain): Promise<void> {
    const { driver, clock } = this.#options;
    const atMs = clock.now();
    const before = this.#times.get(run) ?? null;
    try {
      const report = run.tookStatistics(await driver.statistics(run.uuid), atMs);
      this.#times.set(run, planLook(before, { ...report, atMs }));
    } catch {
      // It stops, or it is busy.
      this.#times.set(run, lookAgain(before, atMs));
      return;
    }
    publishReport(this.#options, run);
  }
}

/** Tells watchers of the run's last report, if that is news or is to be told in any case. */
export function publishReport(
  { events, clock }: Pick<StatisticsPollOptions, 'events' | 'clock'>,
  run: RunningDomain,
  inAnyCase = false,
): void {
  const report = toGuestStatistics(run.statistics, run, clock.now());
  if (report === null || !(inAnyCase || isStatisticsNews(run.published, report))) return;
  run.wasPublished(report);
  events.append({ kind: 'statistics', uuid: run.uuid });
}
