/** What Dimmer reads from a domain's XML: memory, and nothing else. */
import type { Result } from '../../memory/result.ts';
import type { Leader } from '../../memory/leader.ts';
import type { Bytes } from '../../memory/bytes.ts';
import type { GuestSystem } from '../../memory/guest-facts.ts';
import type { MemoryBacking } from '../../memory/backing.ts';
import type { HotplugObstacle, Machine } from '../../memory/hotplug-obstacle.ts';
import type { MemoryDevice } from '../../memory/memory-devices.ts';
import type { NodeMemory } from '../../memory/module.ts';
import type { KeptState } from './unread-state.ts';

/** Where in the XML something is wrong (`devices/memory[2]/target/size`), and what. */
export type XmlProblem = { readonly path: string; readonly problem: string };

export type XmlResult<T> = Result<T, XmlProblem>;

/** A `<memory model='dimm'>` device. */
export type DimmDevice = {
  /** null only in the definition of a domain that isn't running. */
  readonly slot: number | null;
  /**
   * Guest physical address. null in the definition of a domain that isn't running, and in a running one while the
   * module is still being attached (seen on libvirt 9.0.0: it is in the XML before QEMU has it, and vanishes again
   * when QEMU refuses it).
   */
  readonly base: Bytes | null;
  readonly size: Bytes;
  readonly alias: string | null;
  /** Guest NUMA node; 0 where the XML names none. */
  readonly node: number;
  /** Size of the host pages behind it; null: as the domain's memory backing says. */
  readonly pageSize: Bytes | null;
  /** Host nodes that it is bound to; null: not bound. */
  readonly hostNodes: readonly number[] | null;
};

/** A memory device that Dimmer never touches: NVDIMM, virtio-mem, those on QEMU's command line, future ones. */
export type OtherMemoryDevice = MemoryDevice & {
  /** Guest physical address; null: none, or not known. */
  readonly base: Bytes | null;
};

export type DomainMemoryXml = Machine & {
  readonly uuid: string;
  readonly name: string;
  /** Number of the running domain, another at every start; null: not running. */
  readonly id: number | null;
  readonly maxMemory: { readonly size: Bytes; readonly slots: number } | null;
  /** null: modules can be plugged. */
  readonly hotplugObstacle: HotplugObstacle | null;
  /** Boot memory by guest NUMA node, ascending; without NUMA cells all of it is node 0. At least one entry. */
  readonly boot: readonly NodeMemory[];
  /** False: the domain has no NUMA cells, and its modules name no node. */
  readonly hasNumaNodes: boolean;
  /** In the XML's order. */
  readonly modules: readonly DimmDevice[];
  /** Those that only QEMU's command line has, too. */
  readonly others: readonly OtherMemoryDevice[];
  /** What the others count for in the guest's total. */
  readonly otherTotal: Bytes;
  /** What the balloon leaves the guest (`<currentMemory>`), modules included. */
  readonly currentMemory: Bytes;
  readonly backing: MemoryBacking;
  /** What QEMU may use of the host's memory before its control group ends it (`<memtune>`); null: no limit. */
  readonly hardLimit: Bytes | null;
  /** null: no balloon device, so no statistics. */
  readonly balloon: {
    readonly model: string;
    /** 0: statistics are off. */
    readonly statsPeriodSeconds: number;
  } | null;
  /** What runs in the guest, by hints; absent: nothing says. */
  readonly guestSystem?: GuestSystem;
  /** A statistics period that was set aside for a question to the guest and may not stand yet; null: none. */
  readonly periodToRestore: number | null;
  /** The newest leader that has changed the domain; null: none, or it can't be read. */
  readonly leader: Leader | null;
  /** What Dimmer keeps with the domain; an error when it isn't readable, the empty state when there is none. */
  readonly state: XmlResult<KeptState>;
  /** Namespace that the host's admin says the domain belongs to; null: not said. */
  readonly ownerNamespace: XmlResult<string | null>;
};
