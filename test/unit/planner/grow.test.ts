/** Growing: cuts, slots, nodes. */
import { describe, expect, test } from 'vitest';
import { mib } from '../../../src/memory/bytes.ts';
import type { PlannerObservation } from '../../../src/planner/types.ts';
import { inMib, type ModuleLike, planFor, stepsOf } from './support.ts';

const divisible = (wanted: number, modules: ModuleLike[] = [], observation: Partial<PlannerObservation> = {}) =>
  planFor(wanted, modules, { grow: 'Divisible' }, observation);
const slots = (total: number) => ({ slots: { total, usedByOthers: [], resting: [] } });
const sizesOf = (plan: ReturnType<typeof divisible>) => plan.steps.map(({ size }) => inMib(size));

describe('Divisible', () => {
  test('one slot stays in reserve: with five, four modules; the message is silent about the block size', () => {
    const plan = divisible(2048, [], slots(5));
    expect(sizesOf(plan)).toEqual([128, 128, 256, 512]);
    expect(plan.message).toBe('plug 512Mi + 256Mi + 2 x 128Mi to go from 1Gi to 2Gi');
  });

  test('with fewer slots the steps between sizes grow, and the message says how far', () => {
    const plan = divisible(2048, [], slots(4));
    expect(sizesOf(plan)).toEqual([256, 256, 512]);
    expect(plan.message).toContain('will then be up to 256Mi apart');
  });

  test('the last slot takes all', () => {
    const plan = divisible(2048, [], slots(1));
    expect(sizesOf(plan)).toEqual([1024]);
    expect(plan.message).toContain('up to 1Gi apart');
  });

  test('modules of an odd size do not count as what is there', () => {
    expect(sizesOf(divisible(1024 + 100 + 128, [100]))).toEqual([128]);
    expect(sizesOf(divisible(1024 + 128 + 256, [128]))).toEqual([256]);
    expect(sizesOf(divisible(1024 + 100 + 256, [100]))).toEqual([128, 128]);
  });

  test('an old module that is too large to help is left out', () => {
    expect(sizesOf(divisible(1024 + 4096 + 256, [4096]))).toEqual([128, 128]);
  });

  test('a huge page size larger than the block is the least module', () => {
    const plan = divisible(4096, [], { pageSize: mib(1024) });
    expect(sizesOf(plan)).toEqual([1024, 1024, 1024]);
    expect(plan.message).toContain('up to 1Gi apart');
  });

  test('preallocated memory may use the last slot rather than not grow at all', () => {
    expect(sizesOf(divisible(3072, [], { pageSize: mib(2), ...slots(2) }))).toEqual([1024, 1024]);
  });

  test('16 TiB in blocks of 128 MiB take 17 modules', () => {
    const boot = [{ node: 0, size: mib(2 ** 20) }];
    const plan = divisible(16 * 2 ** 20, [], { boot, ...slots(256) });
    expect(plan.steps).toHaveLength(17);
  });
});

describe('guest NUMA nodes', () => {
  const boot = [
    { node: 1, size: mib(1024) },
    { node: 0, size: mib(2048) },
  ];

  test('the one with least plugged for its boot memory gets the next module', () => {
    const plan = planFor(3072 + 512 + 512, [{ size: 512, node: 1 }], {}, { boot });
    expect(plan.steps).toMatchObject([{ node: 0, size: mib(512) }]);
    expect(plan.message).toBe('plug 512Mi to go from 3584Mi to 4Gi');
  });

  test('largest first, equal ones to the lower id', () => {
    const plan = divisible(3072 + 1024, [], { boot });
    expect(plan.steps.map(({ node, size }) => [node, inMib(size)])).toEqual([
      [0, 128],
      [1, 128],
      [1, 256],
      [0, 512],
    ]);
    expect(plan.message).toContain('on NUMA nodes 0, 1');
  });

  test('a node without boot memory comes last', () => {
    const withEmpty = [
      { node: 0, size: mib(0) },
      { node: 1, size: mib(1024) },
    ];
    const plan = planFor(2048, [{ size: 512, node: 1 }], {}, { boot: withEmpty });
    expect(plan.steps).toMatchObject([{ node: 1 }]);
    expect(plan.message).toContain('on NUMA node 1');
  });

  test('and is emptied first', () => {
    const withEmpty = [
      { node: 0, size: mib(0) },
      { node: 1, size: mib(1024) },
    ];
    const modules = [
      { size: 128, node: 1 },
      { size: 128, node: 0 },
      { size: 128, node: 1 },
    ];
    expect(stepsOf(planFor(1280, modules, {}, { boot: withEmpty }))).toEqual(['unplug 128@1']);
  });
});
