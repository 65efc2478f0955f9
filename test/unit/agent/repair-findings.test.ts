/** What counts as left behind, and when it may be taken away. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aliasesOfSlot, aliasOfBackend, backendOf, slotOfAlias } from '../../../src/agent/change/aliases.ts';
import {
  describeRepair,
  computeFindings,
  isOverdue,
  judgeRemoval,
  lookAgainMs,
  type Repair,
} from '../../../src/agent/repair/findings.ts';
import type { DomainObservation } from '../../../src/host/port.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import type { DimmDevice } from '../../../src/libvirt/xml/domain-memory.ts';
import type { MonitorDevice } from '../../../src/libvirt/domain/monitor-memory.ts';
import { type Bytes, bytes, GiB, mib } from '../../../src/memory/bytes.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { valueOf } from '../../contract/bench.ts';

const dimm = (slot: number, more: Partial<MonitorDevice> = {}): MonitorDevice => ({
  kind: 'dimm',
  id: `ua-dimmer-${slot}`,
  slot,
  base: bytes(4 * GiB + slot * GiB),
  size: mib(512),
  ...more,
});
const inXml = (device: MonitorDevice, more: Partial<DimmDevice> = {}): DimmDevice => ({
  ...{ slot: device.slot, base: device.base, size: device.size, alias: device.id, node: 0 },
  ...{ pageSize: null, hostNodes: null },
  ...more,
});
const none = { orphans: [], backends: [], foreign: false };

describe('the aliases of the agent', () => {
  it('are told from all others', () => {
    for (const slot of [0, 7, 255]) {
      for (const alias of aliasesOfSlot(slot)) {
        expect(slotOfAlias(alias)).toBe(slot);
        expect(aliasOfBackend(backendOf(alias))).toBe(alias);
      }
    }
    for (const alias of [
      ...['ua-dimmer-256', 'ua-dimmer-01', 'ua-dimmer-', 'ua-dimmer-1-4', 'ua-dimmer-1-2-2', 'ua-dimmer-1 '],
      ...['xua-dimmer-1', 'dimm1', 'ua-by-hand', 'memua-dimmer-1', 'ua-dimmer-1\n', ''],
    ]) {
      expect([alias, slotOfAlias(alias)]).toEqual([alias, null]);
    }
    for (const name of ['memdimm0', 'ram-node0', 'ua-dimmer-1', 'memua-by-hand']) {
      expect(aliasOfBackend(name)).toBeNull();
    }
  });
});

describe('what is left behind', () => {
  it('is a module of ours that QEMU has and libvirt does not show, and a backend without a module', () => {
    const qemu = {
      devices: [dimm(0), dimm(3, { id: 'ua-dimmer-3-2' }), dimm(5)],
      backends: ['ram-node0', 'memua-dimmer-0', 'memua-dimmer-3', 'memua-dimmer-3-2', 'memua-dimmer-5', 'memdimm7'],
    };
    expect(computeFindings(qemu, { modules: [inXml(dimm(0))], others: [] })).toEqual({
      orphans: [
        { alias: 'ua-dimmer-3-2', slot: 3, base: 7 * GiB, size: mib(512) },
        { alias: 'ua-dimmer-5', slot: 5, base: 9 * GiB, size: mib(512) },
      ],
      backends: ['memua-dimmer-3'],
      foreign: false,
    });
  });

  it('is not a DIMM of the command line, which libvirt does not know', () => {
    const others = [{ model: 'pc-dimm', slot: 0, base: null, size: mib(512), given: mib(512), requested: mib(512) }];
    const qemu = { devices: [dimm(0, { id: 'd0' }), dimm(1)], backends: [] };
    const { orphans, foreign } = computeFindings(qemu, { modules: [inXml(dimm(1))], others });
    expect([orphans, foreign]).toEqual([[], false]);
    expect(computeFindings(qemu, { modules: [inXml(dimm(1))], others: [] }).foreign).toBe(true);
  });

  it('is not what libvirt knows, by whatever it may be known', () => {
    const qemu = { devices: [dimm(0)], backends: ['memua-dimmer-0'] };
    for (const known of [
      { slot: null, base: null },
      { alias: null, base: null },
      { alias: 'dimm0', slot: null },
    ]) {
      expect(computeFindings(qemu, { modules: [inXml(dimm(0), known)], others: [] }).orphans).toEqual([]);
    }
    // A module that is being plugged is in the XML, and its backend may be in QEMU already.
    const plugging = { modules: [inXml(dimm(0), { base: null })], others: [] };
    expect(computeFindings({ devices: [], backends: ['memua-dimmer-0'] }, plugging)).toEqual(none);
  });

  it('is foreign when it is not certainly ours: by name, by slot, by kind', () => {
    const nothing = { modules: [], others: [] };
    for (const device of [
      dimm(1, { id: 'ua-by-hand' }),
      dimm(1, { id: null }),
      dimm(1, { slot: 2 }),
      dimm(1, { slot: null }),
      dimm(1, { kind: 'nvdimm' }),
      dimm(1, { kind: 'virtio-mem', slot: null }),
    ]) {
      expect(computeFindings({ devices: [device], backends: [] }, nothing)).toEqual({ ...none, foreign: true });
    }
    const nvdimm = { model: 'nvdimm', slot: 1, base: null, size: mib(512), given: mib(512), requested: mib(512) };
    const known = { modules: [], others: [nvdimm] };
    expect(computeFindings({ devices: [dimm(1, { kind: 'nvdimm' })], backends: [] }, known)).toEqual(none);
  });

  it('never has a name that is not ours, nor anything that the XML shows', () => {
    const id = fc.constantFrom(null, 'ua-dimmer-0', 'ua-dimmer-1', 'ua-dimmer-1-2', 'ua-dimmer-1-9', 'dimm0', 'ua-x');
    const device = fc.record({
      kind: fc.constantFrom('dimm', 'nvdimm'),
      id,
      slot: fc.option(fc.integer({ min: 0, max: 2 })),
      base: fc.integer({ min: 0, max: 2 }).map((at) => bytes(at * GiB)),
      size: fc.constant(mib(128)),
    });
    const name = id.map((text) => (text === null ? 'ram-node0' : `mem${text}`));
    const input = fc.record({
      devices: fc.array(device, { maxLength: 4 }),
      backends: fc.array(name, { maxLength: 4 }),
    });
    fc.assert(
      fc.property(input, fc.array(device, { maxLength: 4 }), (qemu, shown) => {
        const modules = shown.map((each) => inXml(each));
        const { orphans, backends } = computeFindings(qemu, { modules, others: [] });
        for (const { alias, slot, base } of orphans) {
          expect(alias).toMatch(/^ua-dimmer-[01](-2)?$/);
          expect(modules.some((module) => module.alias === alias)).toBe(false);
          expect(modules.some((module) => module.slot === slot || module.base === base)).toBe(false);
        }
        for (const each of backends) {
          expect(each).toMatch(/^memua-dimmer-[01](-2)?$/);
          expect(modules.some(({ alias }) => each === `mem${alias}`)).toBe(false);
          expect(qemu.devices.some((one) => one.kind === 'dimm' && each === `mem${one.id}`)).toBe(false);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('an orphan is asked for', () => {
  const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
  const orphan = { alias: 'ua-dimmer-5', slot: 5, base: bytes(9 * GiB), size: mib(512) };
  const observed = async (more: Partial<DomainObservation> = {}): Promise<DomainObservation> => {
    const host = createSimulatedHost({ clock: new ManualClock(), domains: [{ uuid, name: 'db-1' }] });
    return { ...valueOf(await host.observe(uuid)), ...more };
  };
  const guest = (usable: number, total = mib(2048)) => ({
    ...{
      total,
      free: mib(0),
      reportedAtMs: 1,
      fresh: true,
      ofThisBoot: true,
      takenOfModules: null,
      totalWithoutModules: null,
    },
    usable: usable as Bytes,
  });

  it('when the guest keeps the larger of 128 MiB and 5 % of its total, to the byte', async () => {
    expect(judgeRemoval(orphan, await observed({ guest: guest(mib(640)) }))).toBeNull();
    expect(judgeRemoval(orphan, await observed({ guest: guest(mib(640) - 1) }))).toContain('using the memory');
    // What libvirt shows, and what it has forgotten.
    const boot = [{ node: 0, size: mib(20 * 1024 - 512) }];
    const large = async (usable: number) => {
      const { layout } = await observed();
      return layout === null ? {} : { layout: { ...layout, boot }, guest: guest(usable) };
    };
    expect(judgeRemoval(orphan, await observed(await large(mib(512 + 1024))))).toBeNull();
    expect(judgeRemoval(orphan, await observed(await large(mib(512 + 1024) - 1)))).toContain('must keep');
  });

  it('not by an old report or none, and not while something else goes on', async () => {
    const good = guest(mib(2000));
    const { layout } = await observed();
    const leaving = { slot: 1, base: bytes(4 * GiB), alias: 'ua-dimmer-1', node: 0, size: mib(128), state: 'Leaving' };
    for (const [more, why] of [
      [{ guest: null }, 'has not reported'],
      [{ guest: { ...good, fresh: false } }, 'has not reported'],
      [{ guest: good, migrating: true }, 'migrating'],
      [{ guest: good, booting: true }, 'booting'],
      [{ guest: good, layout: null }, 'not running'],
      [{ guest: good, layout: { ...layout, modules: [leaving] } }, 'ua-dimmer-1 is still leaving'],
    ] as const) {
      expect(judgeRemoval(orphan, await observed(more as Partial<DomainObservation>))).toContain(why);
    }
  });

  it('is looked at ever more rarely', () => {
    expect([0, 400, 60_000].map(lookAgainMs)).toEqual([50, 100, 5_000]);
  });

  it('and it is said to everybody after a minute', () => {
    const repair: Repair = {
      findings: { orphans: [orphan], backends: ['memua-dimmer-2'], foreign: false },
      ...{ sinceMs: 1_000, asked: null, problem: 'the guest is booting' },
    };
    expect([isOverdue(repair, 60_999), isOverdue(repair, 61_000)]).toEqual([false, true]);
    expect(describeRepair(repair)).toBe(
      'libvirtd was killed in the middle of a plug: QEMU has module ua-dimmer-5 (512Mi), memory backend memua-dimmer-2, ' +
        'which libvirt does not know of. The agent is taking that out and waits: the guest is booting',
    );
  });
});
