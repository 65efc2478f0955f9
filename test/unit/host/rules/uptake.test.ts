import { describe, expect, it } from 'vitest';
import {
  afterPlug,
  beforePlug,
  computeTaken,
  costOf,
  lookAtBare,
  type TotalReport,
  type Uptake,
  type UptakeState,
} from '../../../../src/host/rules/uptake.ts';
import { isSettled } from '../../../../src/host/rules/report-correction.ts';
import { bytes, type Bytes, gib, mib } from '../../../../src/memory/bytes.ts';

const block = mib(128);
const nowMs = 1_000_000;
const module = (slot: number, size: Bytes) => ({ slot, base: bytes(gib(4) + slot * gib(1)), size });
const [first, second] = [module(0, mib(512)), module(1, mib(512))];
const report = (total: Bytes, more: Partial<TotalReport> = {}): TotalReport => ({
  ...{ total, fresh: true, reportedAtMs: nowMs, answersAtMs: nowMs + 2_000, isCorrected: false, isSettled: true },
  ...more,
});
const state = (total: Bytes, more: Partial<UptakeState> = {}): UptakeState => ({
  ...{ boot: 'run/1', bootSize: mib(512), modules: [first], isPlain: true, report: report(total) },
  ...more,
});
/** A guest of 400 MiB before its first module. */
const plugged = (...modules: readonly (typeof first)[]): Uptake => {
  let uptake = beforePlug(null, state(mib(400), { modules: [] }));
  for (const one of modules) uptake = afterPlug(uptake, one, nowMs);
  if (uptake === null) throw new Error('the guest has said what it had');
  return uptake;
};
const taken = (total: Bytes, more: Partial<UptakeState> = {}, uptake = plugged(first)): Bytes | null =>
  computeTaken(uptake, state(total, more), block);

describe('what a guest has taken of its modules', () => {
  it.each([
    [400, 0],
    [401, 128],
    [528, 128],
    [529, 256],
    [912, 512],
    // It may have found memory elsewhere: never more than the modules.
    [2000, 512],
  ])('is what its total has grown by, in whole blocks: %i MiB', (total, expected) => {
    expect(taken(mib(total))).toBe(mib(expected));
  });

  it('is one sum of several: which of them it is of is not known', () => {
    const both = { modules: [first, second] };
    const uptake = plugged(first, second);
    expect(taken(mib(400), both, uptake)).toBe(0);
    expect(taken(mib(656), both, uptake)).toBe(mib(256));
    // One of them has left since.
    expect(taken(mib(400), { modules: [second] }, uptake)).toBe(0);
    expect(taken(mib(912), { modules: [second] }, uptake)).toBe(mib(512));
  });

  it.each<[string, Partial<UptakeState>]>([
    ['after another boot, or a gap in what was heard', { boot: 'run/2' }],
    ['of a module whose plug was not seen', { modules: [first, second] }],
    ['of another module in the same slot', { modules: [{ ...first, base: bytes(gib(8)) }] }],
    ['with an inflated balloon, or virtio-mem', { isPlain: false }],
    ['without a report', { report: null }],
    ['by an old report', { report: report(mib(400), { fresh: false }) }],
    ['by one from before the plug', { report: report(mib(400), { answersAtMs: null }) }],
    ['by one that memory which left is taken off from', { report: report(mib(400), { isCorrected: true }) }],
    ['when it has less than before the plug', { report: report(mib(399)) }],
  ])('is not known %s', (_what, more) => {
    expect(taken(mib(400), more)).toBeNull();
  });

  it.each<[string, Partial<UptakeState>]>([
    ['with a module that was there before', { modules: [second] }],
    ['with an inflated balloon', { modules: [], isPlain: false }],
    ['without a report', { modules: [], report: null }],
    ['with a report of an earlier time', { modules: [], report: report(mib(400), { fresh: false }) }],
    ['with one in doubt', { modules: [], report: report(mib(400), { isCorrected: true }) }],
    ['with one that came too soon after a departure', { modules: [], report: report(mib(400), { isSettled: false }) }],
    ['with one of more than it booted with', { modules: [], report: report(mib(513)) }],
  ])('can not be known later %s', (_what, more) => {
    const before = beforePlug(null, state(mib(400), more));
    expect(before).toBeNull();
    expect(afterPlug(before, first, nowMs)).toBeNull();
  });

  it('begins anew when all modules have gone, and ends with one that somebody else plugs', () => {
    const uptake = plugged(first);
    expect(beforePlug(uptake, state(mib(300), { modules: [] }))?.totalBefore).toBe(mib(300));
    const inDoubt = { modules: [], report: report(mib(0), { isCorrected: true }) };
    expect(beforePlug(uptake, state(mib(0), inDoubt))).toMatchObject({ totalBefore: mib(400), modules: [] });
    expect(beforePlug(uptake, state(mib(0), { ...inDoubt, boot: 'run/2' }))).toBeNull();
    expect(beforePlug(uptake, state(mib(912)))).toBe(uptake);
    expect(beforePlug(uptake, state(mib(912), { modules: [first, second] }))).toBeNull();
    expect(beforePlug(uptake, state(mib(912), { boot: 'run/2' }))).toBeNull();
  });

  it('is the most that an unplug costs', () => {
    expect([costOf(mib(512), null), costOf(mib(512), mib(128)), costOf(mib(128), mib(512))]).toEqual([
      mib(512),
      mib(128),
      mib(128),
    ]);
  });
});

describe('what a guest has without modules', () => {
  const without = { modules: [] };
  const seen = lookAtBare(null, state(mib(400), without));

  it('is learned while it has none, and holds while it has some, in one boot', () => {
    expect(seen).toEqual({ boot: 'run/1', total: mib(400) });
    expect(lookAtBare(seen, state(mib(912)))).toBe(seen);
    expect(lookAtBare(seen, state(mib(380), without))).toEqual({ boot: 'run/1', total: mib(380) });
    expect(lookAtBare(seen, state(mib(912), { boot: 'run/2' }))).toBeNull();
  });

  it.each<[string, Partial<UptakeState>]>([
    ['with an inflated balloon', { isPlain: false }],
    ['that says nothing', { report: null }],
    ['whose report is old', { report: report(mib(400), { fresh: false }) }],
    ['of whose modules one has just left', { report: report(mib(400), { isCorrected: true }) }],
    ['that may have said it while it gave one up', { report: report(mib(400), { isSettled: false }) }],
    ['that says more than it booted with', { report: report(mib(513)) }],
  ])('is not learned of a guest %s', (_name, more) => {
    expect(lookAtBare(null, state(mib(400), { ...without, ...more }))).toBeNull();
  });
});

describe('a report after a departure', () => {
  const gone = [{ size: mib(512), atMs: 10_000 }];

  it.each<[string, number, number | null, boolean]>([
    ['dated right after it may have been gathered before', 11_000, null, false],
    ['dated one report later is of a guest without it', 13_000, null, true],
    ['that answers a question put after it is, too', 10_000, 10_001, true],
    ['that answers one put before it is not', 10_000, 9_999, false],
  ])('%s', (_name, reportedAtMs, answersAtMs, expected) => {
    expect(isSettled({ reportedAtMs, answersAtMs }, gone)).toBe(expected);
    expect(isSettled({ reportedAtMs, answersAtMs }, [])).toBe(true);
  });
});
