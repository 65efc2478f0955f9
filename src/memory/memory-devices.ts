/**
 * What counts as what: one table over all memory devices that a guest can have (docs/adr/0031). Every sum of memory that
 * is observed, planned, shown or promised takes its terms from here.
 */
import { type Bytes, sumBytes } from './bytes.ts';

/**
 * How much of a device counts: all of it, what it gives the guest now, what it may give at any moment without being
 * asked again, or nothing.
 */
type Share = 'size' | 'given' | 'requested' | 'nothing';

type Row = {
  /** In the guest's total: what its kernel calls memory. */
  readonly total: Share;
  /** In what the host has promised: memory that it may have to provide. */
  readonly promised: Share;
  /** Against the domain's `<maxMemory>`. */
  readonly maximum: Share;
  /**
   * Against the domain's slots: under a number of its own; without one (libvirt 9.0 counts every device that it knows
   * against them: "memory device count '2' exceeds slots count '1'"); or not at all.
   */
  readonly slot: 'numbered' | 'unnumbered' | 'none';
  /** Whether Dimmer may take it (I6). */
  readonly ours: boolean;
};

const table = {
  dimm: { total: 'size', promised: 'size', maximum: 'size', slot: 'numbered', ours: true },
  // A file of the host, a disk to the guest.
  nvdimm: { total: 'nothing', promised: 'nothing', maximum: 'size', slot: 'numbered', ours: false },
  'virtio-pmem': {
    total: 'nothing',
    promised: 'nothing',
    maximum: 'size',
    slot: 'unnumbered',
    ours: false,
  },
  // After a reset the guest takes what is requested again by itself.
  'virtio-mem': {
    total: 'given',
    promised: 'requested',
    maximum: 'size',
    slot: 'unnumbered',
    ours: false,
  },
  // Set aside by the host's firmware, no part of its memory; libvirt counts it in `<memory>` all the same.
  'sgx-epc': {
    total: 'nothing',
    promised: 'nothing',
    maximum: 'size',
    slot: 'unnumbered',
    ours: false,
  },
  // A DIMM that only QEMU's command line has (`<qemu:commandline>`): libvirt doesn't know of it.
  'pc-dimm': { total: 'size', promised: 'size', maximum: 'size', slot: 'numbered', ours: false },
} as const satisfies Readonly<Record<string, Row>>;

/** A model of a libvirt that is newer than this: not taken for the guest's, but room is kept for it. */
const unknown: Row = {
  total: 'nothing',
  promised: 'size',
  maximum: 'size',
  slot: 'unnumbered',
  ours: false,
};

/** A memory device, by libvirt's model, or `pc-dimm`. */
export type MemoryDevice = {
  readonly model: string;
  /** DIMM slot that it holds; null: none, or not known. */
  readonly slot: number | null;
  readonly size: Bytes;
  /** What it gives the guest now; only with virtio-mem less than its size. */
  readonly given: Bytes;
  /** What it was asked to give; only with virtio-mem less than its size. */
  readonly requested: Bytes;
};

const rowOf = (model: string): Row => (Object.hasOwn(table, model) ? table[model as keyof typeof table] : unknown);

function shareOf(device: MemoryDevice, share: Share): Bytes {
  switch (share) {
    case 'size':
      return device.size;
    case 'given':
      return device.given;
    case 'requested':
      return device.requested > device.given ? device.requested : device.given;
    case 'nothing':
      return 0 as Bytes;
    default:
      return share satisfies never;
  }
}

/** What devices count for together, in bytes: in the guest's total, in the host's promise, against the maximum. */
export const sumOfDevices = (devices: readonly MemoryDevice[], as: 'total' | 'promised' | 'maximum'): Bytes =>
  sumBytes(devices.map((device) => shareOf(device, rowOf(device.model)[as])));

/** Whether devices of the model are ever attached or detached (I6). */
export const isOurs = (model: string): boolean => rowOf(model).ours;

/** The slots of devices that hold one by number, and how many more they take without one. */
export function slotsOfDevices(devices: readonly MemoryDevice[]): {
  readonly numbered: readonly number[];
  readonly unnumbered: number;
} {
  const numbered = devices.flatMap(({ slot }) => slot ?? []);
  const takers = devices.filter(({ model, slot }) => slot !== null || rowOf(model).slot !== 'none');
  return { numbered, unnumbered: takers.length - numbered.length };
}
