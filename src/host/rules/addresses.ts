/**
 * Where in the guest's address space a module is plugged. QEMU puts it into the first gap, aligned to 2 MiB; Linux takes
 * memory at multiples of its block only, and says nothing about the rest but in its own log ("unaligned hotplug range").
 * A device of odd size, such as an NVDIMM of 50 MiB, shifts every later module. Pure; see
 * docs/adr/0032-addresses-and-the-way-back.md.
 */
import { type Bytes, bytes } from '../../memory/bytes.ts';
import { defaultGranularity, smallestGranularity } from '../../memory/granularity.ts';
import { formatQuantity } from '../../memory/quantity.ts';

/** A device in the region of modules: DIMM, NVDIMM, virtio-mem, virtio-pmem. */
export type PlacedDevice = {
  /** For people: an alias or a model. */
  readonly name: string;
  /** null: not known. */
  readonly base: Bytes | null;
  readonly size: Bytes;
};

/** What decides on a place. */
export type Region = {
  /** libvirt's name: `x86_64`, ... */
  readonly architecture: string;
  /** Of all guest nodes. */
  readonly bootMemory: Bytes;
  /** Those that are known; QEMU may have more. */
  readonly devices: readonly PlacedDevice[];
};

const isOdd = ({ base, size }: PlacedDevice, block: Bytes): boolean => ((base ?? 0) + size) % block !== 0;

/**
 * The address to ask for; null: QEMU's own choice, which is right where everything is aligned, and all that there is where
 * a device has no known place.
 */
export function chooseBase({ architecture, bootMemory, devices }: Region): Bytes | null {
  const block = defaultGranularity(architecture, bootMemory);
  const isOrderly = devices.every(({ base, size }) => (base ?? 0) % block === 0 && size % block === 0);
  if (isOrderly || devices.some(({ base }) => base === null)) return null;
  const end = Math.max(...devices.map(({ base, size }) => (base ?? 0) + size));
  return bytes(Math.ceil(end / block) * block);
}

/** Whether a Linux guest may take a module at `base`; false: it certainly doesn't. */
export const isTakenAt = (base: Bytes, architecture: string): boolean => base % smallestGranularity(architecture) === 0;

const address = (base: number): string => `0x${base.toString(16)}`;

/** What is in the way of a module that came to lie at `base`, for people. */
export function explainMisplaced({ architecture, devices }: Region, base: Bytes): string {
  const block = smallestGranularity(architecture);
  const odd = devices
    .filter((device) => device.base === null || isOdd(device, block))
    .map(
      ({ name, base: at, size }) =>
        `${name} (${formatQuantity(size)} at ${at === null ? 'no known place' : address(at)})`,
    );
  const inTheWay =
    odd.length === 0 ? "a device that libvirt doesn't show, as on QEMU's command line" : odd.join(' and ');
  return (
    `the guest takes memory at multiples of ${formatQuantity(block)} only, and a module would lie at ${address(base)}, ` +
    `which is none: in the way is ${inTheWay}. Nothing can be plugged before that is gone, or its size is a multiple`
  );
}

/** What a plug is judged to have met: the same as long as no device comes, goes or moves. */
export const regionKey = ({ devices }: Region): string =>
  devices
    .map(({ base, size }) => `${base ?? '?'}:${size}`)
    .toSorted()
    .join();
