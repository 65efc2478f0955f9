/** What an inflated balloon keeps from a guest that has all its modules. Pure. */
import { type Bytes, bytes, mib } from '../../memory/bytes.ts';
import { formatMeasured, formatQuantity } from '../../memory/quantity.ts';
import { computeCurrent } from './total.ts';
import type { Located } from './types.ts';

/** libvirt rounds each NUMA cell up to 2 MiB and the balloon's size not: so little is nobody's doing. */
const tolerance = mib(16);

/**
 * What the balloon holds back of the guest's memory; null: nothing worth telling, or it isn't known. Beside virtio-mem
 * libvirt's figure drifts with every reset, so there the guest must say as much.
 */
export function judgeBalloon({ layout, observation: { guest } }: Located): Bytes | null {
  const held = computeCurrent(layout) - layout.balloon;
  if (held <= tolerance) return null;
  if (layout.otherBytes > 0 && (guest?.fresh !== true || guest.total > layout.balloon)) return null;
  return bytes(held);
}

/** What is said of it, with the way out. */
export function explainBalloon(held: Bytes, { layout, observation }: Located): string {
  const current = computeCurrent(layout);
  return (
    `the VM has ${formatQuantity(current)}, but its balloon holds ${formatMeasured(held)} back from the guest: whoever manages ` +
    `its host lets go of it with 'virsh setmem ${observation.uuid} ${current / 1024} --live', or with what inflates it`
  );
}
