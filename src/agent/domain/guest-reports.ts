/**
 * What the guest of a run has said of its memory, and what of that is known: when it was made, which question it answers,
 * and what has left since (host/rules/report-correction.ts).
 */
import { type Departure, forgetDepartures, laterOf, type ReportTime } from '../../host/rules/report-correction.ts';
import type { MemoryStatistics } from '../driver.ts';

/** What the balloon said, and what is known of when. */
export type HeardReport = MemoryStatistics & {
  /** See {@link ReportTime}. */
  readonly answersAtMs: number | null;
  /** It was made after this: its second, the question that it answers, or a look that still showed another one. */
  readonly madeAfterMs: number;
  /** The first look that showed it. */
  readonly seenAtMs: number;
  /** Just before it was last looked at. */
  readonly readAtMs: number;
};

/** A look at what the balloon says, before it has brought anything. */
export type StatisticsLook = {
  /** When it began. Epoch milliseconds. */
  readonly atMs: number;
  /** The newest question that had been answered by then; null: none that is known. */
  readonly answeredAtMs: number | null;
};

/** When a report was made; null: there is none. */
const timeOf = ({ lastUpdateMs, answersAtMs }: HeardReport): ReportTime | null =>
  lastUpdateMs === null ? null : { reportedAtMs: lastUpdateMs, answersAtMs };

export class GuestReports {
  #last: HeardReport | null = null;
  #departures: readonly Departure[] = [];
  /** When the newest question was put that is known to be answered; null: none is. */
  #answeredAtMs: number | null = null;
  /**
   * What the guest had said when a question was put, by us or by an agent before us, that may not be answered yet: QEMU
   * drops a question while another one is open, and what comes then answers that one. null: none is open.
   */
  #unanswered: string | null = null;

  /** What the balloon said last: stands in while the domain is too busy to be asked. */
  get last(): HeardReport | null {
    return this.#last;
  }

  /** Modules that left and that what the balloon says may still count. */
  get departures(): readonly Departure[] {
    return this.#departures;
  }

  sawDepartures(gone: readonly Departure[]): void {
    if (gone.length > 0) this.#departures = [...this.#departures, ...gone];
  }

  /** Somebody else may have asked meanwhile. */
  noticedGap(): void {
    this.#unanswered = this.#last?.report ?? null;
  }

  /** The guest goes on where it stood, maybe from before it was asked. */
  heardReturn(): void {
    this.#answeredAtMs = null;
  }

  /** To be called just before the balloon is looked at. */
  beginLook(nowMs: number): StatisticsLook {
    return { atMs: nowMs, answeredAtMs: this.#answeredAtMs };
  }

  /**
   * Keeps what the balloon said.
   * @param look as it began
   * @param questionAtMs when the question was put that it answers; null: not known
   */
  took(statistics: MemoryStatistics, look: StatisticsLook, questionAtMs: number | null = null): HeardReport {
    const readAtMs = look.atMs;
    const before = this.#last;
    const isSame = before?.report === statistics.report;
    // An answer of libvirt may have been overtaken by a later one; then nothing follows from what that showed.
    const stoodAtMs = before === null || before.readAtMs > readAtMs ? 0 : before.readAtMs;
    // Those that overtake each other both began before either was known: what the later one is after shows in `look` alone.
    const answersAtMs = laterOf(questionAtMs, laterOf(look.answeredAtMs, isSame ? before.answersAtMs : null));
    const heard: HeardReport = {
      ...statistics,
      answersAtMs,
      madeAfterMs: Math.max(statistics.lastUpdateMs ?? 0, answersAtMs ?? 0, isSame ? before.madeAfterMs : stoodAtMs),
      seenAtMs: isSame ? before.seenAtMs : readAtMs,
      readAtMs,
    };
    if (before === null) this.#unanswered = statistics.report;
    this.#last = heard;
    this.#answeredAtMs = laterOf(this.#answeredAtMs, answersAtMs);
    this.#departures = forgetDepartures(this.#departures, timeOf(heard), readAtMs);
    return heard;
  }

  /**
   * A question is put to the guest, whose last report is `report`. Whether an earlier one may still be open, which the
   * next report then answers.
   */
  beganQuestion(report: string | null): boolean {
    const mayBeOpen = this.#unanswered === report;
    this.#unanswered = report;
    return mayBeOpen;
  }

  /** @param open the report after which a question may still be open; null: none is */
  endedQuestion(open: string | null): void {
    this.#unanswered = open;
  }
}
