/**
 * What keeps a VM from taking memory, and from giving it back, in words that name what a person could change: the same in
 * `dimmer agent check` and in the controller's condition HotplugReady. Pure.
 */
import { type Bytes, bytes, floorTo } from '../../memory/bytes.ts';
import type { BalloonDevice, GuestAgentWord, GuestSystem } from '../../memory/guest-facts.ts';
import { maxSlots, maxTotalPerBootMemory } from '../../memory/module.ts';
import { formatMeasured, formatQuantity } from '../../memory/quantity.ts';

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

const noBalloon =
  'it has no memory balloon, so nobody knows what the guest can spare and nothing is unplugged with guestSafety ' +
  "Required (the default): add <memballoon model='virtio'/> while it is shut down";

const noReports =
  'its guest does not report its memory: it is still booting, or has not loaded its driver virtio_balloon';

const statisticsOff =
  'its memory statistics are off; the agent switches them on, every 2 s, and again whenever it finds the VM with none: ' +
  'where they stay off, see who else sets them (virsh dommemstat --period 2)';

/** Why a guest says nothing of its memory, by what it could say it with. @param device undefined: an older agent doesn't say */
export function explainSilence(device: BalloonDevice | undefined): string {
  switch (device) {
    case undefined:
      return 'its guest does not report its memory: give it <memballoon model=\'virtio\'/> with <stats period="2"/>, and in the guest the driver virtio_balloon';
    case 'None':
      return noBalloon;
    case 'StatisticsOff':
      return statisticsOff;
    case 'StatisticsOn':
      return noReports;
    default:
      return device satisfies never;
  }
}

/** What is said of a guest whose own total is less than it can be with all that it was given. @param most what a kernel may keep */
export const explainTotal = (total: Bytes, missing: Bytes, most: Bytes): string =>
  `the guest has not onlined all of its modules: its own total is ${formatMeasured(total)}, ${formatMeasured(missing)} less than boot ` +
  `memory and modules make, and a kernel keeps at most ${formatMeasured(most)} of that for itself`;

/** How far a VM can grow by what its definition says, and in which steps. */
export type Growth = {
  /** What it can have at the most, of all that counts against its maximum. */
  readonly largest: Bytes;
  readonly limitedBy: 'MaxMemory' | 'BootMemory' | 'Slots';
  readonly step: Bytes;
};

/** @param step every module is a multiple of it */
export function computeGrowth({ boot, present, max, slots }: Room, step: Bytes): Growth {
  if (slots.used >= slots.total) return { largest: bytes(present), limitedBy: 'Slots', step };
  const byBoot = boot * maxTotalPerBootMemory;
  const more = floorTo(bytes(Math.max(0, Math.min(max, byBoot) - present)), step);
  return { largest: bytes(present + more), limitedBy: max <= byBoot ? 'MaxMemory' : 'BootMemory', step };
}

/** Whether memory that was given can be had back, by all that is known before anybody asks. */
export type Shrinking =
  /** The guest says what it can spare, and has refused nothing. */
  | 'AsAsked'
  /** There is boot memory only. */
  | 'NothingPlugged'
  /** It has refused some of what it has. */
  | 'Refused'
  /** Nobody knows what it can spare. */
  | 'NotKnown'
  /** Its system never gives any back. */
  | 'Never';

export function judgeShrinking(guest: {
  readonly system: GuestSystem | undefined;
  readonly modules: number;
  readonly refused: number;
  readonly reports: boolean;
}): Shrinking {
  if (guest.system === 'Windows') return 'Never';
  if (guest.modules === 0) return 'NothingPlugged';
  if (guest.refused > 0) return 'Refused';
  return guest.reports ? 'AsAsked' : 'NotKnown';
}

/** A hint, since a definition can say another system than runs. */
export const givesNothingBack =
  'by its definition it runs Windows, which never gives a module back: what is plugged stays until the VM is shut down';

/** What the guest's agent says of memory that isn't in use; '' where it says nothing that anybody could change. */
export function explainGuestAgent(word: GuestAgentWord | undefined): string {
  if (word === undefined) return '';
  if (word.blocks === null) {
    switch (word.problem) {
      case null:
      case 'NoChannel':
        return '';
      case 'Silent':
        return 'its QEMU guest agent does not answer: start qemu-guest-agent in the guest';
      case 'Refused':
        return 'its QEMU guest agent does not tell its memory blocks: allow guest-get-memory-blocks and guest-get-memory-block-info there';
      default:
        return word.problem satisfies never;
    }
  }
  const { offline, size } = word.blocks;
  if (offline === 0) return '';
  return `its QEMU guest agent says that ${offline === 1 ? 'a block' : `${offline} blocks`} of ${formatQuantity(size)} ${offline === 1 ? 'is' : 'are'} offline`;
}
