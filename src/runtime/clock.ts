/** Time is injected, so that tests decide what time it is and nobody sleeps for luck. */

/** A running timer. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds since some moment; never set back, as the time of day is: for how long something took. */
  monotonic(): number;
  /** Calls `callback` once after `ms` milliseconds; soon where that is past. The timer doesn't keep the process alive. */
  after(ms: number, callback: () => void): Timer;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback) {
    // Longer delays than setTimeout can hold (2^31 - 1 ms) would fire at once, and Node warns of negative ones.
    const handle = setTimeout(callback, Math.max(0, Math.min(ms, 2_147_483_647)));
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};
