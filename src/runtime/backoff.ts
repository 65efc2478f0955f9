/** Growing delays. */

export type BackoffLimits = { readonly initialMs: number; readonly maxMs: number };

/** Doubles from `initialMs` up to `maxMs`. @param attempt attempts before this one; below 0 counts as 0 */
export const computeDelayMs = (attempt: number, { initialMs, maxMs }: BackoffLimits): number =>
  Math.min(maxMs, initialMs * 2 ** Math.min(Math.max(0, attempt), 30));

/**
 * The delay before try number `attempt` + 2: doubles from `initialMs` up to `maxMs`, less up to a quarter by chance,
 * so that many clients of one server don't come back in step.
 * @param attempt failures before this one, 0 or more
 * @param random 0 (included) to 1 (excluded)
 */
export function computeBackoffMs(attempt: number, limits: BackoffLimits, random: () => number): number {
  return Math.round(computeDelayMs(attempt, limits) * (1 - random() / 4));
}
