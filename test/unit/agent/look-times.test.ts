import { describe, expect, it } from 'vitest';
import { type Look, lookAgain, type LookTimes, planLook } from '../../../src/agent/guest/look-times.ts';

type Pace = { readonly firstMs: number; readonly lagMs: (nth: number) => number };

const secondOf = (ms: number): number => Math.floor(ms / 1000) * 1000;

/**
 * Looks for 5 minutes at a guest that reports every 2 s and `lagMs` later from one report to the next.
 * @returns the looks, and at how many of all moments after 45 s QEMU may have asked by itself, as far as looks tell
 */
function lookFor({ firstMs, lagMs }: Pace, plan: (times: LookTimes | null, look: Look) => LookTimes) {
  const endMs = 300_000;
  const reports: number[] = [];
  for (let atMs = firstMs; atMs < endMs; atMs += 2_000 + lagMs(reports.length)) reports.push(atMs);
  const reportAt = (ms: number): number => reports.findLast((reportMs) => reportMs <= ms) ?? firstMs;
  const looks: number[] = [];
  const madeAfter = (made: number): number => Math.max(secondOf(made), looks.findLast((lookMs) => lookMs < made) ?? 0);
  let times: LookTimes | null = null;
  for (let atMs = 3_000; atMs < endMs; atMs = times.nextMs) {
    const made = reportAt(atMs);
    const seenAtMs = looks.find((lookMs) => lookMs >= made) ?? atMs;
    times = plan(times, { atMs, lastUpdateMs: secondOf(made), madeAfterMs: madeAfter(made), seenAtMs });
    looks.push(atMs);
  }
  let [moments, doubtful] = [0, 0];
  for (let ms = 45_000; ms < endMs; ms += 13) {
    moments += 1;
    if (madeAfter(reportAt(ms)) + 2_000 <= ms) doubtful += 1;
  }
  return { looks, doubtful: doubtful / moments };
}

describe('planLook', () => {
  it.each([
    ['as exactly as a clock', () => 0],
    ['a little later each time', () => 7],
    ['with a pace of its own', (nth: number) => (nth * 37) % 20],
  ])('leaves few moments in doubt, with no more looks, where a guest reports %s', (_, lagMs) => {
    const [planned, atAnyMoment]: [number[], number[]] = [[], []];
    for (let firstMs = 1_000; firstMs < 3_000; firstMs += 111) {
      const { looks, doubtful } = lookFor({ firstMs, lagMs }, planLook);
      expect(looks.length).toBeLessThan(300 / 1.95);
      planned.push(doubtful);
      atAnyMoment.push(lookFor({ firstMs, lagMs }, (__, { atMs }) => lookAgain(null, atMs)).doubtful);
    }
    const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
    expect(sum(planned)).toBeLessThan(sum(atAnyMoment) / 3);
  });

  it('knows at once where an answer to a question gives the moment', () => {
    const answered = { lastUpdateMs: 20_000, madeAfterMs: 20_300, seenAtMs: 20_310 };
    expect(planLook(null, { ...answered, atMs: 21_000 })).toEqual({ nextMs: 22_276, stepMs: 24 });
    expect(planLook(null, { ...answered, atMs: 22_276 })).toEqual({ nextMs: 24_276, stepMs: 24 });
  });

  it('looks every two seconds at a guest that says nothing', () => {
    const silent = { atMs: 5_000, lastUpdateMs: null, madeAfterMs: 0, seenAtMs: 5_000 };
    expect(planLook(null, silent)).toEqual({ nextMs: 7_000, stepMs: 256 });
    expect(lookAgain({ nextMs: 5_000, stepMs: 32 }, 5_000)).toEqual({ nextMs: 7_000, stepMs: 32 });
  });
});
