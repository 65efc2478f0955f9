/**
 * What a guest's report is corrected by. The guest says every 2 s what it has, a module leaves within 50 ms, and what
 * was said before counts memory that has gone: an unplug judged by it makes the guest kill its processes. So the size of
 * every module that left is taken off until a report is certainly newer. In doubt it is taken off, too: a guest that
 * seems to have too little is asked a moment later.
 *
 * Pure, and shared by the agent and the simulated host. Times are epoch milliseconds of the host's clock, by which QEMU
 * dates the reports as well.
 */
import { type Bytes, bytes } from '../../memory/bytes.ts';
import { isSameModule, type ModuleIdentity } from '../../memory/module.ts';
import type { Mark } from '../../memory/operation-state.ts';
import type { GuestStatistics } from '../port.ts';

/** A module that is gone. */
export type Departure = {
  readonly size: Bytes;
  /** When it was first known to be gone, which is never before it went. */
  readonly atMs: number;
};

/** What is known of a module that is, or was, there. */
export type SeenModule = ModuleIdentity & { readonly size: Bytes };

/** Whether it is the same, and as large. */
export const isSameSeen = (a: SeenModule, b: SeenModule): boolean => isSameModule(a, b) && a.size === b.size;

/**
 * A guest gathers its numbers before it hands them over, and that moment QEMU dates, in whole seconds rounded down. A
 * busy guest may take its time in between.
 */
const gatheringMs = 500;
/** Answers of libvirt overtake each other by no more than this: the deadline of a reading call is 10 s. */
const overtakingMs = 30_000;

/** When a report was made, as far as that is known. */
export type ReportTime = {
  /** As QEMU dates it: whole seconds, rounded down. */
  readonly reportedAtMs: number;
  /**
   * When the newest question was put that was certainly answered by then, by this report or by one before it: a guest
   * gathers the numbers of each after it has handed over those of the last. null: none is known, it may have spoken by
   * itself.
   */
  readonly answersAtMs: number | null;
};

/** The later of two questions that a report answers; null: it is known of none. */
export const laterOf = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.max(a, b);

/** Whether a report was certainly made after something that happened at `atMs`: when a module had gone, or had come. */
export const isAfter = ({ reportedAtMs, answersAtMs }: ReportTime, { atMs }: Pick<Departure, 'atMs'>): boolean =>
  (answersAtMs !== null && answersAtMs > atMs) || reportedAtMs >= atMs + gatheringMs;

/** The report without what left after it was made, or may have. Never below 0. */
export function correctReport<T extends Pick<GuestStatistics, 'total' | 'usable' | 'free'> & ReportTime>(
  report: T,
  departures: readonly Departure[],
): T {
  const gone = departures.reduce((sum, each) => (isAfter(report, each) ? sum : sum + each.size), 0);
  if (gone === 0) return report;
  const without = (size: Bytes): Bytes => bytes(Math.max(0, size - gone));
  return { ...report, total: without(report.total), usable: without(report.usable), free: without(report.free) };
}

/** Whether a report needs correcting. */
export const isCorrected = (report: ReportTime, departures: readonly Departure[]): boolean =>
  departures.some((departure) => !isAfter(report, departure));

/**
 * How long after a departure a report tells what the guest has without the module, and not what it had while it gave the
 * module up block by block. It was seen dated 500 ms and more late, by a QEMU that was freeing 3 GiB beside other work:
 * the one after it, which comes 2 s later, is not.
 */
const settlingMs = 3_000;

/** Whether nothing of the modules that left can be in a report: it is what others are measured by from then on. */
export const isSettled = ({ reportedAtMs, answersAtMs }: ReportTime, departures: readonly Departure[]): boolean =>
  departures.every(({ atMs }) => (answersAtMs !== null && answersAtMs > atMs) || reportedAtMs >= atMs + settlingMs);

/**
 * The departures without those that no report still to be judged can be older than. One is kept for a while after a
 * newer report was seen: an older one may arrive after it.
 */
export function forgetDepartures(
  departures: readonly Departure[],
  report: ReportTime | null,
  nowMs: number,
): readonly Departure[] {
  if (report === null) return departures;
  const isOver = (each: Departure): boolean => isAfter(report, each) && nowMs - each.atMs >= overtakingMs;
  return departures.some(isOver) ? departures.filter((each) => !isOver(each)) : departures;
}

/**
 * The modules that went between two looks, gone as of now. At the first look (`before` is null) the marks tell: of a
 * module that was asked for and isn't there nobody knows when it left, so it has just left.
 */
export function findDepartures(
  before: readonly SeenModule[] | null,
  marks: readonly Mark[],
  modules: readonly ModuleIdentity[],
  nowMs: number,
): readonly Departure[] {
  return (before ?? marks)
    .filter((seen) => !modules.some((module) => isSameModule(module, seen)))
    .map(({ size }) => ({ size, atMs: nowMs }));
}
