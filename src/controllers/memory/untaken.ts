/** What is to be done about memory that a guest was given and doesn't use, by what was seen of it. Pure. */
import { type Bytes, sumBytes } from '../../memory/bytes.ts';
import { explainGuestAgent } from '../../host/rules/readiness.ts';
import type { Located } from './types.ts';

const onlineIt =
  'online it there (chmem -e, or echo online_movable into the state of each block), and have what comes onlined by itself ' +
  '(memhp_default_state=online_movable on its kernel command line)';
const setBack = 'or set spec.memory back: memory that it never took can be taken out again';

/**
 * The way out, from what the guest's agent says where it is asked, else from how much is missing.
 * @param missing of all modules; what a kernel keeps for itself may be in it
 */
export function explainWayOut({ layout, observation }: Located, missing: Bytes): string {
  const plugged = sumBytes(layout.modules.map(({ size }) => size));
  if (layout.guestSystem === 'Windows') {
    return `by its definition it runs Windows: only editions with Hot Add Memory take it, see what its Task Manager shows; ${setBack}`;
  }
  const { guestAgent } = observation;
  const blocks = guestAgent?.blocks ?? null;
  if (blocks !== null) {
    return blocks.offline > 0
      ? `${explainGuestAgent(guestAgent)}: ${onlineIt}, ${setBack}`
      : `its QEMU guest agent knows of no block that is offline: its kernel has not added the memory, for want of room for its map in boot memory or of memory hotplug; its log (dmesg) says which; ${setBack}`;
  }
  return missing >= plugged
    ? `it has taken up nothing of what is plugged, so its /sys/devices/system/memory/auto_online_blocks is probably offline: ${onlineIt}; where that is not so, its kernel log names what it lacks; ${setBack}`
    : `it has taken up some: see /sys/devices/system/memory/auto_online_blocks and the kernel log in the guest (dmesg) for what became of the rest, which may have no room for its map in boot memory: ${onlineIt}; ${setBack}`;
}
