/** What stands behind new modules: page sizes by node, preallocation, host nodes, the limit of the control group. */
import { describe, expect, it } from 'vitest';
import { type Bytes, GiB, gib, mib } from '../../../src/memory/bytes.ts';
import type { Backing, Plan, PlannerObservation } from '../../../src/planner/types.ts';
import { outcomeOf, planFor, stepsOf } from './support.ts';

const backing = (nodes: readonly number[], more: Partial<Backing> = {}): Backing => ({
  ...{ nodes, pageSize: null, preallocated: false, hostFree: null, hugepagesFree: null, hostNodes: null },
  ...more,
});
const largestOf = (plan: Plan): number => Math.max(...plan.steps.map(({ size }) => size));

describe('memory that QEMU touches at once', () => {
  it('comes in modules of at most 1 GiB, one at a time, with ordinary pages too', () => {
    const plan = planFor(15 * 1024, [], {}, { boot: [{ node: 0, size: gib(1) }], preallocated: true });
    expect(largestOf(plan)).toBe(GiB);
    expect(plan.steps).toHaveLength(14);
    expect(plan.steps.every((step) => step.operation === 'plug' && step.waitForOnline)).toBe(true);
  });

  describe('in smaller ones where slots are plenty', () => {
    const boot = [{ node: 0, size: gib(4) }];
    const grow = (wanted: number, maxMemory: Bytes, more: Partial<PlannerObservation> = {}) =>
      planFor(wanted, [], { grow: 'Divisible' }, { boot, maxMemory, preallocated: true, ...more });

    it('of 256 MiB, if as many slots stay as the VM may still need', () => {
      // 128, 128, then seven of 256: nine of sixteen slots, and two for the rest up to 8 GiB.
      expect(grow(6144, gib(8)).steps).toHaveLength(9);
      expect(largestOf(grow(6144, gib(8)))).toBe(mib(256));
      expect(grow(6144, gib(8)).steps.every((step) => step.operation === 'plug' && step.waitForOnline)).toBe(true);
    });

    it('of 512 MiB, if those of 256 MiB were too many', () => {
      expect(largestOf(grow(8192, gib(8)))).toBe(mib(512));
      expect(largestOf(grow(6144, gib(12)))).toBe(mib(256));
      expect(largestOf(grow(6144, gib(13)))).toBe(mib(512));
    });

    it('of 1 GiB where slots are scarce, the maximum is far or unknown, or another process maps them', () => {
      expect(largestOf(grow(6144, gib(32)))).toBe(GiB);
      expect(largestOf(planFor(6144, [], { grow: 'Divisible' }, { boot, preallocated: true }))).toBe(GiB);
      const sharedWith = { backend: 'vhost-user', left: 5 };
      expect(largestOf(grow(6144, gib(8), { sharedWith }))).toBe(GiB);
    });

    it('not for whom the fewest are wanted', () => {
      const plan = planFor(6144, [], { grow: 'Whole' }, { boot, maxMemory: gib(8), preallocated: true });
      expect(plan.steps.map(({ size }) => size)).toEqual([GiB, GiB]);
    });

    it('in whole pages', () => {
      expect(largestOf(grow(6144, gib(8), { pageSize: gib(1) }))).toBe(GiB);
      expect(largestOf(grow(6144, gib(8), { pageSize: mib(2) }))).toBe(mib(256));
      expect(largestOf(grow(6144, gib(8), { granularity: mib(512) }))).toBe(mib(512));
    });
  });

  it('32 GiB do not go into 16 slots, and the reason is told', () => {
    const plan = planFor(36 * 1024, [], {}, { boot: [{ node: 0, size: gib(4) }], preallocated: true });
    expect(plan.reason).toBe('SlotsExhausted');
    expect(plan.message).toContain('the memory is preallocated');
  });

  it('ordinary memory comes in one module', () => {
    expect(largestOf(planFor(15 * 1024, [], {}, {}))).toBe(14 * GiB);
  });
});

describe('pages by node', () => {
  const boot = [0, 1].map((node) => ({ node, size: gib(4) }));
  const mixed = [
    backing([0], { pageSize: gib(1), preallocated: true }),
    backing([1], { pageSize: mib(2), preallocated: true }),
  ];
  const grow = (wanted: number, more: Partial<PlannerObservation> = {}) =>
    planFor(wanted, [], { grow: 'Divisible' }, { boot, backings: mixed, ...more });
  const nodesOf = (plan: Plan): number[] => [...new Set(plan.steps.map(({ node }) => node))];

  it('a growth goes to the node whose pages allow it', () => {
    expect(nodesOf(grow(8 * 1024 + 512))).toEqual([1]);
    expect(nodesOf(grow(10 * 1024))).toEqual([0]);
    expect(grow(10 * 1024).steps.map(({ size }) => size)).toEqual([gib(1), gib(1)]);
  });

  it('the order in which nodes are told changes nothing', () => {
    for (const wanted of [8704, 10_240, 12_288]) {
      expect(grow(wanted, { backings: mixed.toReversed() })).toEqual(grow(wanted));
    }
  });

  it('a node whose pool is empty is passed over', () => {
    const [first, second] = mixed as [Backing, Backing];
    const backings = [{ ...first, hugepagesFree: gib(1) }, second];
    expect(nodesOf(grow(10 * 1024, { backings }))).toEqual([1]);
    expect(nodesOf(grow(9 * 1024, { backings }))).toEqual([0]);
    const none = [
      { ...first, hugepagesFree: gib(1) },
      { ...second, hugepagesFree: gib(0) },
    ];
    expect(grow(10 * 1024, { backings: none }).reason).toBe('HugepagesUnavailable');
  });

  it('the nearest sizes are those of any node', () => {
    const { reachable } = grow(8 * 1024 + 100);
    expect([reachable.below, reachable.above]).toEqual([gib(8), mib(8 * 1024 + 128)]);
  });

  it('ordinary pages on one node and huge ones on the other: large and whole where it goes', () => {
    const backings = [backing([0], { pageSize: gib(1), preallocated: true }), backing([1])];
    expect(stepsOf(planFor(8704, [], {}, { boot, backings }))).toEqual(['plug 512@0']);
    expect(planFor(8704, [], {}, { boot, backings }).steps[0]?.node).toBe(1);
  });

  it('a node without a backing, or with two, makes no sense', () => {
    for (const backings of [[backing([0])], [backing([0, 1]), backing([1])]]) {
      expect(() => grow(9 * 1024, { backings })).toThrow('backings');
    }
  });
});

describe('memory bound to host nodes', () => {
  it('is judged by what they have, and they are named', () => {
    const backings = [backing([0], { hostNodes: [0], hostFree: mib(512) })];
    expect(outcomeOf(planFor(1536, [], {}, { backings, hostFree: gib(64) }))).toBe('plug Plugging 1536');
    const plan = planFor(2048, [], {}, { backings, hostFree: gib(64) });
    expect(plan.reason).toBe('InsufficientHostMemory');
    expect(plan.message).toContain('512Mi left to give on its node 0, which <numatune> binds the memory to');
  });
});

describe('the limit of the control group', () => {
  const hardLimit = { size: gib(5), overhead: mib(266) };
  const boot = [{ node: 0, size: gib(4) }];

  it('is kept, with room for QEMU itself', () => {
    expect(outcomeOf(planFor(4736, [], {}, { boot, hardLimit }))).toBe('plug Plugging 4736');
    const plan = planFor(4864, [], {}, { boot, hardLimit });
    expect(plan.reason).toBe('ExceedsHardLimit');
    expect(plan.message).toContain('hard_limit of 5Gi');
    expect(plan.message).toContain('the largest size is 4736Mi');
    expect(plan.reachable.above).toBeNull();
  });

  it('does not hold huge pages, which are not charged to it', () => {
    const more = { boot, hardLimit, pageSize: mib(2) };
    expect(outcomeOf(planFor(8192, [], {}, more))).toBe('plug Plugging 8192');
  });

  it('holds huge pages that a device has pinned: QEMU ends when they can not be had', () => {
    const pinned = { boot, hardLimit: { ...hardLimit, pinned: true }, pageSize: mib(2) };
    expect(outcomeOf(planFor(4736, [], {}, pinned))).toBe('plug Plugging 4736');
    const plan = planFor(4864, [], {}, pinned);
    expect(plan.reason).toBe('ExceedsHardLimit');
    expect(plan.message).toContain('memory that is pinned for a device would not be had, which ends QEMU');
    expect(plan.message).toContain('the largest size is 4736Mi');
  });

  it('never stands in the way of shrinking', () => {
    const tight = { boot, hardLimit: { size: gib(1), overhead: mib(258) } };
    expect(outcomeOf(planFor(4096, [512], {}, tight))).toBe('unplug Unplugging 4096');
    expect(outcomeOf(planFor(4608, [512], {}, tight))).toBe('noop Converged 4608');
  });
});

describe('another process that maps every module', () => {
  const sharedWith = { backend: 'virtiofs', left: 2 };
  const sizesOf = (plan: Plan): Bytes[] => plan.steps.map(({ size }) => size);

  it('is given fewer and larger ones, and is named with the way out', () => {
    const plain = planFor(5120, [], { grow: 'Divisible' });
    const shared = planFor(5120, [], { grow: 'Divisible' }, { sharedWith });
    expect(sizesOf(plain).length).toBeGreaterThan(2);
    expect(sizesOf(shared).length).toBeLessThanOrEqual(2);
    expect(shared.message).toContain('virtiofs has to map every module');
    expect(shared.message).toContain('growPolicy Whole');
  });

  it('is given the fewest, where pieces of 1 GiB are more than it surely has room for', () => {
    const more = { sharedWith, preallocated: true };
    expect(sizesOf(planFor(5120, [], { grow: 'Divisible' }, more))).toEqual([GiB, GiB, GiB, GiB]);
  });

  it('is not told of where one module does', () => {
    expect(planFor(1152, [], { grow: 'Divisible' }, { sharedWith }).message).not.toContain('virtiofs');
  });

  it('is not said to stand in the way: nobody knows for how many it has room', () => {
    const full = { sharedWith: { backend: 'vhost-user', left: 0 } };
    expect(outcomeOf(planFor(5120, [], { grow: 'Divisible' }, full))).toBe('plug Plugging 5120');
    expect(planFor(5120, [], { grow: 'Whole' }, full).message).toContain('surely has room for 0 more');
  });
});
