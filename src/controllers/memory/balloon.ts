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
export function judgeBalloon(located: Located): Bytes | null {
  const held = heldBack(located);
  return held === null || isUntold(located) || isBelied(located) ? null : held;
}

/** What libvirt's figure says. */
function heldBack({ layout }: Located): Bytes | null {
  const held = computeCurrent(layout) - layout.balloon;
  return held <= tolerance ? null : bytes(held);
}

/** Nobody can say whether the figure is right. */
const isUntold = ({ layout, observation: { guest } }: Located): boolean =>
  layout.otherBytes > 0 && guest?.fresh !== true;

const isBelied = ({ layout, observation: { guest } }: Located): boolean =>
  layout.otherBytes > 0 && (guest?.total ?? 0) > layout.balloon;

/** What is to be added to what is said where nobody can say whether the balloon holds memory back; else ''. */
export function explainUntoldBalloon(located: Located): string {
  const held = heldBack(located);
  return held === null || !isUntold(located)
    ? ''
    : `; whether its balloon holds ${formatMeasured(held)} back, as libvirt's figure says, is known only while the guest ` +
        'reports its memory: beside virtio-mem that figure drifts';
}

/** What is said of it, with the way out. */
export function explainBalloon(held: Bytes, { layout, observation }: Located): string {
  const current = computeCurrent(layout);
  return (
    `the VM has ${formatQuantity(current)}, but its balloon holds ${formatMeasured(held)} back from the guest: whoever manages ` +
    `its host lets go of it with 'virsh setmem ${observation.uuid} ${current / 1024} --live', or with what inflates it`
  );
}
