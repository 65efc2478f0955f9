import { describe, expect, it } from 'vitest';
import {
  correctReport,
  type Departure,
  findDepartures,
  forgetDepartures,
  isCorrected,
} from '../../../../src/host/rules/report-correction.ts';
import { bytes, GiB, mib } from '../../../../src/memory/bytes.ts';
import type { Mark } from '../../../../src/memory/operation-state.ts';

const report = { total: mib(2000), usable: mib(900), free: mib(700), reportedAtMs: 10_000, answersAtMs: null };
const departure: Departure = { size: mib(512), atMs: 10_000 };

describe('a report made before a module left', () => {
  it('is without the module, all three of its numbers', () => {
    expect(correctReport(report, [departure])).toEqual({
      ...report,
      total: mib(1488),
      usable: mib(388),
      free: mib(188),
    });
    expect(correctReport(report, [departure, { ...departure, size: mib(256) }])).toMatchObject({ usable: mib(132) });
  });

  it('never says less than nothing', () => {
    const all = { ...departure, size: mib(4096) };
    expect(correctReport(report, [all])).toMatchObject({ total: 0, usable: 0, free: 0 });
  });

  it('counts as such until it is certainly newer', () => {
    // Rounded down to whole seconds, and gathered up to half a second before.
    for (const [atMs, corrected] of [
      [9_000, false],
      [9_500, false],
      [9_501, true],
      [10_000, true],
      [30_000, true],
    ] as const) {
      expect([atMs, isCorrected(report, [{ ...departure, atMs }])]).toEqual([atMs, corrected]);
      expect(correctReport(report, [{ ...departure, atMs }]) === report).toBe(!corrected);
    }
    expect(correctReport(report, [])).toBe(report);
  });

  it('is newer for certain when it answers a question that was put later, whatever its second', () => {
    for (const [answersAtMs, corrected] of [
      [9_999, true],
      // In the same millisecond, who knows.
      [10_000, true],
      [10_001, false],
    ] as const) {
      const answer = { ...report, answersAtMs };
      expect([answersAtMs, isCorrected(answer, [departure])]).toEqual([answersAtMs, corrected]);
      expect(correctReport(answer, [departure]) === answer).toBe(!corrected);
    }
  });
});

describe('departures', () => {
  const module = { slot: 0, base: bytes(4 * GiB), size: mib(512) };
  const mark = { ...module, phase: 'resting' } as Mark;

  it('are what was there at the last look and is not there now', () => {
    const other = { slot: 1, base: bytes(5 * GiB), size: mib(256) };
    expect(findDepartures([module, other], [], [other], 7)).toEqual([{ size: mib(512), atMs: 7 }]);
    expect(findDepartures([module], [], [module, other], 7)).toEqual([]);
    // Another module in the same slot is another module.
    expect(findDepartures([module], [], [{ ...module, base: other.base }], 7)).toEqual([{ size: mib(512), atMs: 7 }]);
    // Who has looked before needs no marks.
    expect(findDepartures([], [mark], [], 7)).toEqual([]);
  });

  it('are what the marks name and is not there, at the first look', () => {
    expect(findDepartures(null, [mark], [], 7)).toEqual([{ size: mib(512), atMs: 7 }]);
    expect(findDepartures(null, [{ ...mark, phase: 'leaving' }], [], 7)).toHaveLength(1);
    expect(findDepartures(null, [{ ...mark, phase: 'leaving' }], [module], 7)).toEqual([]);
  });

  it('are kept while an older report may still arrive', () => {
    const departures = [departure];
    expect(forgetDepartures(departures, null, 1_000_000)).toBe(departures);
    const at = (reportedAtMs: number) => ({ reportedAtMs, answersAtMs: null });
    expect(forgetDepartures(departures, at(10_499), 1_000_000)).toBe(departures);
    expect(forgetDepartures(departures, at(12_000), 39_999)).toBe(departures);
    expect(forgetDepartures(departures, at(12_000), 40_000)).toEqual([]);
  });
});
