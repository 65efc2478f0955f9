/**
 * The port to what runs the VMs of a host, owned by the agent: it is what the agent's code uses, in the agent's words.
 * A driver reads, and does single things; what may be done is judged by the agent (docs/adr/0029-the-driver-port.md).
 */
import type { DomainState, HostNode, HugepagePool } from '../host/port.ts';
import type { Bytes } from '../memory/bytes.ts';
import type { GuestAgentWord } from '../memory/guest-facts.ts';
import type { Leader } from '../memory/leader.ts';
import type { OperationState } from '../memory/operation-state.ts';
import type { DescribedModule, DomainDescription, KeptState, Readable } from './domain/description.ts';

/** A domain by its names; `id` is the number of its run, null when it isn't running. */
export type DomainRef = { readonly uuid: string; readonly name: string; readonly id: number | null };

/** What happened to a domain. Every event is a hint: the description tells. */
export type DriverEvent = { readonly domain: DomainRef } &
  /** `goesOn`: not booted; the guest goes on where it stood: restored, reverted to a snapshot, migrated here or woken. */
  (
    | { readonly kind: 'started'; readonly goesOn: boolean }
    | { readonly kind: 'stopped' }
    /** Its state or its definition is another one. */
    | { readonly kind: 'changed' }
    | { readonly kind: 'rebooted' }
    /** The host's admin has named another owner. */
    | { readonly kind: 'owner-changed' }
    /** The size of the balloon is another one. */
    | { readonly kind: 'balloon-changed' }
    /** By the alias that the description has. */
    | { readonly kind: 'module-added' | 'module-removed' | 'module-refused'; readonly alias: string }
  );

export type ConnectionChange =
  /** The hypervisor answers, and events come. List now: they wait until the listener's promise is settled. */
  | { readonly kind: 'connected' }
  /** There is no connection (any more); the driver goes on trying. `message` is for people. */
  | { readonly kind: 'disconnected'; readonly reason: string; readonly message: string };

/** A long job on a domain. `busy`: something is changing the domain right now, so that the answer would have to wait. */
export type DomainJob = 'none' | 'migration' | 'other' | 'busy';

/** What the guest's balloon driver last said; null: it doesn't say. */
export type MemoryStatistics = {
  /** MemTotal of the guest. */
  readonly available: Bytes | null;
  /** MemFree of the guest. */
  readonly unused: Bytes | null;
  /** MemAvailable of the guest: what can be taken without killing a process. */
  readonly usable: Bytes | null;
  /** All memory that the hypervisor has for the guest, less what the balloon holds. */
  readonly balloon: Bytes | null;
  /** When the guest last reported, epoch milliseconds in whole seconds; null: never. */
  readonly lastUpdateMs: number | null;
  /** All that the guest said, and when, as one text: two that differ are two reports. null: it never reported. */
  readonly report: string | null;
};

/** A module to attach. */
export type NewModule = {
  readonly slot: number;
  /** null: it has none of its own, and the hypervisor gives it one. */
  readonly alias: string | null;
  readonly size: Bytes;
  /** Guest NUMA node; null: the guest has none, and none is named. */
  readonly node: number | null;
  /** Size of the host pages behind it; absent: as the domain's memory is backed. */
  readonly pageSize?: Bytes;
  /** Host nodes to bind it to, not empty; absent: not bound. */
  readonly hostNodes?: readonly number[];
  /** Guest physical address; absent: the hypervisor's choice. */
  readonly base?: Bytes;
};

/** A memory device that QEMU has, whatever the description shows. */
export type MonitorDevice = {
  /** `dimm`, `nvdimm`, `virtio-mem`, ... */
  readonly kind: string;
  /** The alias; null: it has none. */
  readonly id: string | null;
  /** DIMM slot; null for devices that need none. */
  readonly slot: number | null;
  readonly base: Bytes;
  readonly size: Bytes;
};

/** What QEMU has of memory: devices, and the names of the backends. */
export type MonitorMemory = { readonly devices: readonly MonitorDevice[]; readonly backends: readonly string[] };

/**
 * QEMU itself, past what manages it: for what that has forgotten, and for nothing else. A command never runs in the
 * middle of an attach or a detach. A driver without one rejects with class `Unsupported`: what was left behind stays.
 */
export type DomainMonitor = {
  /** null: QEMU's answer isn't understood. */
  memory(uuid: string): Promise<MonitorMemory | null>;
  /** Asks the guest for a module; what QEMU says against it, null: it was asked, or the module has left. */
  requestRemoval(uuid: string, alias: string): Promise<string | null>;
  /** Deletes a memory backend that no module uses; what QEMU says against it, null: nothing. */
  deleteBackend(uuid: string, name: string): Promise<string | null>;
};

/** The host's memory as its kernel tells it. */
export type HostMemoryReading = {
  readonly total: Bytes;
  readonly available: Bytes;
  readonly nodes: readonly HostNode[];
  /** What the kernel says of huge pages for the whole host only. */
  readonly hugepagePools: readonly HugepagePool[];
  /** Page size behind "huge pages" that name none; null: the host has none. */
  readonly defaultHugePageSize: Bytes | null;
};

/** What not every driver has. */
export type DriverCapabilities = {
  /** A guest's no is an event. Without it a refused module counts as leaving, like one of a silent guest. */
  readonly refusalEvents: boolean;
  /** A guest can be asked what memory it has now. Without it nothing is unplugged that its word is needed for. */
  readonly statisticsOnDemand: boolean;
  /** The definition that a VM is started from can be read and changed. Without it no size outlasts the run. */
  readonly storedDefinition: boolean;
};

/** Every call rejects only with a DriverError. Domains are named by uuid. */
export type Driver = {
  /** For people: `libvirt`. */
  readonly name: string;
  readonly capabilities: DriverCapabilities;
  readonly connected: boolean;
  /** Connects, and stays connected. Nothing is done before. */
  start(): void;
  close(): Promise<void>;
  onEvent(listener: (event: DriverEvent) => void): () => void;
  onConnection(listener: (change: ConnectionChange) => void | Promise<void>): () => void;

  /** Versions for people: `9.0.0`. */
  versions(): Promise<{ readonly libvirt: string; readonly hypervisor: string }>;
  /** @throws Error when the kernel doesn't show its memory */
  hostMemory(): HostMemoryReading;

  /** Running and defined ones. */
  listDomains(): Promise<readonly DomainRef[]>;
  /** A running domain as it is, else as it is defined. Never waits for a change of it. */
  describe(uuid: string): Promise<Readable<DomainDescription>>;
  /** Never waits for a change of the domain. */
  state(uuid: string): Promise<DomainState>;
  /** What long job is under way. Hardly ever waits: it looks first. */
  job(uuid: string): Promise<DomainJob>;

  /** Rejects with class `Busy` at once while something is changing the domain. */
  statistics(uuid: string): Promise<MemoryStatistics>;
  /**
   * How often the guest is asked for its memory; 0 switches that off. Setting another period than 0 where it was 0 makes
   * the guest be asked at once. Only with the capability `statisticsOnDemand`, as is the next.
   */
  setStatisticsPeriod(uuid: string, seconds: number): Promise<void>;
  /** Keeps with the domain which period is to stand (`periodToRestore`); null: nothing any more. */
  recordStatisticsPeriod(uuid: string, seconds: number | null): Promise<void>;

  /**
   * Keeps the state with the running domain, where it survives the hypervisor's daemon, travels with a migration and
   * ends with the run. What is `unread` of the state that stands there stays.
   */
  writeOperationState(uuid: string, state: OperationState, unread: KeptState['unread']): Promise<void>;
  /** Keeps with the running domain, as the state is, which leader changes it. */
  recordLeader(uuid: string, leader: Leader): Promise<void>;
  /**
   * Asks the guest's agent what memory blocks there are, within some seconds; what it says, or why it says nothing. Asked
   * only where the host's admin wants it. A driver without such a thing says `NoChannel`.
   */
  memoryBlocks(uuid: string): Promise<GuestAgentWord>;

  /** Plugs the module into the running domain. */
  attach(uuid: string, module: NewModule): Promise<void>;
  /** Success says only that the guest was asked. */
  detach(uuid: string, alias: string): Promise<void>;
  readonly monitor: DomainMonitor;

  /**
   * What the domain is started from, also while it runs; null: it is transient. Never waits for a change of it. Only with
   * the capability `storedDefinition`, as are the next two.
   */
  describeStored(uuid: string): Promise<Readable<DomainDescription> | null>;
  /** Puts a module into the stored definition alone. */
  storeModule(uuid: string, module: Omit<NewModule, 'base'>): Promise<void>;
  /** Takes a module out of the stored definition alone, by its alias or else by slot, size and node. */
  unstoreModule(uuid: string, module: DescribedModule): Promise<void>;
};
