/** What a driver says of a domain: its memory, and what Dimmer keeps with it. Sizes in exact bytes. */
import type { Bytes } from '../../memory/bytes.ts';
import type { GuestSystem } from '../../memory/guest-facts.ts';
import type { MemoryBacking } from '../../memory/backing.ts';
import type { HotplugObstacle, Machine } from '../../memory/hotplug-obstacle.ts';
import type { MemoryDevice } from '../../memory/memory-devices.ts';
import type { NodeMemory } from '../../memory/module.ts';
import type { Leader } from '../../memory/leader.ts';
import type { OperationState } from '../../memory/operation-state.ts';
import type { Result } from '../../memory/result.ts';

/** What was read, or where something is wrong with it, and what. */
export type Readable<T> = Result<T, { readonly path: string; readonly problem: string }>;

/** A plugged DIMM. */
export type DescribedModule = {
  /** null only where the domain isn't running. */
  readonly slot: number | null;
  /** null where the domain isn't running, and while the module is still being attached. */
  readonly base: Bytes | null;
  readonly size: Bytes;
  /** The handle that detaching takes; null: it has none. */
  readonly alias: string | null;
  /** Guest NUMA node. */
  readonly node: number;
  /** Size of the host pages behind it; null: as the domain's memory is backed. */
  readonly pageSize: Bytes | null;
  /** Host nodes that it is bound to; null: not bound. */
  readonly hostNodes: readonly number[] | null;
};

/** A memory device that Dimmer never touches. */
export type OtherMemory = MemoryDevice & {
  /** Guest physical address; null: none, or not known. */
  readonly base: Bytes | null;
};

/** The operation state as it was read, with what only a newer Dimmer knows (docs/adr/0026-what-is-not-known-is-kept.md). */
export type KeptState = OperationState & {
  /** The driver's alone: it is handed back with the next write. Absent: all of it is known. */
  readonly unread?: object;
};

export type DomainDescription = Machine & {
  readonly uuid: string;
  readonly name: string;
  /** Number of the running domain, another at every start; null: not running. */
  readonly id: number | null;
  readonly maxMemory: { readonly size: Bytes; readonly slots: number } | null;
  /** null: modules can be plugged. */
  readonly hotplugObstacle: HotplugObstacle | null;
  /** Boot memory by guest NUMA node, ascending. At least one entry. */
  readonly boot: readonly NodeMemory[];
  /** False: the domain has no NUMA cells, and its modules name no node. */
  readonly hasNumaNodes: boolean;
  readonly modules: readonly DescribedModule[];
  readonly others: readonly OtherMemory[];
  /** What the others count for in the guest's total. */
  readonly otherTotal: Bytes;
  /** What the balloon leaves the guest, modules included. */
  readonly currentMemory: Bytes;
  readonly backing: MemoryBacking;
  /** What QEMU may use of the host's memory before its control group ends it; null: no limit. */
  readonly hardLimit: Bytes | null;
  /** null: no balloon, so no statistics. A period of 0: statistics are off. */
  readonly balloon: { readonly statsPeriodSeconds: number } | null;
  /** What runs in the guest, by hints of the definition; absent: nothing says. */
  readonly guestSystem?: GuestSystem;
  /** A statistics period that was set aside for a question to the guest and may not stand yet; null: none. */
  readonly periodToRestore: number | null;
  /** The newest leader that has changed the domain; null: none, or it can't be read. */
  readonly leader: Leader | null;
  /** What Dimmer keeps with the domain; an error when it isn't readable, the empty state when there is none. */
  readonly state: Readable<KeptState>;
  /** Namespace that the host's admin says the domain belongs to; null: not said. */
  readonly ownerNamespace: Readable<string | null>;
};

/** What a domain would be started from; null: it is transient. */
export type Stored = Readable<DomainDescription> | null;

/** What is known of it; `unread`: the hypervisor didn't say, and nothing was known before. */
export type KnownStored = Stored | 'unread';
