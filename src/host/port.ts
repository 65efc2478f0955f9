/**
 * The port: what reconciling needs of a hypervisor host, and no more. The HTTPS client, the agent's own service and
 * the simulated host implement it; the reconciler doesn't know which one it holds.
 *
 * Observing never changes anything. Changes are guarded by the revision they were planned from and by the claim.
 */
import type { Bytes } from '../memory/bytes.ts';
import type { ModuleIdentity, ModuleState, NodeMemory } from '../memory/module.ts';
import type { Claim, Mark, Replacement } from '../memory/operation-state.ts';
import type { HostAnswer } from './errors.ts';

/** Memory of one NUMA node of the host. */
export type HostNode = {
  readonly id: number;
  readonly total: Bytes;
  /** What can still be allocated without swapping (MemFree plus what the kernel can reclaim). */
  readonly available: Bytes;
  readonly hugepages: readonly { readonly pageSize: Bytes; readonly total: number; readonly free: number }[];
};

/** What the kernel tells of huge pages of one size for the whole host only. Counts of pages. */
export type HugepagePool = {
  readonly pageSize: Bytes;
  /** Of those that are free, promised already: to mappings that haven't touched them, and to modules being plugged. */
  readonly reserved: number;
  /** Surplus pages that the kernel may still make of ordinary memory when they are asked for. */
  readonly onDemand: number;
};

export type HostFacts = {
  readonly agentVersion: string;
  readonly libvirtVersion: string;
  readonly hypervisorVersion: string;
  readonly memory: {
    readonly total: Bytes;
    readonly available: Bytes;
    /** Sum of the memory of all running VMs, whether touched yet or not. */
    readonly committed: Bytes;
  };
  readonly nodes: readonly HostNode[];
  /** One for each size; empty: an older agent, which knows none on demand. */
  readonly hugepagePools: readonly HugepagePool[];
  /** Running and defined VMs that the agent admits. */
  readonly virtualMachines: number;
  /** Of those the running ones that no owner element reserves for a namespace; null: an older agent doesn't say. */
  readonly virtualMachinesWithoutOwner: number | null;
};

/** libvirt's virDomainState, in words; `Paused` VMs have a running QEMU process. */
export type DomainState =
  'Running' | 'Blocked' | 'Paused' | 'ShuttingDown' | 'ShutOff' | 'Crashed' | 'Suspended' | 'Unknown';

export type DomainSummary = { readonly uuid: string; readonly name: string; readonly state: DomainState };

/** What callers learn of a mark: the rest of it is the module itself. */
export type ObservedMark = Pick<Mark, 'generation' | 'firstAskedAtMs' | 'lastAskedAtMs' | 'attempts'>;

/** A plugged module as observed. */
export type ObservedModule = ModuleIdentity & {
  readonly alias: string;
  /** Guest NUMA node. */
  readonly node: number;
  readonly size: Bytes;
  readonly state: ModuleState;
  /** The mark of an unplug under way; null unless `Leaving`. */
  readonly mark: ObservedMark | null;
  /**
   * When the guest last refused to give the module up, as far as this agent process has heard (epoch milliseconds);
   * null: not heard of. A refusal nobody heard is settled by asking for the same module again.
   */
  readonly refusedAtMs: number | null;
};

/** The guest's own view of its memory, from virtio-balloon statistics. */
export type GuestStatistics = {
  /** MemTotal. */
  readonly total: Bytes;
  /** MemAvailable. */
  readonly usable: Bytes;
  /** MemFree. */
  readonly free: Bytes;
  /** When the guest reported this, epoch milliseconds by the host's clock. */
  readonly reportedAtMs: number;
  /** Whether the report is at most 10 s old and from the present boot; judged by the agent. */
  readonly fresh: boolean;
  /** Whether the guest has made it since it booted: one that has, and isn't fresh any more, is late. */
  readonly ofThisBoot: boolean;
};

/** The memory of a running domain. */
export type MemoryLayout = {
  /** Boot memory per guest NUMA node. */
  readonly boot: readonly NodeMemory[];
  /** Ascending by slot. */
  readonly modules: readonly ObservedModule[];
  readonly slots: {
    readonly total: number;
    /** Slots held by devices that aren't DIMMs (NVDIMM). */
    readonly usedByOthers: readonly number[];
    /** Slots of modules that left a moment ago. */
    readonly resting: readonly number[];
  };
  /** NVDIMM, virtio-mem (at full size) and the like: count against maxMemory, not in the total. */
  readonly otherBytes: Bytes;
  /** null: hotplug isn't supported, `hotplugProblem` says why. */
  readonly maxMemory: Bytes | null;
  /** Why no module can be plugged, in words with the way out; null when hotplug is possible. */
  readonly hotplugProblem: string | null;
  /** What the balloon leaves the guest, as libvirt's currentMemory says. */
  readonly balloon: Bytes;
  /** The VM's own page size when its memory is backed by huge pages; null: ordinary pages. */
  readonly pageSize: Bytes | null;
  /** The guest's memory block size where it is known; null: the planner's default for the architecture. */
  readonly granularity: Bytes | null;
  /** libvirt's name of the guest architecture, such as x86_64. */
  readonly architecture: string;
};

/** A domain as observed. `layout` is null when no QEMU process runs. */
export type DomainObservation = {
  readonly uuid: string;
  readonly name: string;
  readonly state: DomainState;
  /** Changes with every start of the QEMU process; null when none runs. */
  readonly runtimeId: string | null;
  readonly migrating: boolean;
  readonly layout: MemoryLayout | null;
  /** null: no balloon, or it has never reported. */
  readonly guest: GuestStatistics | null;
  /** True in the boot window: no statistics since the guest booted, and booted (or first seen) less than 60 s ago. */
  readonly booting: boolean;
  readonly claim: Claim | null;
  /** A replacement begun for the claim's generation; null: none. */
  readonly replacement: Replacement | null;
  /** The only namespace that may claim the domain, as the host's admin wrote it into its metadata; null: any. */
  readonly ownerNamespace: string | null;
  /** Hash of the running domain's id, its modules and the marks; changes are guarded by it. */
  readonly revision: string;
  /** The host's clock when this was observed, epoch milliseconds; marks and statistics go by the same clock. */
  readonly observedAtMs: number;
};

/** Who asks for a change; see {@link Claim}. */
export type ClaimRequest = Claim & {
  /** uid of the resource of the same cluster whose claim this one takes over: it is gone, or not the owner any more. */
  readonly replacesUid?: string;
};

export type PlugRequest = ClaimRequest & {
  readonly slot: number;
  readonly size: Bytes;
  /** Guest NUMA node. */
  readonly node: number;
  readonly pageSize?: Bytes;
  readonly hostNodes?: readonly number[];
  /** True: this module begins a replacement; recorded with the VM before it is plugged. */
  readonly beginsReplacement?: boolean;
  /** Available host memory that must remain after the plug. */
  readonly hostReserve: Bytes;
  /** Committed guest memory may reach (total - hostReserve) times this; more than 0. */
  readonly hostOvercommit: number;
};

export type UnplugRequest = ClaimRequest & {
  readonly slot: number;
  /** What the guest must have left when the module is gone; absent: not judged. */
  readonly minUsableAfter?: Bytes;
};

/**
 * `done: false`: not known to be finished, observe. `revision` is what the next change of the same plan is guarded by.
 */
export type PlugAnswer = { readonly done: boolean; readonly revision: string };
/** The guest was asked; that means nothing yet. */
export type UnplugAnswer = { readonly revision: string };

/** What a host tells without being asked. Every event is a hint to observe, never a fact to compute with. */
export type HostEvent =
  | { readonly kind: 'lifecycle'; readonly uuid: string }
  | { readonly kind: 'module-added'; readonly uuid: string }
  | { readonly kind: 'module-removed'; readonly uuid: string }
  | { readonly kind: 'module-refused'; readonly uuid: string }
  | { readonly kind: 'statistics'; readonly uuid: string }
  /** Events may have been lost, or the stream has just begun: look at everything once. */
  | { readonly kind: 'reset' }
  /** The stream broke; a `reset` follows when it is back. */
  | { readonly kind: 'lost'; readonly error: string };

/**
 * A look is given up when its `signal` is aborted, where there is something to be given up; its answer is `timeout`
 * then. A change takes no signal: once it is on its way nobody could say whether it was made
 * (docs/adr/0027-what-is-under-way-can-be-ended.md).
 */
export interface Host {
  /** Versions, capacity, free memory. */
  facts(signal?: AbortSignal): Promise<HostAnswer<HostFacts>>;
  /** Running and defined VMs that the agent admits. */
  listDomains(signal?: AbortSignal): Promise<HostAnswer<readonly DomainSummary[]>>;
  /** One domain as it is now; `not-found` when it isn't there or isn't admitted. */
  observe(uuid: string, signal?: AbortSignal): Promise<HostAnswer<DomainObservation>>;
  /** Plugs one module. Fails with `stale-revision` when the domain isn't as `revision` says. */
  plug(uuid: string, revision: string, request: PlugRequest): Promise<HostAnswer<PlugAnswer>>;
  /** Asks the guest to give one module up. Accepted is not done. */
  unplug(uuid: string, revision: string, request: UnplugRequest): Promise<HostAnswer<UnplugAnswer>>;
  /** Delivers events until the returned function is called; begins with `reset` (or `lost`). */
  watch(listener: (event: HostEvent) => void): () => void;
  /** Ends connections. */
  close(): Promise<void>;
}
