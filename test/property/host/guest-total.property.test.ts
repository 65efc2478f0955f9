/** A guest's own total, against guests of which all is known: whatever a tidy kernel keeps is no alarm, whatever is missing is. */
import fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { judgeTotal, mostKept, type OwnTotal, usuallyKept } from '../../../src/host/rules/guest-total.ts';
import { bytes, GiB, gib, MiB, mib } from '../../../src/memory/bytes.ts';

/** A guest that keeps `kept` of its boot memory and has onlined all blocks of its modules but `offline`. */
const guest = fc
  .record({
    boot: fc.integer({ min: 256, max: 256 * 1024 }),
    /** Thousandths of the most that a tidy kernel keeps. */
    keeps: fc.integer({ min: 0, max: 1000 }),
    block: fc.constantFrom(128, 256, 512, 2048),
    blocks: fc.integer({ min: 1, max: 64 }),
    offlineOf: fc.nat(),
    /** Thousandths. */
    others: fc.integer({ min: 0, max: 4096 }),
    givenOf: fc.integer({ min: 0, max: 1000 }),
    /** The map of what is plugged lies in the modules themselves. */
    mapInModules: fc.boolean(),
  })
  .map(({ boot, keeps, block, blocks, offlineOf, others, givenOf, mapInModules }) => {
    const offline = offlineOf % (blocks + 1);
    const kept = Math.min(boot * MiB, Math.floor((mostKept(mib(boot), bytes(0)) * keeps) / 1000));
    const online = (blocks - offline) * block * MiB;
    const own = boot * MiB - kept;
    const given = Math.floor((others * MiB * givenOf) / 1000);
    const has = online - (mapInModules ? Math.ceil(online / 64) : 0);
    const total: OwnTotal = {
      ...{ boot: mib(boot), modules: mib(blocks * block), others: mib(others), block: mib(block) },
      ...{ total: bytes(own + given + has), withoutModules: null },
    };
    return { total, offline: offline * block * MiB, own: bytes(own + given), mapInModules };
  });

it('nothing that a tidy kernel keeps is called missing', () => {
  fc.assert(
    fc.property(guest, ({ total, offline, own }) => {
      if (offline > 0) return;
      expect(judgeTotal({ ...total, withoutModules: own }).kind).toBe('none');
      expect(judgeTotal(total).kind).not.toBe('certain');
    }),
    { numRuns: 2_000 },
  );
});

it('what is certain is so: at least a block is missing, and where it was seen without modules, to the block', () => {
  fc.assert(
    fc.property(guest, ({ total, offline, own, mapInModules }) => {
      const unseen = judgeTotal(total);
      if (unseen.kind === 'certain') expect(offline).toBeGreaterThan(0);
      if (offline === 0 || mapInModules) return;
      // A block that is to the MiB what a map would take can't be told from one.
      fc.pre(Math.abs(offline - total.modules / 64) > MiB);
      expect(judgeTotal({ ...total, withoutModules: own })).toEqual({
        kind: 'certain',
        missing: offline,
        isExact: true,
      });
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  // MiB: boot, modules, what the guest says, and what follows. The first three were measured.
  { name: 'a tidy guest', boot: 512, modules: 512, total: 405 + 512, kind: 'none' },
  { name: 'with nothing of its module', boot: 512, modules: 512, total: 405, kind: 'certain' },
  { name: 'with a crash kernel', boot: 1024, modules: 512, total: 1228, kind: 'possible' },
  {
    name: 'arm64 of 2 GiB with its default crash kernel',
    boot: 2048,
    modules: 128,
    total: 1500 + 128,
    kind: 'possible',
  },
  { name: 'a block missing in a small guest', boot: 512, modules: 128, total: 405, kind: 'possible' },
  { name: 'without modules, whatever it has', boot: 4096, modules: 0, total: 1, kind: 'none' },
])('$name: $kind', ({ boot, modules, total, kind }) => {
  const own = { boot: mib(boot), modules: mib(modules), others: bytes(0), total: mib(total), block: mib(128) };
  expect(judgeTotal({ ...own, withoutModules: null }).kind).toBe(kind);
});

test('more is possible than is usual, for guests of any size', () => {
  for (let boot = 64 * MiB; boot <= 1024 * GiB; boot *= 2) {
    expect(usuallyKept(bytes(boot))).toBeLessThan(mostKept(bytes(boot), bytes(0)));
  }
  expect(usuallyKept(gib(4))).toBe(256 * MiB);
});
