/**
 * What keeps a VM from taking memory, and from giving it back, in words that name what a person could change: the same in
 * `dimmer agent check` and in the controller's condition HotplugReady. Pure.
 */
import type { Bytes } from '../../memory/bytes.ts';
import { maxSlots, maxTotalPerBootMemory } from '../../memory/module.ts';
import { formatQuantity } from '../../memory/quantity.ts';

/** What bounds the growth of a VM that has a maximum. */
export type Room = {
  readonly boot: Bytes;
  /** How much of the maximum is taken; see {@link takenOfMaximum}. */
  readonly present: number;
  readonly max: Bytes;
  /** In use also: those of other devices, and of modules that left a moment ago. */
  readonly slots: { readonly total: number; readonly used: number };
};

/** No module can be plugged for want of a slot; null: there is one. */
export function explainSlots({ slots: { total, used } }: Pick<Room, 'slots'>): string | null {
  if (used < total) return null;
  const all = total === 1 ? 'its only slot is in use' : `all ${total} slots are in use`;
  return `${all}: no module can be plugged before one is gone; a VM may have up to ${maxSlots} slots`;
}

/** It has its maximum; null: it has less. */
export const explainFull = ({ present, max }: Pick<Room, 'present' | 'max'>): string | null =>
  present < max ? null : `it has its maximum of ${formatQuantity(max)} already`;

/** Its boot memory is too small for its maximum; null: it isn't. */
export function explainBound({ boot, max }: Pick<Room, 'boot' | 'max'>): string | null {
  const bound = (boot * maxTotalPerBootMemory) as Bytes;
  return max <= bound
    ? null
    : `it will get at most ${formatQuantity(bound)} of its maximum of ${formatQuantity(max)}: ${maxTotalPerBootMemory} ` +
        `times its boot memory of ${formatQuantity(boot)}, whose memory map must fit into boot memory`;
}

export const noBalloon =
  'it has no memory balloon, so nobody knows what the guest can spare and nothing is unplugged with guestSafety ' +
  "Required (the default): add <memballoon model='virtio'/> while it is shut down";

export const noReports =
  'its guest does not report its memory: it is still booting, or has not loaded its driver virtio_balloon';
