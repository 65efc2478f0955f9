/**
 * Into which slots a module is tried. libvirt doesn't know of every device that QEMU has: one on QEMU's command line, or
 * a module that a killed libvirtd forgot, holds a slot that looks free, and QEMU then refuses that slot with the code
 * that it has for everything. Pure.
 */
import type { MemoryLayout } from '../port.ts';

/** Each try costs QEMU a memory backend; a host that is short of memory refuses all of them. */
const mostOthers = 3;

/** The lowest free slots besides `slot`, ascending, at most three. */
export function otherFreeSlots({ modules, slots }: Pick<MemoryLayout, 'modules' | 'slots'>, slot: number): number[] {
  const taken = new Set([slot, ...modules.map((module) => module.slot), ...slots.usedByOthers, ...slots.resting]);
  return Array.from({ length: slots.total }, (_, index) => index)
    .filter((index) => !taken.has(index))
    .slice(0, mostOthers);
}
