import { setTimeout as delay } from 'node:timers/promises';

export type WaitOptions = {
  /** What is waited for, in words that complete "waited for ...". */
  readonly what: string;
  readonly timeoutMs: number;
  readonly intervalMs?: number;
  /** Added to the error, for example the tail of a log. */
  readonly details?: () => string | Promise<string>;
};

/**
 * Asks again and again until the answer is neither `undefined` nor `false`, and gives that answer.
 * What `probe` throws counts as "not yet" and is quoted when the time is over.
 */
export async function waitFor<T>(
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  options: WaitOptions,
): Promise<T> {
  const { what, timeoutMs, intervalMs = 50 } = options;
  const deadline = Date.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer;
      lastError = undefined;
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      lastError = error;
    }
    if (Date.now() >= deadline) {
      const details = (await options.details?.()) ?? '';
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}${details === '' ? '' : `\n${details}`}`, {
        cause: lastError,
      });
    }
    await delay(intervalMs);
  }
}

/** Thrown by a probe that knows that waiting longer is of no use. */
export class GiveUp extends Error {}
