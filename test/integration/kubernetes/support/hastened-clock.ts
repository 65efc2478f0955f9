import { type Clock, systemClock } from '../../../../src/runtime/clock.ts';

/** A clock on which time goes by `factor` times as fast, from now on: a minute of waiting for a guest is 6 s at 10. */
export function hastenedClock(factor: number): Clock {
  const [startMs, startMonotonic] = [systemClock.now(), systemClock.monotonic()];
  return {
    now: () => Math.round(startMs + (systemClock.now() - startMs) * factor),
    monotonic: () => startMonotonic + (systemClock.monotonic() - startMonotonic) * factor,
    after: (ms, callback) => systemClock.after(ms / factor, callback),
  };
}
