/**
 * Into which slots a module is tried. libvirt doesn't know of every device that QEMU has: one on QEMU's command line, or
 * a module that a killed libvirtd forgot, holds a slot that looks free, and QEMU then refuses that slot with the code
 * that it has for everything. Pure.
 */
import type { MemoryLayout, PlugRequest } from '../port.ts';

/** Each try costs QEMU a memory backend; a host that is short of memory refuses all of them. */
const mostOthers = 3;

/** Whether QEMU touches all of the module at once, and the guest stands still meanwhile. */
export const isPreallocated = (
  { backings }: Pick<MemoryLayout, 'backings'>,
  { node, pageSize }: Pick<PlugRequest, 'node' | 'pageSize'>,
): boolean => pageSize !== undefined || backings.some((own) => own.nodes.includes(node) && own.preallocated);

/**
 * The slots that are tried when QEMU refuses the one that was asked for: the lowest free ones, at most three. QEMU
 * makes the module's memory before it looks at the slot, so where it touches it at once every try stops the guest, for
 * nothing if it is refused again: then only the highest one, which is the least likely to be taken.
 */
export function otherFreeSlots(
  {
    modules,
    slots,
    backings,
  }: Pick<MemoryLayout, 'slots' | 'backings'> & { readonly modules: readonly { slot: number }[] },
  request: Pick<PlugRequest, 'slot' | 'node' | 'pageSize'>,
): number[] {
  const taken = new Set([request.slot, ...modules.map(({ slot }) => slot), ...slots.usedByOthers, ...slots.resting]);
  const free = Array.from({ length: slots.total }, (_, index) => index).filter((index) => !taken.has(index));
  return isPreallocated({ backings }, request) ? free.slice(-1) : free.slice(0, mostOthers);
}
