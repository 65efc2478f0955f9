/** What is remembered of a run, as far as it bears on what the guest is believed to have. */
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../../src/agent/admission.ts';
import { DomainReader } from '../../../src/agent/domain/reader.ts';
import { HostMemory } from '../../../src/agent/host-memory.ts';
import { toGuestStatistics } from '../../../src/agent/domain/observation.ts';
import { noticeRemoval, Runs, takeStatistics } from '../../../src/agent/domain/running-domains.ts';
import type { DomainMemoryXml } from '../../../src/libvirt/xml/domain-memory.ts';
import type { Hypervisor } from '../../../src/libvirt/domain/hypervisor.ts';
import { bytes, GiB, gib, mib } from '../../../src/memory/bytes.ts';
import type { Mark } from '../../../src/memory/operation-state.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const module = { slot: 0, base: bytes(4 * GiB), size: mib(512), alias: 'ua-dimmer-0' };
const statistics = (lastUpdateMs: number) => ({
  ...{ available: mib(1500), usable: mib(800), unused: mib(600), balloon: null, resident: null },
  lastUpdateMs,
  report: `reported at ${lastUpdateMs}`,
});

describe('what the balloon said', () => {
  const run = () => {
    const it = new Runs().ensure('u', 'run', 0);
    it.modules = [module];
    takeStatistics(it, statistics(20_000), 20_300);
    return it;
  };

  it('is without a module from the moment that libvirt says it has gone', () => {
    const one = run();
    expect(toGuestStatistics(one.statistics, one, 21_000)).toMatchObject({ total: mib(1500), usable: mib(800) });
    noticeRemoval(one, 'ua-dimmer-0', 21_000);
    const corrected = { total: mib(988), usable: mib(288), free: mib(88), fresh: true };
    expect(toGuestStatistics(one.statistics, one, 21_050)).toMatchObject(corrected);
    // The event comes once, but who knows.
    noticeRemoval(one, 'ua-dimmer-0', 21_060);
    expect(toGuestStatistics(one.statistics, one, 21_070)).toMatchObject(corrected);
    takeStatistics(one, statistics(22_000), 22_100);
    expect(toGuestStatistics(one.statistics, one, 22_200)).toMatchObject({ usable: mib(800) });
    // An answer that was overtaken by a newer one.
    takeStatistics(one, statistics(20_000), 22_300);
    expect(toGuestStatistics(one.statistics, one, 22_400)).toMatchObject(corrected);
    takeStatistics(one, statistics(60_000), 60_100);
    expect(one.departures).toEqual([]);
  });

  it('is not corrected for devices that are not known', () => {
    const one = run();
    noticeRemoval(one, 'ua-dimmer-7', 21_000);
    expect(toGuestStatistics(one.statistics, one, 21_050)).toMatchObject({ usable: mib(800) });
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
    }) as never as DomainMemoryXml;
  const reader = (clock: ManualClock) =>
    new DomainReader({
      hypervisor: {} as Hypervisor,
      runs: new Runs(),
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
    expect(one.meet(xml([module]))?.departures).toEqual([]);
    await clock.advance(1_000);
    expect(one.meet(xml([]))?.departures).toEqual([{ size: mib(512), atMs: 101_000 }]);
    expect(one.meet(xml([]))?.departures).toHaveLength(1);
  });

  it('has lost what its marks name, when it is met for the first time', () => {
    const clock = new ManualClock(100_000);
    expect(reader(clock).meet(xml([], [mark]))?.departures).toEqual([{ size: mib(512), atMs: 100_000 }]);
    expect(reader(clock).meet(xml([module], [{ ...mark, phase: 'leaving' }]))?.departures).toEqual([]);
  });
});
