/**
 * What a guest has taken of the modules that were plugged into it. An unplug costs it no more than that: memory that it
 * never took can be taken out again although it is short of memory. Only where that is certain; everything else counts as
 * taken in full. Pure, shared by the agent and the simulated host; see docs/adr/0032-addresses-and-the-way-back.md.
 *
 * Times are epoch milliseconds of the host's clock.
 */
import { type Bytes, bytes, sumBytes } from '../../memory/bytes.ts';
import { isAfter, isSameSeen, type SeenModule } from './report-correction.ts';

/** What the guest had before the first of the modules that it has. */
export type Uptake = {
  /** Which boot of which run; see {@link UptakeState}. */
  readonly boot: string;
  readonly totalBefore: Bytes;
  /** All that were plugged since. */
  readonly modules: readonly SeenModule[];
  /** When the last of them was. */
  readonly pluggedAtMs: number;
};

/** A report of the guest as far as it is judged here. */
export type TotalReport = {
  readonly total: Bytes;
  readonly fresh: boolean;
  readonly reportedAtMs: number;
  /** See `ReportTime` in report-correction.ts. */
  readonly answersAtMs: number | null;
  /** Whether memory that left may still be counted in it, or was taken off in doubt. */
  readonly isCorrected: boolean;
  /** Whether nothing of what left can be in it any more; see `isSettled` in report-correction.ts. */
  readonly isSettled: boolean;
};

export type UptakeState = {
  /** Another text after every boot of the guest and every gap in what was heard of it. */
  readonly boot: string;
  readonly modules: readonly SeenModule[];
  /** What it booted with. */
  readonly bootSize: Bytes;
  /** Whether nothing but boot memory and modules makes up the guest's total: no inflated balloon, no virtio-mem. */
  readonly isPlain: boolean;
  readonly report: TotalReport | null;
};

const isComplete = (uptake: Uptake, modules: readonly SeenModule[]): boolean =>
  modules.every((module) => uptake.modules.some((known) => isSameSeen(known, module)));

/** What the guest has in a boot without any module: what its kernel keeps for itself isn't in it. */
export type BareGuest = { readonly boot: string; readonly total: Bytes };

/** A report by which a guest without modules can be measured; null: this one isn't. No kernel has more than it booted with. */
const measureOf = ({ report, bootSize }: UptakeState): TotalReport | null =>
  report?.fresh === true && !report.isCorrected && report.isSettled && report.total <= bootSize ? report : null;

/** After a look at the guest: that is learned while it has no module, and holds until it boots again. */
export function lookAtBare(bare: BareGuest | null, state: UptakeState): BareGuest | null {
  const { boot, modules, isPlain } = state;
  const report = measureOf(state);
  if (modules.length === 0 && isPlain && report !== null) return { boot, total: report.total };
  return bare?.boot === boot ? bare : null;
}

/** Before a plug: what is known then; null: of the module to come it won't be known. */
export function beforePlug(uptake: Uptake | null, state: UptakeState): Uptake | null {
  const { boot, modules, isPlain } = state;
  if (modules.length > 0) return uptake?.boot === boot && isComplete(uptake, modules) ? uptake : null;
  if (!isPlain) return null;
  // A module that has just left may still be counted: then what it had without any stands from before.
  const report = measureOf(state);
  if (report === null) return uptake?.boot === boot ? { ...uptake, modules: [] } : null;
  return { boot, totalBefore: report.total, modules: [], pluggedAtMs: 0 };
}

/** After it: `module` is there. */
export const afterPlug = (uptake: Uptake | null, module: SeenModule, nowMs: number): Uptake | null =>
  uptake && { ...uptake, modules: [...uptake.modules, module], pluggedAtMs: nowMs };

/**
 * What the guest has of all its modules together, in whole blocks, from 0 to their size; null: not known for certain, all
 * of it counts as taken. One sum: which module it has it of can't be told.
 * @param block the guest's memory block, or more
 */
export function computeTaken(uptake: Uptake | null, state: UptakeState, block: Bytes): Bytes | null {
  const { boot, modules, isPlain, report } = state;
  if (uptake?.boot !== boot || !isComplete(uptake, modules) || !isPlain) return null;
  // A report from before the plug says nothing of it.
  if (report?.fresh !== true || report.isCorrected || !isAfter(report, { atMs: uptake.pluggedAtMs })) return null;
  const taken = report.total - uptake.totalBefore;
  // It gave up some of what it had before: then the total says nothing of the modules.
  if (taken < 0) return null;
  return bytes(Math.min(sumBytes(modules.map(({ size }) => size)), Math.ceil(taken / block) * block));
}

/** What it costs the guest when `size` of its modules go. */
export const costOf = (size: number, taken: Bytes | null): number => Math.min(size, taken ?? Infinity);
