/** Into which slots a module is tried when QEMU refuses the one that was asked for. */
import { expect, it } from 'vitest';
import { isPreallocated, otherFreeSlots } from '../../../../src/host/rules/slots.ts';
import type { LayoutBacking, MemoryLayout } from '../../../../src/host/port.ts';
import { mib } from '../../../../src/memory/bytes.ts';

const backing = (nodes: readonly number[], preallocated: boolean): LayoutBacking => ({
  ...{ nodes, preallocated, pageSize: null, hostNodes: null },
});
const slots: MemoryLayout['slots'] = { total: 8, usedByOthers: [2], resting: [3], unnumbered: 0 };
const layout = (backings: readonly LayoutBacking[]) => ({ modules: [{ slot: 1 }], slots, backings });

it('the three lowest that are free', () => {
  expect(otherFreeSlots(layout([backing([0], false)]), { slot: 0, node: 0 })).toEqual([4, 5, 6]);
});

it('one alone where every try stops the guest, and that the least likely to be taken', () => {
  const mixed = layout([backing([0], false), backing([1], true)]);
  expect(otherFreeSlots(mixed, { slot: 0, node: 1 })).toEqual([7]);
  expect(otherFreeSlots(mixed, { slot: 7, node: 1 })).toEqual([6]);
  expect(otherFreeSlots(mixed, { slot: 0, node: 0, pageSize: mib(2) })).toEqual([7]);
});

it('huge pages for one module are touched whatever the domain has', () => {
  const plain = layout([backing([0], false)]);
  expect(isPreallocated(plain, { node: 0 })).toBe(false);
  expect(isPreallocated(plain, { node: 0, pageSize: mib(2) })).toBe(true);
});
