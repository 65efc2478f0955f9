/**
 * Memory that QEMU has and libvirt doesn't know of. A libvirtd that is killed between QEMU's device_add and saving the
 * domain's status forgets the module: the guest has it, no XML shows it, no alias detaches it (seen with libvirt 9.0 in
 * 17 of 30 kills 4 to 18 ms after an attach began; a daemon that is ended with SIGTERM finishes first). Only the balloon
 * shows it: its size is all of QEMU's memory and modules. Nothing may be plugged on top of what can't be seen.
 */
import { type Bytes, bytes } from '../memory/bytes.ts';
import { formatQuantity } from '../memory/quantity.ts';
import type { DomainMemoryXml } from '../libvirt/domain-memory.ts';
import type { DomainMemoryStats } from '../libvirt/hypervisor.ts';

export type HiddenMemory = { readonly size: Bytes; readonly sinceMs: number };

/**
 * XML and balloon are read at the same time, so a module that somebody plugs in between looks hidden for a moment.
 * Longer than an attach takes it is no moment any more.
 */
const certainAfterMs = 1_000;

/** What the balloon counts beyond the memory in the XML; null: nothing, or there is no balloon. */
export function findHiddenMemory(
  memory: DomainMemoryXml,
  statistics: DomainMemoryStats | null,
  before: HiddenMemory | null,
  nowMs: number,
): HiddenMemory | null {
  const balloon = statistics?.balloon ?? 0;
  const known = [...memory.boot, ...memory.modules, ...memory.others].reduce((sum, part) => sum + part.size, 0);
  if (balloon <= known) return null;
  const size = bytes(balloon - known);
  return before?.size === size ? before : { size, sinceMs: nowMs };
}

/** Whether it can't be a plug under way. */
export const isCertain = (hidden: HiddenMemory, nowMs: number): boolean => nowMs - hidden.sinceMs >= certainAfterMs;

/** What is wrong and the way out, for people. */
export const describeHiddenMemory = ({ size }: HiddenMemory): string =>
  `libvirtd was killed in the middle of a plug: QEMU has ${formatQuantity(size)} that libvirt does not know of, so ` +
  'nothing more can be plugged safely; shut the VM down and start it again';
