/** What is remembered of a run, as far as it bears on what the guest is believed to have. */
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../../src/agent/admission.ts';
import { DomainReader } from '../../../src/agent/domain/reader.ts';
import { HostMemory } from '../../../src/agent/host-memory.ts';
import { toGuestStatistics } from '../../../src/agent/domain/observed-guest.ts';
import { RunningDomain } from '../../../src/agent/domain/running-domain.ts';
import { RunningDomains } from '../../../src/agent/domain/running-domains.ts';
import type { DomainDescription } from '../../../src/agent/domain/description.ts';
import type { Driver } from '../../../src/agent/driver.ts';
import { bytes, GiB, gib, mib } from '../../../src/memory/bytes.ts';
import type { Mark } from '../../../src/memory/operation-state.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const module = { slot: 0, base: bytes(4 * GiB), size: mib(512), alias: 'ua-dimmer-0' };
const statistics = (lastUpdateMs: number) => ({
  ...{ available: mib(1500), usable: mib(800), unused: mib(600), balloon: null },
  lastUpdateMs,
  report: `reported at ${lastUpdateMs}`,
});

describe('what the balloon said', () => {
  const run = () => {
    const it = new RunningDomain('u', 'run', 0);
    it.sawModules([module], [], 0);
    it.reports.took(statistics(20_000), it.reports.beginLook(20_300));
    return it;
  };

  it('is without a module from the moment that libvirt says it has gone', () => {
    const one = run();
    expect(toGuestStatistics(one.reports.last, one, 21_000)).toMatchObject({ total: mib(1500), usable: mib(800) });
    one.heardRemoval('ua-dimmer-0', 21_000);
    const corrected = { total: mib(988), usable: mib(288), free: mib(88), fresh: true };
    expect(toGuestStatistics(one.reports.last, one, 21_050)).toMatchObject(corrected);
    // The event comes once, but who knows.
    one.heardRemoval('ua-dimmer-0', 21_060);
    expect(toGuestStatistics(one.reports.last, one, 21_070)).toMatchObject(corrected);
    one.reports.took(statistics(22_000), one.reports.beginLook(22_100));
    expect(toGuestStatistics(one.reports.last, one, 22_200)).toMatchObject({ usable: mib(800) });
    // An answer that was overtaken by a newer one.
    one.reports.took(statistics(20_000), one.reports.beginLook(22_300));
    expect(toGuestStatistics(one.reports.last, one, 22_400)).toMatchObject(corrected);
    one.reports.took(statistics(60_000), one.reports.beginLook(60_100));
    expect(one.reports.departures).toEqual([]);
  });

  describe('after a module that has left, once the guest has answered without it', () => {
    /** It left at 21.6 s; the answer is dated in the second of that, and so may be older by its date. */
    const answered = () => {
      const one = run();
      one.heardRemoval('ua-dimmer-0', 21_600);
      const before = one.reports.beginLook(21_650);
      one.reports.took({ ...statistics(21_000), report: 'the answer' }, one.reports.beginLook(21_700), 21_680);
      return { one, before };
    };
    const isWhole = (one: RunningDomain): boolean =>
      toGuestStatistics(one.reports.last, one, 22_100)?.total === mib(1500);
    /** Which question it answers isn't known. */
    const next = { ...statistics(22_000), report: 'the next' };

    it('is as it comes, whichever question it answers', () => {
      const { one } = answered();
      expect(isWhole(one)).toBe(true);
      one.reports.took(next, one.reports.beginLook(22_050));
      expect(isWhole(one)).toBe(true);
    });

    it('is in doubt where it was asked for before the answer was known: it may be older', () => {
      const { one, before } = answered();
      one.reports.took(next, before);
      expect(isWhole(one)).toBe(false);
      // What is seen from then on is not.
      one.reports.took(next, one.reports.beginLook(22_060));
      expect(isWhole(one)).toBe(true);
    });

    it('is in doubt for what leaves after that', () => {
      const { one } = answered();
      one.reports.sawDepartures([{ size: mib(256), atMs: 21_690 }]);
      one.reports.took(next, one.reports.beginLook(22_050));
      expect(toGuestStatistics(one.reports.last, one, 22_100)).toMatchObject({ total: mib(1244) });
    });

    it('is in doubt where the guest went back to a moment before that', () => {
      const { one } = answered();
      one.heardReturn(21_800);
      one.reports.took(next, one.reports.beginLook(22_050));
      expect(isWhole(one)).toBe(false);
    });
  });

  it('is not corrected for devices that are not known', () => {
    const one = run();
    one.heardRemoval('ua-dimmer-7', 21_000);
    expect(toGuestStatistics(one.reports.last, one, 21_050)).toMatchObject({ usable: mib(800) });
  });
});

describe('a domain that is met', () => {
  const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
  const mark: Mark = {
    ...module,
    ...{ generation: 1, firstAskedAtMs: 1, lastAskedAtMs: 1, attempts: 1, phase: 'resting' },
  };
  const xml = (modules: readonly object[], marks: readonly Mark[] = []) =>
    ({
      uuid,
      id: 1,
      modules,
      state: { ok: true, value: { claim: null, marks, replacement: null } },
    }) as never as DomainDescription;
  const reader = (clock: ManualClock) =>
    new DomainReader({
      driver: {} as Driver,
      runs: new RunningDomains(),
      identities: { identify: () => 'run', forget: () => undefined },
      hostMemory: new HostMemory(() => ({
        total: gib(1),
        available: gib(1),
        nodes: [],
        hugepagePools: [],
        defaultHugePageSize: null,
      })),
      admits: compilePattern('*'),
      clock,
    });

  it('has lost what the XML no longer shows, noticed now', async () => {
    const clock = new ManualClock(100_000);
    const one = reader(clock);
    expect(one.update(xml([module]))?.reports.departures).toEqual([]);
    await clock.advance(1_000);
    expect(one.update(xml([]))?.reports.departures).toEqual([{ size: mib(512), atMs: 101_000 }]);
    expect(one.update(xml([]))?.reports.departures).toHaveLength(1);
  });

  it('has lost what its marks name, when it is met for the first time', () => {
    const clock = new ManualClock(100_000);
    expect(reader(clock).update(xml([], [mark]))?.reports.departures).toEqual([{ size: mib(512), atMs: 100_000 }]);
    expect(reader(clock).update(xml([module], [{ ...mark, phase: 'leaving' }]))?.reports.departures).toEqual([]);
  });
});

describe('since when a guest has had its modules', () => {
  const other = { ...module, slot: 1, base: bytes(5 * GiB), alias: 'ua-by-hand' };

  it('is as long before the first look as a report may be old, until something is heard', () => {
    const one = new RunningDomain('u', 'run', 100_000);
    one.sawModules([module], [], 100_000);
    one.sawModules([module], [], 105_000);
    expect(one.unchangedSinceMs).toBe(90_000);
  });

  it('is since a module came or went, by whoever, or the guest booted', () => {
    const one = new RunningDomain('u', 'run', 100_000);
    one.sawModules([module], [], 100_000);
    one.sawModules([module, other], [], 110_000);
    expect(one.unchangedSinceMs).toBe(110_000);
    one.heardRemoval('ua-by-hand', 120_000);
    one.sawModules([module], [], 121_000);
    expect(one.unchangedSinceMs).toBe(120_000);
    one.heardBoot(130_000);
    expect(one.unchangedSinceMs).toBe(130_000);
    one.heardArrival('ua-by-hand', 140_000);
    expect(one.unchangedSinceMs).toBe(140_000);
  });

  it('is a new guess after a gap in what was heard', () => {
    const one = new RunningDomain('u', 'run', 100_000);
    one.heardBoot(130_000);
    one.noticedGap(200_000);
    expect(one.unchangedSinceMs).toBe(190_000);
  });
});

describe('what a guest was asked', () => {
  it('is forgotten by one that boots, not by one that is restored or migrated, which has yet to report as after a boot', () => {
    const one = new RunningDomain('u', 'run', 100_000);
    one.heardReturn(110_000);
    expect(one.markEvidence.forgotAtMs).toBe(null);
    expect(one.boot.bootedAtMs).toBe(110_000);
    one.heardBoot(120_000);
    expect(one.markEvidence.forgotAtMs).toBe(120_000);
    one.heardReturn(130_000);
    expect(one.markEvidence.forgotAtMs).toBe(120_000);
    one.noticedGap(140_000);
    expect(one.markEvidence.forgotAtMs).toBe(null);
  });
});
