/** A guest with 2 GiB of boot memory, 4 GiB that virtio-mem gives and two modules of 1 GiB. */
import { describe, expect, it } from 'vitest';
import { gib, mib } from '../../../src/memory/bytes.ts';
import type { PlannerObservation, PlannerPolicy } from '../../../src/planner/types.ts';
import { inMib, outcomeOf, planFor, stepsOf } from './support.ts';

const guest: Partial<PlannerObservation> = {
  boot: [{ node: 0, size: gib(2) }],
  otherBytes: gib(4),
  otherTotal: gib(4),
  slots: { total: 16, usedByOthers: [], resting: [], unnumbered: 1 },
  maxMemory: gib(16),
};
const plan = (wanted: number, more: Partial<PlannerObservation> = {}, policy: Partial<PlannerPolicy> = {}) =>
  planFor(wanted, [1024, 1024], policy, { ...guest, ...more });

describe('what virtio-mem gives counts in the total', () => {
  it('a guest of 8 GiB that should have 6 GiB gives modules back, it is not given more', () => {
    expect(stepsOf(plan(6144)).toSorted()).toEqual(['unplug 1024@0', 'unplug 1024@1']);
    expect(plan(6144).resultMemory).toBe(gib(6));
    expect(outcomeOf(plan(8192))).toBe('noop Converged 8192');
  });

  it('and is never taken: the lowest size is what is left without modules', () => {
    const low = plan(3072);
    expect(outcomeOf(low)).toBe('blocked UnreachableSize 8192');
    expect([inMib(low.reachable.below), inMib(low.reachable.above)]).toEqual([null, 6144]);
    expect(low.message).toContain('4Gi of other memory devices stays');
    expect(low.reachable.ranges.map(({ from }) => inMib(from))).toEqual([6144]);
    expect(outcomeOf(plan(1024))).toBe('blocked BelowBootMemory 8192');
  });

  it('growing leaves room in the maximum for what it may still give', () => {
    // 2 boot + 2 plugged + 4 of virtio-mem, of which 1 is given: 3 are kept.
    const half = { otherTotal: gib(1), maxMemory: gib(10) };
    expect(outcomeOf(plan(7168, half))).toBe('plug Plugging 7168');
    const above = plan(7296, half);
    expect(above.reason).toBe('ExceedsMaxMemory');
    expect(above.message).toContain('7296Mi and 3Gi of other devices are above');
    expect(above.message).toContain('the largest size is 7Gi');
  });

  it('takes a slot without a number', () => {
    const slots = { total: 4, usedByOthers: [], resting: [], unnumbered: 1 };
    expect(stepsOf(plan(9216, { slots }))).toEqual(['plug 1024@2']);
    expect(plan(9216, { slots: { ...slots, total: 3 } }).reason).toBe('SlotsExhausted');
  });

  it('counts for the memory map, too', () => {
    const much = { otherBytes: gib(32), otherTotal: gib(29), maxMemory: gib(64) };
    expect(outcomeOf(planFor(32 * 1024, [1024], {}, { ...guest, ...much }))).toBe('noop Converged 32768');
    expect(planFor(32 * 1024 + 128, [1024], {}, { ...guest, ...much }).reason).toBe('BootMemoryTooSmall');
  });
});

it('more in the total than against the maximum makes no sense', () => {
  expect(() => plan(6144, { otherTotal: mib(5000) })).toThrow('otherTotal');
});
