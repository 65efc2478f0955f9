/**
 * What the planner is told and what it answers. Everything here is plain data; docs/planner.md is the contract.
 * What needs a clock (are statistics fresh, is a module still quarantined) the caller judges and passes as a boolean.
 */
import type { Bytes } from '../memory/bytes.ts';
import type { ModuleIdentity, ModuleState, NodeMemory } from '../memory/module.ts';
import type { GrowPolicy, GuestSafety, Rounding, ShrinkPolicy } from '../memory/policies.ts';

/** A plugged module as the planner sees it. */
export type PlannerModule = ModuleIdentity & {
  readonly alias: string;
  /** Guest NUMA node. */
  readonly node: number;
  readonly size: Bytes;
  readonly state: ModuleState;
  /** How often the guest refused to give it up. */
  readonly refusals: number;
  /** True while it isn't asked again after a refusal. */
  readonly quarantined: boolean;
  /** When the quarantine ends, as text to quote; null when it isn't quarantined. */
  readonly retryAfter: string | null;
};

/** What the guest says of its own memory (virtio-balloon statistics). */
export type GuestReport = {
  /** MemAvailable: what can be taken without killing a process. */
  readonly usable: Bytes;
  /** MemTotal. */
  readonly total: Bytes;
  /** False when the report is too old to judge by. */
  readonly fresh: boolean;
  /**
   * For how long the guest has been silent, milliseconds, where it has reported since it booted and is late now;
   * absent: it isn't late. One that reported only before it booted is as one that never did.
   */
  readonly silentMs?: number;
  /**
   * What the guest has taken of all modules together, where that is known: it costs the guest no more than this when
   * modules go. Absent: all of them count as taken.
   */
  readonly takenOfModules?: Bytes;
};

/** What stands behind new modules of some guest nodes. */
export type Backing = {
  /** Guest nodes, at least one. */
  readonly nodes: readonly number[];
  /** Size of huge pages; null: ordinary pages. */
  readonly pageSize: Bytes | null;
  /** Whether QEMU touches all of a module at once when it is plugged. */
  readonly preallocated: boolean;
  /** As in {@link PlannerObservation}, for these nodes. */
  readonly hostFree: Bytes | null;
  readonly hugepagesFree: Bytes | null;
  /** Host nodes that the memory must come from, to be named; null: any. */
  readonly hostNodes: readonly number[] | null;
};

/** A virtual machine and its host, as observed. */
export type HardLimit = {
  readonly size: Bytes;
  /** What QEMU needs beside the guest's memory. */
  readonly overhead: Bytes;
  /** Whether it holds for huge pages, too: where a device has the memory pinned. Absent: ordinary ones only. */
  readonly pinned?: boolean;
};

export type PlannerObservation = {
  /** Boot memory per guest NUMA node; at least one entry, nodes distinct. */
  readonly boot: readonly NodeMemory[];
  readonly modules: readonly PlannerModule[];
  readonly slots: {
    /** 0 to 256. */
    readonly total: number;
    /** Slots held by other devices (NVDIMMs). */
    readonly usedByOthers: readonly number[];
    /** Slots of modules that have just left; not reused for a while. */
    readonly resting: readonly number[];
    /** How many more slots other devices take that hold none by number; absent: none. */
    readonly unnumbered?: number;
  };
  /** NVDIMM, virtio-mem and the like: what counts against maxMemory. */
  readonly otherBytes: Bytes;
  /** What of it counts in the guest's total and is never taken; absent: nothing. */
  readonly otherTotal?: Bytes;
  readonly maxMemory: Bytes | 'unlimited' | 'unsupported';
  /** Why no module can be plugged now, with the way out; null or absent: one can, or `maxMemory` says that none can. */
  readonly hotplugProblem?: string | null;
  /** True in the boot window, when nothing may be changed. */
  readonly booting: boolean;
  /** True when the host takes no new plugs. */
  readonly cordoned: boolean;
  /** Size every module must be a multiple of: the guest's memory block size. Positive. */
  readonly granularity: Bytes;
  /** Page size behind new modules; null: ordinary pages. */
  readonly pageSize: Bytes | null;
  /** Whether QEMU touches all of a new module at once; absent: huge pages only. */
  readonly preallocated?: boolean;
  /** Where guest nodes differ: stands for `pageSize`, `preallocated`, `hostFree` and `hugepagesFree`. All nodes. */
  readonly backings?: readonly Backing[];
  /** What QEMU may use before its control group ends it; null or absent: no limit. */
  readonly hardLimit?: HardLimit | null;
  /** Another process that maps every module, and for how many more there surely is room; null or absent: none. */
  readonly sharedWith?: { readonly backend: string; readonly left: number } | null;
  /** Host memory that may still be plugged (reserve and overcommit already taken off); null: unknown, not judged. */
  readonly hostFree: Bytes | null;
  /** Free huge pages of `pageSize`, in bytes; null: unknown, not judged. */
  readonly hugepagesFree: Bytes | null;
  /** By how much the VM may grow before its namespace has all that it may of the host; null or absent: no limit. */
  readonly namespaceFree?: Bytes | null;
  /** null: the guest has never reported. */
  readonly guest: GuestReport | null;
};

export type PlannerPolicy = {
  readonly shrink: ShrinkPolicy;
  readonly grow: GrowPolicy;
  readonly guestSafety: GuestSafety;
  /** Absent: Exact. */
  readonly rounding?: Rounding;
};

/** What the planner is asked. */
export type PlanRequest = {
  /** Total guest memory wanted. */
  readonly desired: Bytes;
  readonly observation: PlannerObservation;
  readonly policy: PlannerPolicy;
};

export type PlugStep = {
  readonly operation: 'plug';
  readonly size: Bytes;
  /** Guest NUMA node. */
  readonly node: number;
  /** The lowest free slot when the step's turn comes. */
  readonly slot: number;
  /**
   * True: the guest must have onlined all that was plugged before this step is taken (its free memory is short
   * for the memory map of what comes, or the memory is preallocated).
   */
  readonly waitForOnline: boolean;
};

export type UnplugStep = {
  readonly operation: 'unplug';
  readonly size: Bytes;
  readonly node: number;
  readonly slot: number;
  readonly base: Bytes;
  readonly alias: string;
  /**
   * What the guest must have left when the module is gone (its usable memory less the module's size), judged again
   * by the host's agent at the moment it acts (invariant I10); null: not judged.
   */
  readonly minUsableAfter: Bytes | null;
};

export type PlanStep = PlugStep | UnplugStep;

export type Decision = 'noop' | 'plug' | 'unplug' | 'replace' | 'wait' | 'blocked';

/** Reasons a plan may carry; the same words are conditions, events, log fields and metric labels. */
export type PlanReason =
  | 'Converged'
  | 'ConvergedNearest'
  | 'Plugging'
  | 'Unplugging'
  | 'Replacing'
  | 'WaitingForGuest'
  | 'VMBusy'
  | 'BelowBootMemory'
  | 'UnreachableSize'
  | 'Misaligned'
  | 'GuestRefused'
  | 'GuestMemoryUnknown'
  | 'GuestMemoryInUse'
  | 'HotplugUnsupported'
  | 'ExceedsMaxMemory'
  | 'ExceedsHardLimit'
  | 'BootMemoryTooSmall'
  | 'SlotsExhausted'
  | 'HostCordoned'
  | 'NamespaceLimitReached'
  | 'InsufficientHostMemory'
  | 'HugepagesUnavailable';

/** Sizes `from`, `from + step`, ... `to`, all reachable. A single size has from = to. */
export type SizeRange = { readonly from: Bytes; readonly to: Bytes; readonly step: Bytes };

export type Reachable = {
  /** Nearest size strictly below `desired` that one plan reaches; null: none. */
  readonly below: Bytes | null;
  /** Nearest size strictly above `desired`; null: none. */
  readonly above: Bytes | null;
  /** All sizes from boot memory to current that unplugging reaches; ascending, at most 16. */
  readonly ranges: readonly SizeRange[];
  readonly complete: boolean;
};

/** The same unplug once more, for a module whose guest has been silent. */
export type AskAgain = ModuleIdentity & {
  readonly operation: 'ask-again';
  readonly alias: string;
  readonly minUsableAfter: Bytes | null;
};

export type Plan = {
  readonly decision: Decision;
  readonly steps: readonly PlanStep[];
  /** Total after all steps; current total for `blocked` and `wait`. */
  readonly resultMemory: Bytes;
  /** `resultMemory - desired` in bytes (may be negative); null for `blocked` and `wait`. */
  readonly residual: number | null;
  readonly reason: PlanReason;
  /** One sentence for an operator, with numbers. */
  readonly message: string;
  readonly reachable: Reachable;
  /** A leaving module that the guest should be asked for again; only with `wait`. */
  readonly askAgain?: AskAgain;
};

/** The request makes no sense (a duplicate slot, a negative size): `field` names what is wrong. */
export type PlanInputError = { readonly field: string; readonly problem: string };
