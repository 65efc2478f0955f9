/** What the port says of a guest, by its reports and by its agent. Pure. */
import { correctReport, isCorrected, isSettled } from '../../host/rules/report-correction.ts';
import { isFreshReport, isReportOfThisBoot } from '../../host/rules/boot.ts';
import type { DomainObservation, GuestStatistics } from '../../host/port.ts';
import type { UptakeState } from '../../host/rules/uptake.ts';
import { sumBytes, zeroBytes } from '../../memory/bytes.ts';
import type { BalloonDevice } from '../../memory/guest-facts.ts';
import { defaultGranularity } from '../../memory/granularity.ts';
import type { DomainDescription } from './description.ts';
import type { HeardReport } from './guest-reports.ts';
import type { RunningDomain } from './running-domain.ts';
import { type DomainFacts, modulesOf } from './facts.ts';

/** The guest's report, as far as the balloon gave all of it, without what has left since. */
export function toGuestStatistics(
  statistics: HeardReport | null,
  run: Pick<RunningDomain, 'boot' | 'reports'>,
  nowMs: number,
): GuestStatistics | null {
  if (statistics === null) return null;
  const { available, usable, unused, lastUpdateMs, answersAtMs } = statistics;
  if (available === null || usable === null || unused === null || lastUpdateMs === null) return null;
  const said = { total: available, usable, free: unused, reportedAtMs: lastUpdateMs, answersAtMs };
  const { total, usable: spare, free } = correctReport(said, run.reports.departures);
  const evidence = { ...run.boot, reportedAtMs: lastUpdateMs };
  return {
    ...{ total, usable: spare, free, reportedAtMs: lastUpdateMs },
    fresh: isFreshReport(evidence, nowMs),
    ofThisBoot: isReportOfThisBoot(evidence),
    takenOfModules: null,
    totalWithoutModules: null,
  };
}

/** What is known of the guest's modules, by what the balloon says. */
export function uptakeState({ memory, statistics }: DomainFacts, run: RunningDomain, nowMs: number): UptakeState {
  const { lastUpdateMs, available, balloon, answersAtMs } = statistics ?? {};
  const plugged = sumBytes([...memory.boot, ...memory.modules].map(({ size }) => size));
  const hasReport = typeof lastUpdateMs === 'number' && typeof available === 'number';
  const report = hasReport ? { reportedAtMs: lastUpdateMs, answersAtMs: answersAtMs ?? null } : null;
  return {
    boot: `${run.boot.firstSeenAtMs}/${run.boot.bootedAtMs}`,
    modules: modulesOf(memory),
    bootSize: sumBytes(memory.boot.map(({ size }) => size)),
    // An NVDIMM is in no total; of virtio-mem and what is not known nobody can tell how much is.
    isPlain: balloon === plugged && memory.others.every(({ model }) => model === 'nvdimm'),
    report: report && {
      ...report,
      total: available ?? zeroBytes,
      fresh: isFreshReport({ ...run.boot, ...report }, nowMs),
      isCorrected: isCorrected(report, run.reports.departures),
      isSettled: isSettled(report, run.reports.departures),
    },
  };
}

/** What the guest could report by. */
export const balloonDeviceOf = ({ balloon }: Pick<DomainDescription, 'balloon'>): BalloonDevice =>
  balloon === null ? 'None' : balloon.statsPeriodSeconds === 0 ? 'StatisticsOff' : 'StatisticsOn';

/** What the guest says of its memory; null: nothing, or not all of it. */
export function toGuest(facts: DomainFacts, run: RunningDomain, nowMs: number): GuestStatistics | null {
  const guest = toGuestStatistics(facts.statistics, run, nowMs);
  const { arch, boot } = facts.memory;
  const block = defaultGranularity(arch, sumBytes(boot.map(({ size }) => size)));
  const state = uptakeState(facts, run, nowMs);
  return (
    guest && {
      ...guest,
      takenOfModules: run.plugs.taken(state, block),
      totalWithoutModules: run.plugs.totalWithoutModules(state),
    }
  );
}

/** What the guest's agent said of what is there now. */
export function guestAgentWord(run: RunningDomain | null): Pick<DomainObservation, 'guestAgent'> {
  const heard = run?.guestAgent ?? null;
  if (run === null || heard === null || heard.askedAtMs < run.unchangedSinceMs) return {};
  return { guestAgent: heard.word };
}
