/** What this process has heard about each run of a domain. Losing it costs time, never safety. */
import type { OperationState } from '../../memory/operation-state.ts';
import { emptyOperationState } from '../../memory/operation-state.ts';
import {
  type Departure,
  forgetDepartures,
  type ReportTime,
  type SeenModule,
} from '../../host/rules/report-correction.ts';
import type { GuestStatistics } from '../../host/port.ts';
import type { HiddenMemory } from '../repair/suspicion.ts';
import type { Repair } from '../repair/findings.ts';
import type { DomainMemoryStats } from '../../libvirt/domain/hypervisor.ts';

/** What the balloon said, and what is known of when. */
export type HeardReport = DomainMemoryStats & {
  /** When the question was put that the report certainly answers; null: the guest may have spoken by itself. */
  readonly answersAtMs: number | null;
  /** It was made after this: its second, the question that it answers, or a look that still showed another one. */
  readonly madeAfterMs: number;
  /** Just before it was last looked at. */
  readonly readAtMs: number;
};

export type Run = {
  readonly uuid: string;
  readonly runtimeId: string;
  /** When this process began to hear of the run without a gap, epoch milliseconds. */
  firstSeenAtMs: number;
  /** When the guest last started or was reset, as far as was heard; null: not heard of. */
  bootedAtMs: number | null;
  /** When the guest last refused a module, by alias. */
  readonly refusals: Map<string, number>;
  /** What the metadata said when it was last read or written. */
  operations: OperationState;
  /** The modules that the XML showed last; null: not read yet. */
  modules: readonly (SeenModule & { readonly alias: string | null })[] | null;
  /** Modules that left and that what the balloon says may still count. */
  departures: readonly Departure[];
  /** What the balloon said last: stands in while the domain is too busy to be asked. */
  statistics: HeardReport | null;
  /**
   * What the guest had said when a question was put, by us or by an agent before us, that may not be answered yet: QEMU
   * drops a question while another one is open, and what comes then answers that one. null: none is open.
   */
  unanswered: string | null;
  /** Memory that QEMU has and libvirt doesn't know of (see hidden-memory.ts); null: none. */
  hidden: HiddenMemory | null;
  /** A plug ended in the unknown: it has to be looked into QEMU for what it left behind (see orphans.ts). */
  suspected: boolean;
  /** What was found there and is being taken away; null: nothing. */
  repair: Repair | null;
  migrating: boolean;
  /** When statistics and migration were last asked for, with events heard ever since; 0: not yet. */
  askedAtMs: number;
  /** When somebody last observed the domain. */
  observedAtMs: number;
  /** The statistics that were last told to watchers. */
  told: GuestStatistics | null;
};

/**
 * Keeps what the balloon said.
 * @param readAtMs just before it was asked for that
 * @param answersAtMs when the question was put that it answers; null: not known
 */
export function takeStatistics(
  run: Run,
  statistics: DomainMemoryStats,
  readAtMs: number,
  answersAtMs: number | null = null,
): HeardReport {
  const before = run.statistics;
  const isSame = before?.report === statistics.report;
  // An answer of libvirt may have been overtaken by a later one; then nothing follows from what that showed.
  const stoodAtMs = before === null || before.readAtMs > readAtMs ? 0 : before.readAtMs;
  const heard: HeardReport = {
    ...statistics,
    answersAtMs: answersAtMs ?? (isSame ? before.answersAtMs : null),
    madeAfterMs: Math.max(statistics.lastUpdateMs ?? 0, answersAtMs ?? 0, isSame ? before.madeAfterMs : stoodAtMs),
    readAtMs,
  };
  if (before === null) run.unanswered = statistics.report;
  run.statistics = heard;
  run.departures = forgetDepartures(run.departures, timeOf(heard), readAtMs);
  return heard;
}

/** When a report was made; null: there is none. */
const timeOf = ({ lastUpdateMs, answersAtMs }: HeardReport): ReportTime | null =>
  lastUpdateMs === null ? null : { reportedAtMs: lastUpdateMs, answersAtMs };

/** libvirt says that the module of an alias has gone. */
export function noticeRemoval(run: Run, alias: string, nowMs: number): void {
  const gone = run.modules?.find((module) => module.alias === alias);
  if (gone === undefined) return;
  run.modules = run.modules?.filter((module) => module !== gone) ?? null;
  run.departures = [...run.departures, { size: gone.size, atMs: nowMs }];
}

export class Runs {
  readonly #runs = new Map<string, Run>();

  /** The run of the domain, begun anew when `runtimeId` is another one. */
  ensure(uuid: string, runtimeId: string, nowMs: number): Run {
    const known = this.#runs.get(uuid);
    if (known?.runtimeId === runtimeId) return known;
    const run: Run = {
      uuid,
      runtimeId,
      firstSeenAtMs: nowMs,
      bootedAtMs: null,
      refusals: new Map(),
      operations: emptyOperationState,
      modules: null,
      departures: [],
      statistics: null,
      unanswered: null,
      hidden: null,
      suspected: false,
      repair: null,
      migrating: false,
      askedAtMs: 0,
      observedAtMs: 0,
      told: null,
    };
    this.#runs.set(uuid, run);
    return run;
  }

  get(uuid: string): Run | undefined {
    return this.#runs.get(uuid);
  }

  delete(uuid: string): void {
    this.#runs.delete(uuid);
  }

  all(): readonly Run[] {
    return [...this.#runs.values()];
  }

  /** After a gap in the events a reset of any guest may have gone unnoticed. */
  noticeGap(nowMs: number): void {
    for (const run of this.#runs.values()) {
      run.firstSeenAtMs = nowMs;
      run.bootedAtMs = null;
      run.askedAtMs = 0;
      run.unanswered = run.statistics?.report ?? null;
      // libvirt reads the balloon anew when it starts.
      run.hidden = null;
    }
  }
}
