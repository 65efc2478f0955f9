/** Growing delays. */

export type BackoffLimits = { readonly initialMs: number; readonly maxMs: number };

/**
 * The delay before try number `attempt` + 2: doubles from `initialMs` up to `maxMs`, less up to a quarter by chance,
 * so that many clients of one server don't come back in step.
 * @param attempt failures before this one, 0 or more
 * @param random 0 (included) to 1 (excluded)
 */
export function computeBackoffMs(attempt: number, limits: BackoffLimits, random: () => number): number {
  const full = Math.min(limits.maxMs, limits.initialMs * 2 ** Math.min(attempt, 30));
  return Math.round(full * (1 - random() / 4));
}
