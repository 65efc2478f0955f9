/**
 * When to look at what a guest has said, so that it is known closely when it said it. A report is dated by the second,
 * and QEMU asks the guest again when the report is as old as the period: whether it has done so just now decides
 * whether a question of ours may be dropped (questions.ts). One look right before each report is due costs no more than
 * one at any moment, and what comes next was made after it.
 */

/** How often looks come, ms; a guest that nobody has set another period for reports as often. */
export const lookPeriodMs = 2_000;

/** The first step: a report's date leaves a second open. */
const firstStepMs = 256;
/** Reports come a few ms later from one to the next: the time that the guest takes is added to the period. */
const leastStepMs = 24;
/** Back from a report, and so long not there again: where it was there at a look, the next question is in doubt. ms */
const backMs = 3 * leastStepMs;
/** Known that closely, nothing has to be found out. */
const closeMs = 100;

export type LookTimes = {
  /** When to look next. Epoch ms. */
  readonly nextMs: number;
  /** By how much later than a period the look after that comes, as long as no report comes before it. ms */
  readonly stepMs: number;
};

/** What was seen at a look. Epoch ms. */
export type Look = {
  readonly atMs: number;
  /** The whole second in which the report was made; null: there is none. */
  readonly lastUpdateMs: number | null;
  /** It was made after this and before `seenAtMs`, the first look that showed it. */
  readonly madeAfterMs: number;
  readonly seenAtMs: number;
};

/** When to look next after a look at which nothing could be read. */
export const lookAgain = (times: LookTimes | null, atMs: number): LookTimes => ({
  nextMs: atMs + lookPeriodMs,
  stepMs: times?.stepMs ?? firstStepMs,
});

/**
 * When to look next. Looks creep towards the moment of the report, step by step, and go back by one when the report was
 * there already; each time with half the step, down to 24 ms.
 * @param times what came out after the look before; null: there was none
 */
export function planLook(times: LookTimes | null, look: Look): LookTimes {
  const { atMs, lastUpdateMs, madeAfterMs, seenAtMs } = look;
  if (lastUpdateMs === null) return lookAgain(times, atMs);
  // An answer to a question is known to the millisecond.
  if (seenAtMs - madeAfterMs <= closeMs) return { nextMs: nextDue(madeAfterMs, atMs), stepMs: leastStepMs };
  if (times === null) return { nextMs: nextDue(lastUpdateMs, atMs), stepMs: firstStepMs };
  const { stepMs } = times;
  const isThere = lastUpdateMs > atMs - 0.75 * lookPeriodMs;
  return isThere
    ? { nextMs: atMs + lookPeriodMs - stepMs - backMs, stepMs: Math.max(leastStepMs, stepMs / 2) }
    : { nextMs: atMs + lookPeriodMs + stepMs, stepMs };
}

/** The next moment, a few ms early, at which a guest reports that has reported at `madeMs` or later. */
function nextDue(madeMs: number, nowMs: number): number {
  const early = madeMs - leastStepMs;
  const periods = Math.max(1, Math.floor((nowMs - early) / lookPeriodMs) + 1);
  return early + periods * lookPeriodMs;
}
