/**
 * What a simulated guest says of its memory. As a real one with a balloon it reports every 2 s, so what it said last is
 * older than what it has; and it says it at once when it is asked, as the agent asks it before every unplug that is
 * judged and after every change.
 */
import { type Bytes, bytes, mib, sumBytes } from '../../memory/bytes.ts';
import type { Clock } from '../../runtime/clock.ts';
import {
  correctReport,
  findDepartures,
  forgetDepartures,
  isCorrected,
  isSettled,
  laterOf,
} from '../rules/report-correction.ts';
import { isFreshReport, isReportOfThisBoot } from '../rules/boot.ts';
import { computeTaken, lookAtBare, type UptakeState } from '../rules/uptake.ts';
import type { GuestStatistics, HostEvent } from '../port.ts';
import type { SimulatedDomain, SimulatedModule } from './model.ts';

/** A guest reports this long after it booted, and then as often. */
const guestBootMs = 5_000;
const reportPeriodMs = 2_000;
/** Simulated guests are x86_64, and small. */
const guestBlock = mib(128);
/** Until it is known what the guest answers after a change. */
const answerMs = 5;

/** When the guest makes the first report at or after `fromMs`. */
function nextReportAt(domain: SimulatedDomain, fromMs: number): number {
  const first = domain.bootedAtMs + guestBootMs;
  return first + Math.max(0, Math.ceil((fromMs - first) / reportPeriodMs)) * reportPeriodMs;
}

/** When the guest made its last report by `nowMs`; null: none. */
function lastReportAt(domain: SimulatedDomain, nowMs: number): number | null {
  const until = Math.min(domain.pausedAtMs ?? nowMs, domain.silentSinceMs ?? nowMs);
  const first = domain.bootedAtMs + guestBootMs;
  return until < first ? null : first + Math.floor((until - first) / reportPeriodMs) * reportPeriodMs;
}

/** What the guest has of memory at `atMs`, by its own account. */
export function guestMemory(domain: SimulatedDomain, atMs: number): Pick<GuestStatistics, 'total' | 'usable' | 'free'> {
  const plugged = domain.modules.filter((module) => module.onlineAtMs <= atMs);
  const parts = plugged.map(({ onlines }) => ({ size: onlines }));
  const sum = (parts: readonly { readonly size: Bytes }[]): number =>
    parts.reduce((total, { size }) => total + size, 0);
  // The kernel keeps some of its boot memory for itself; plugged memory shows in MemTotal to the byte, as measured.
  const own = domain.kept === null ? Math.floor(sum(domain.boot) * 0.96) : sum(domain.boot) - domain.kept;
  const total = own + sum(parts) - domain.inflated;
  const usable = bytes(Math.max(0, total - domain.used));
  return { total: bytes(total), usable, free: usable };
}

/**
 * Brings the guest's last report up to `nowMs`. To be called before anything is changed that a report shows: what is
 * due by now was made of the guest as it stood.
 */
export function takeReport(domain: SimulatedDomain, nowMs: number): void {
  const madeAtMs = domain.reports ? lastReportAt(domain, nowMs) : null;
  if (madeAtMs === null) {
    domain.report = null;
    return;
  }
  // It may have answered a question since.
  if (domain.report === null || domain.report.madeAtMs < madeAtMs) makeReport(domain, madeAtMs, null, nowMs);
}

function makeReport(domain: SimulatedDomain, madeAtMs: number, questionAtMs: number | null, nowMs: number): void {
  const answersAtMs = laterOf(questionAtMs, domain.report?.answersAtMs ?? null);
  // libvirt gives whole seconds, rounded down.
  const reportedAtMs = Math.floor(madeAtMs / 1000) * 1000;
  domain.report = { ...guestMemory(domain, madeAtMs), reportedAtMs, madeAtMs, answersAtMs };
  domain.departures = forgetDepartures(domain.departures, domain.report, nowMs);
}

/** Asks the guest what it has now. Whether it answers; one that has never reported, is paused or is late doesn't. */
export function askGuest(domain: SimulatedDomain, nowMs: number): boolean {
  takeReport(domain, nowMs);
  if (domain.report === null || domain.pausedAtMs !== null || domain.silentSinceMs !== null) return false;
  // What has happened in this millisecond had happened when the question was put.
  makeReport(domain, nowMs, nowMs + 1, nowMs);
  return true;
}

/** Takes a module out of the domain, whatever any guard would say; the agent sees it go. */
export function removeModule(domain: SimulatedDomain, module: SimulatedModule, nowMs: number): void {
  takeReport(domain, nowMs);
  const { report } = domain;
  if (report !== null && report.answersAtMs !== null) {
    domain.report = { ...report, answersAtMs: Math.min(report.answersAtMs, nowMs) };
  }
  domain.modules = domain.modules.filter((other) => other !== module);
  domain.modulesChangedAtMs = nowMs;
  domain.departures = [...domain.departures, { size: module.size, atMs: nowMs }];
}

/** An agent sees the domain for the first time: of what left before it knows only the marks. */
export function meetDomain(domain: SimulatedDomain, nowMs: number): void {
  takeReport(domain, nowMs);
  domain.uptake = null;
  domain.bare = null;
  domain.modulesChangedAtMs = null;
  domain.firstSeenAtMs = nowMs;
  domain.departures = findDepartures(null, domain.operations.marks, domain.modules, nowMs);
}

/** The guest's last report as the port gives it; null: there is none. */
export function guestStatistics(domain: SimulatedDomain, nowMs: number): GuestStatistics | null {
  takeReport(domain, nowMs);
  if (domain.report === null) return null;
  const { total, usable, free, reportedAtMs } = correctReport(domain.report, domain.departures);
  const { bootedAtMs } = domain;
  const evidence = { bootedAtMs, firstSeenAtMs: bootedAtMs, reportedAtMs };
  const [fresh, ofThisBoot] = [isFreshReport(evidence, nowMs), isReportOfThisBoot(evidence)];
  const state = uptakeState(domain, nowMs);
  const takenOfModules = computeTaken(domain.uptake, state, guestBlock);
  domain.bare = lookAtBare(domain.bare, state);
  const totalWithoutModules = domain.bare?.total ?? null;
  return { total, usable, free, reportedAtMs, fresh, ofThisBoot, takenOfModules, totalWithoutModules };
}

/** What is known of the guest's modules before a plug, or when one is to leave. */
export function uptakeState(domain: SimulatedDomain, nowMs: number): UptakeState {
  takeReport(domain, nowMs);
  const { bootedAtMs, departures, modules, report } = domain;
  const evidence = { bootedAtMs, firstSeenAtMs: bootedAtMs, reportedAtMs: report?.reportedAtMs ?? null };
  return {
    boot: `${domain.run}/${bootedAtMs}`,
    modules,
    bootSize: sumBytes(domain.boot.map(({ size }) => size)),
    isPlain: domain.inflated === 0,
    report: report && {
      ...report,
      fresh: isFreshReport(evidence, nowMs),
      isCorrected: isCorrected(report, departures),
      isSettled: isSettled(report, departures),
    },
  };
}

/** What telling of reports needs of the host. */
export type ReportContext = {
  readonly clock: Clock;
  readonly emit: (event: HostEvent) => void;
  /** Whether the domain is still on this host in the same run. */
  readonly isHere: (domain: SimulatedDomain, run: number) => boolean;
};

/** Tells watchers of the guest's next report at or after `fromMs`, and of those after it until one is taken as it is. */
export function tellReport(context: ReportContext, domain: SimulatedDomain, fromMs: number): void {
  if (!Number.isFinite(fromMs)) return;
  const { run } = domain;
  const nowMs = context.clock.now();
  context.clock.after(nextReportAt(domain, fromMs) - nowMs, () => {
    if (!context.isHere(domain, run) || domain.pausedAtMs !== null || domain.silentSinceMs !== null) return;
    context.emit({ kind: 'statistics', uuid: domain.uuid });
    takeReport(domain, context.clock.now());
    const { report, departures } = domain;
    if (report !== null && isCorrected(report, departures)) tellReport(context, domain, report.madeAtMs + 1);
  });
}

/** After a change: asks the guest when it must have noticed it, at `fromMs` or later, and tells watchers. */
export function followUp(context: ReportContext, domain: SimulatedDomain, fromMs: number): void {
  if (!Number.isFinite(fromMs)) return;
  const { run } = domain;
  context.clock.after(fromMs - context.clock.now() + answerMs, () => {
    if (!context.isHere(domain, run)) return;
    if (askGuest(domain, context.clock.now())) context.emit({ kind: 'statistics', uuid: domain.uuid });
    else tellReport(context, domain, context.clock.now());
  });
}
