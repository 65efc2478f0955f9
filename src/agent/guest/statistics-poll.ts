/** libvirt has no event for new statistics; they are polled while somebody listens and has looked at the domain. */
import type { GuestStatistics } from '../../host/port.ts';
import type { Hypervisor } from '../../libvirt/domain/hypervisor.ts';
import { MiB } from '../../memory/bytes.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { EventLog } from '../event-log.ts';
import { toGuestStatistics } from '../domain/observation.ts';
import { type Run, type Runs, takeStatistics } from '../domain/running-domains.ts';

export type StatisticsPollOptions = {
  readonly hypervisor: Hypervisor;
  readonly runs: Runs;
  readonly events: EventLog;
  readonly clock: Clock;
};

/** Statistics of domains that nobody has looked at for longer aren't polled. */
const interestMs = 10 * 60_000;

/** Whether `now` tells watchers something that `told` didn't: other memory, or a first report. */
export function isStatisticsNews(told: GuestStatistics | null, now: GuestStatistics): boolean {
  if (told?.fresh !== now.fresh) return now.fresh;
  if (told.total !== now.total) return true;
  return Math.abs(told.usable - now.usable) >= Math.max(64 * MiB, now.total / 16);
}

/** Asks for the statistics of every domain of interest once, and tells watchers of news. Never rejects. */
export async function pollStatistics(options: StatisticsPollOptions): Promise<void> {
  const { events, runs, clock } = options;
  if (events.listeners === 0) return;
  const since = clock.now() - interestMs;
  const interesting = runs.all().filter((run) => run.observedAtMs >= since);
  await Promise.all(interesting.map((run) => pollRun(options, run)));
}

async function pollRun(options: StatisticsPollOptions, run: Run): Promise<void> {
  try {
    const readAtMs = options.clock.now();
    takeStatistics(run, await options.hypervisor.memoryStats(run.uuid), readAtMs);
  } catch {
    // It stops, or it is busy: the next poll is soon.
    return;
  }
  tellReport(options, run);
}

/** Tells watchers of the run's last report, if that is news or is to be told in any case. */
export function tellReport(
  { events, clock }: Pick<StatisticsPollOptions, 'events' | 'clock'>,
  run: Run,
  inAnyCase = false,
): void {
  const report = toGuestStatistics(run.statistics, run, clock.now());
  if (report === null || !(inAnyCase || isStatisticsNews(run.told, report))) return;
  run.told = report;
  events.append({ kind: 'statistics', uuid: run.uuid });
}
