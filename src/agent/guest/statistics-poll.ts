/** There is no event for new statistics; they are polled while somebody listens and has looked at the domain. */
import type { GuestStatistics } from '../../host/port.ts';
import { MiB } from '../../memory/bytes.ts';
import type { Clock } from '../../runtime/clock.ts';
import { toGuestStatistics } from '../domain/observation.ts';
import type { RunningDomain } from '../domain/running-domain.ts';
import type { RunningDomains } from '../domain/running-domains.ts';
import type { Driver } from '../driver.ts';
import type { EventLog } from '../event-log.ts';

export type StatisticsPollOptions = {
  readonly driver: Driver;
  readonly runs: RunningDomains;
  readonly events: EventLog;
  readonly clock: Clock;
};

/** Statistics of domains that nobody has looked at for longer aren't polled. */
const interestMs = 10 * 60_000;

/** Whether `now` tells watchers something that `published` didn't: other memory, or a first report. */
export function isStatisticsNews(published: GuestStatistics | null, now: GuestStatistics): boolean {
  if (published?.fresh !== now.fresh) return now.fresh;
  if (published.total !== now.total) return true;
  return Math.abs(published.usable - now.usable) >= Math.max(64 * MiB, now.total / 16);
}

/** Asks for the statistics of every domain of interest once, and tells watchers of news. Never rejects. */
export async function pollStatistics(options: StatisticsPollOptions): Promise<void> {
  const { events, runs, clock } = options;
  if (events.listeners === 0) return;
  const since = clock.now() - interestMs;
  const interesting = runs.all().filter((run) => run.observedAtMs >= since);
  await Promise.all(interesting.map((run) => pollRun(options, run)));
}

async function pollRun(options: StatisticsPollOptions, run: RunningDomain): Promise<void> {
  try {
    const readAtMs = options.clock.now();
    run.tookStatistics(await options.driver.statistics(run.uuid), readAtMs);
  } catch {
    // It stops, or it is busy: the next poll is soon.
    return;
  }
  publishReport(options, run);
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
