import { describe, expect, it } from 'vitest';
import { judgePlug, judgeByReport } from '../../../../src/host/rules/admit.ts';
import { bootWindowMs, isBooting, isFreshReport } from '../../../../src/host/rules/boot.ts';
import { judgeHostMemory } from '../../../../src/host/rules/capacity.ts';
import { judgeClaim } from '../../../../src/host/rules/claim.ts';
import type { DomainObservation } from '../../../../src/host/port.ts';
import { computeRevision } from '../../../../src/host/rules/revision.ts';
import { createSimulatedHost } from '../../../../src/host/simulated/simulated-host.ts';
import { bytes, type Bytes, gib, MiB, mib } from '../../../../src/memory/bytes.ts';
import type { Mark } from '../../../../src/memory/operation-state.ts';
import { systemClock } from '../../../../src/runtime/clock.ts';
import { claim, codeOf, plugRequest, unplugRequest, valueOf } from '../../../contract/bench.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

async function observation(more: Partial<DomainObservation> = {}): Promise<DomainObservation> {
  const host = createSimulatedHost({
    clock: systemClock,
    domains: [{ uuid, name: 'db-1', modules: [{ size: mib(256) }], slotsUsedByOthers: [5] }],
  });
  return { ...valueOf(await host.observe(uuid)), ...more };
}

describe('guards of a change', () => {
  it.each([
    ['migrating', { migrating: true }, 'busy'],
    ['booting', { booting: true }, 'busy'],
    ['off', { state: 'ShutOff', layout: null }, 'not-running'],
    ['crashed', { state: 'Crashed' }, 'not-running'],
    ['paused', { state: 'Paused' }, 'ok'],
  ] as const)('a VM that is %s', async (_what, more, expected) => {
    const observed = await observation(more);
    expect(codeOf(judgePlug(observed, plugRequest(1, mib(128))))).toBe(expected);
    expect(codeOf(judgeByReport(observed, unplugRequest(0)))).toBe(expected);
  });

  it('a slot that another device holds, and a VM without hotplug', async () => {
    const observed = await observation();
    expect(codeOf(judgePlug(observed, plugRequest(5, mib(128))))).toBe('rejected');
    if (observed.layout === null) throw new Error('running');
    const layout = { ...observed.layout, hotplugProblem: 'no <maxMemory>' };
    const answer = judgePlug({ ...observed, layout }, plugRequest(1, mib(128)));
    expect(answer).toMatchObject({ error: { code: 'hotplug-unsupported', message: 'no <maxMemory>' } });
  });

  it('memory past the hard_limit of the domain: of ordinary pages, and of huge ones that a device has pinned', async () => {
    const { layout, ...observed } = await observation();
    if (layout === null) throw new Error('running');
    const judge = (pinned: boolean, pageSize?: Bytes) => {
      const plug = plugRequest(1, mib(512), pageSize === undefined ? {} : { pageSize });
      return codeOf(judgePlug({ ...observed, layout: { ...layout, hardLimit: gib(2), pinned } }, plug));
    };
    expect([judge(false), judge(true)]).toEqual(['rejected', 'rejected']);
    expect([judge(false, mib(2)), judge(true, mib(2))]).toEqual(['ok', 'rejected']);
  });

  it('only the namespace that the admin named may claim', () => {
    expect(codeOf(judgeClaim(null, 'tenants', claim))).toBe('ok');
    expect(codeOf(judgeClaim(null, 'others', claim))).toBe('claimed-by-other');
    // Not even with a claim that stands.
    expect(codeOf(judgeClaim(claim, 'others', claim))).toBe('claimed-by-other');
  });

  it('another cluster cannot take over, whatever it says it replaces', () => {
    const request = { ...claim, clusterId: 'other', objectUid: 'other', replacesUid: claim.objectUid };
    expect(codeOf(judgeClaim(claim, null, request))).toBe('claimed-by-other');
    expect(codeOf(judgeClaim(claim, null, { ...claim, objectUid: 'other', replacesUid: 'third' }))).toBe(
      'claimed-by-other',
    );
  });

  it('the guest keeps exactly what it must keep, to the byte', async () => {
    const observed = await observation();
    const usable = observed.guest?.usable ?? 0;
    const least = (minUsableAfter: number) =>
      codeOf(judgeByReport(observed, unplugRequest(0, { minUsableAfter: bytes(minUsableAfter) })));
    expect(least(usable - 256 * MiB)).toBe('ok');
    expect(least(usable - 256 * MiB + 1)).toBe('guest-memory-in-use');
    const mute = { ...observed, guest: null };
    expect(codeOf(judgeByReport(mute, unplugRequest(0, { minUsableAfter: 0 as Bytes })))).toBe('guest-memory-unknown');
    expect(codeOf(judgeByReport(mute, unplugRequest(0)))).toBe('ok');
  });
});

describe('host memory', () => {
  const node = (id: number, available: Bytes, free: number) => ({
    ...{ id, total: gib(8), available },
    hugepages: [{ pageSize: mib(2), total: 512, free }],
  });
  const host = {
    memory: { total: gib(16), available: gib(4), committed: gib(12) },
    nodes: [node(0, gib(1), 0), node(1, gib(3), 128)],
    hugepagePools: [],
  };
  const judge = (size: Bytes, more = {}, pageSize: Bytes | null = null): string =>
    judgeHostMemory(host, plugRequest(0, size, { hostReserve: gib(2), hostOvercommit: 2, ...more }), pageSize)?.code ??
    'ok';

  it('keeps the reserve and the overcommit, to the byte', () => {
    expect(judge(gib(2))).toBe('ok');
    expect(judge(bytes(gib(2) + 1))).toBe('insufficient-host-memory');
    expect(judge(gib(2), { hostOvercommit: 1 })).toBe('ok');
    expect(judge(mib(2), { hostOvercommit: 12 / 14 })).toBe('insufficient-host-memory');
    expect(judge(mib(2), { hostReserve: gib(32) })).toBe('insufficient-host-memory');
  });

  it('looks at the nodes that were named', () => {
    expect(judge(gib(2), { hostNodes: [0] })).toBe('insufficient-host-memory');
    expect(judge(gib(2), { hostNodes: [0, 1] })).toBe('ok');
    expect(judge(gib(1), { hostNodes: [7] })).toBe('rejected');
  });

  it('counts huge pages where they are wanted', () => {
    expect(judge(mib(256), {}, mib(2))).toBe('ok');
    expect(judge(mib(258), {}, mib(2))).toBe('hugepages-unavailable');
    expect(judge(mib(2), { hostNodes: [0] }, mib(2))).toBe('hugepages-unavailable');
    expect(judge(mib(2), {}, gib(1))).toBe('rejected');
    expect(judge(gib(1), {}, gib(1))).toBe('hugepages-unavailable');
  });

  it.each([
    ['free pages that are promised already', { reserved: 100, onDemand: 0 }, {}, 28],
    ['pages that can be made, beside free ones', { reserved: 0, onDemand: 300 }, {}, 428],
    ['as many as there is memory above the reserve', { reserved: 0, onDemand: 4_000 }, {}, 128 + 1_024],
    ['none that would take of the reserve', { reserved: 0, onDemand: 4_000 }, { hostReserve: gib(4) }, 128],
    ['on a node that has none, what its memory gives', { reserved: 0, onDemand: 4_000 }, { hostNodes: [0] }, 512],
    ['more promised than a node has free', { reserved: 200, onDemand: 0 }, { hostNodes: [1] }, 0],
  ])('huge pages: %s', (_what, pool, more, pages) => {
    const with_ = { ...host, hugepagePools: [{ pageSize: mib(2), ...pool }] };
    const of = (count: number): string =>
      judgeHostMemory(
        with_,
        plugRequest(0, bytes(count * mib(2)), { hostReserve: gib(2), hostOvercommit: 2, ...more }),
        mib(2),
      )?.code ?? 'ok';
    expect([of(pages), of(pages + 1)]).toEqual(['ok', 'hugepages-unavailable']);
  });
});

describe('boot window and statistics', () => {
  const seen = { state: 'Running', bootedAtMs: null, firstSeenAtMs: 100_000, reportedAtMs: null } as const;

  it('lasts until the guest reports, at most 60 s', () => {
    expect(isBooting(seen, 100_000 + bootWindowMs - 1)).toBe(true);
    expect(isBooting(seen, 100_000 + bootWindowMs)).toBe(false);
    const booted = { ...seen, bootedAtMs: 150_000 };
    expect(isBooting(booted, 200_000)).toBe(true);
    expect(isBooting({ ...booted, reportedAtMs: 149_999 }, 200_000)).toBe(true);
    expect(isBooting({ ...booted, reportedAtMs: 150_000 }, 200_000)).toBe(false);
  });

  it('does not believe a report from before the agent looked', () => {
    expect(isBooting({ ...seen, reportedAtMs: 89_999 }, 101_000)).toBe(true);
    expect(isBooting({ ...seen, reportedAtMs: 90_000 }, 101_000)).toBe(false);
  });

  it('a guest that is paused or off is not booting', () => {
    expect(isBooting({ ...seen, state: 'Paused' }, 101_000)).toBe(false);
    expect(isBooting({ ...seen, state: 'ShutOff' }, 101_000)).toBe(false);
  });

  it('statistics are fresh for 10 s, and only from this boot', () => {
    const booted = { bootedAtMs: 150_000, firstSeenAtMs: 100_000 };
    expect(isFreshReport({ ...booted, reportedAtMs: 160_000 }, 170_000)).toBe(true);
    expect(isFreshReport({ ...booted, reportedAtMs: 160_000 }, 170_001)).toBe(false);
    expect(isFreshReport({ ...booted, reportedAtMs: 149_000 }, 151_000)).toBe(false);
    expect(isFreshReport({ ...booted, reportedAtMs: null }, 151_000)).toBe(false);
  });
});

describe('computeRevision', () => {
  const module = { slot: 0, base: gib(4), size: mib(128) };
  const mark: Mark = {
    ...module,
    ...{ alias: 'ua-dimmer-0', generation: 1, firstAskedAtMs: 1, lastAskedAtMs: 1, attempts: 1, phase: 'leaving' },
  };
  const base = { runtimeId: 'run', modules: [module], marks: [mark] };
  const revision = computeRevision(base);

  it('changes with the run, the modules and every request to leave', () => {
    for (const other of [
      { ...base, runtimeId: 'other' },
      { ...base, runtimeId: null },
      { ...base, modules: [] },
      { ...base, modules: [{ ...module, base: gib(5) }] },
      { ...base, modules: [{ ...module, size: mib(256) }] },
      { ...base, marks: [] },
      { ...base, marks: [{ ...mark, attempts: 2 }] },
    ]) {
      expect(computeRevision(other)).not.toBe(revision);
    }
  });

  it('stays through order, time and rest', () => {
    const second = { slot: 1, base: gib(5), size: mib(128) };
    const resting: Mark = { ...mark, ...second, phase: 'resting' };
    expect(computeRevision({ ...base, marks: [{ ...mark, lastAskedAtMs: 99 }, resting] })).toBe(revision);
    expect(computeRevision({ ...base, modules: [second, module] })).toBe(
      computeRevision({ ...base, modules: [module, second] }),
    );
  });
});
