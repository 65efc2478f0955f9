/**
 * VirtualMachineMemory: the memory that a virtual machine should have. Namespaced, short name `vmmem`.
 * The schema is crds/dimmer.dev_virtualmachinememories.yaml. Quantities in `spec` are as the user wrote them
 * (a number or a text); those in `status` have the one canonical form of `formatQuantity`.
 */
import type { Condition, ObjectMeta } from './meta.ts';

/** A quantity as a user may write it: `6Gi`, `1536Mi`, or a plain number of bytes. */
export type Quantity = string | number;

export type VirtualMachineReference = { readonly uuid?: string; readonly name?: string };

export type VirtualMachineMemorySpec = {
  /** Exactly one of uuid and name; a name needs `hostRef`. Immutable. */
  readonly virtualMachine: VirtualMachineReference;
  readonly hostRef?: { readonly name: string };
  /** Desired total guest memory; absent: observe only. */
  readonly memory?: Quantity;
  readonly shrinkPolicy?: 'Exact' | 'Nearest' | 'Replace';
  readonly growPolicy?: 'Whole' | 'Divisible';
  readonly rounding?: 'Exact' | 'Up';
  /** Overrides the guest's memory block size. */
  readonly granularity?: Quantity;
  /** Huge pages behind new modules. */
  readonly pageSize?: Quantity;
  readonly guestSafety?: 'Required' | 'BestEffort' | 'Off';
  /** A duration such as `30s`; after it an unanswered unplug is reported as unknown. */
  readonly unplugTimeout?: string;
  readonly paused?: boolean;
};

export type ModuleStatus = {
  readonly slot: number;
  readonly alias: string;
  readonly node: number;
  readonly size: string;
  /** Guest physical address, hexadecimal with 0x. */
  readonly base: string;
  readonly state: 'Plugged' | 'Leaving' | 'Refused';
  /** How often the guest refused to give it up; absent: never. */
  readonly refusals?: number;
  /** When the guest refused last, RFC 3339 with milliseconds; absent: never. */
  readonly refusedAt?: string;
  /** Not asked again before; absent: not quarantined. */
  readonly retryAfter?: string;
};

export type PlanStatus = {
  readonly decision: 'Noop' | 'Plug' | 'Unplug' | 'Replace' | 'Wait' | 'Blocked';
  readonly steps: readonly {
    readonly operation: 'Plug' | 'Unplug';
    readonly size: string;
    readonly node: number;
    readonly slot: number;
  }[];
  readonly message: string;
};

export type ReachableStatus = {
  readonly below?: string;
  readonly above?: string;
  readonly ranges: readonly { readonly from: string; readonly to: string; readonly step: string }[];
  readonly complete: boolean;
};

/** What stands behind new modules of some guest nodes. */
export type BackingStatus = {
  readonly nodes: readonly number[];
  /** The VM's own huge pages there; absent: ordinary pages. */
  readonly pageSize?: string;
  readonly preallocated: boolean;
  /** How much more the host could give this VM there; absent: not known. See docs/planner.md. */
  readonly room?: {
    /** The page size that it was worked out for; absent: ordinary pages. */
    readonly pageSize?: string;
    readonly host: string;
    /** By the free huge pages of `pageSize`. */
    readonly pages?: string;
  };
};

/**
 * What a planner needs beyond the other fields, as it was when the status was last written: with it the same plan can be
 * made from the object alone. What the host has is told only as far as this VM could use it.
 */
export type PlanningStatus = {
  /** By the host's clock, RFC 3339 with milliseconds, as every time here. */
  readonly observedAt: string;
  /** Boot memory by guest NUMA node. */
  readonly boot: readonly { readonly node: number; readonly size: string }[];
  /** The guest's memory block, whatever `spec.granularity` says. */
  readonly block: string;
  readonly slots: {
    readonly usedByOthers: readonly number[];
    readonly resting: readonly number[];
    /** Slots that other devices take without a number; absent: none. */
    readonly unnumbered?: number;
  };
  /** NVDIMM and the like: what counts against the maximum. */
  readonly otherBytes: string;
  /** What of it counts in the total; absent: nothing. */
  readonly otherTotal?: string;
  /** The hard limit of the VM's control group, and what QEMU needs of it for itself; absent: none. */
  readonly hardLimit?: { readonly size: string; readonly overhead: string };
  /** Another process that maps every module, and for how many more it has room; absent: none. */
  readonly sharedWith?: { readonly backend: string; readonly left: number };
  readonly booting: boolean;
  /** Whether the host takes no new memory. */
  readonly cordoned: boolean;
  /** The guest's last report; absent: it never gave one. */
  readonly guest?: {
    readonly usable: string;
    readonly total: string;
    readonly reportedAt: string;
    /** Late: made since the guest booted, and too old to judge by. */
    readonly report: 'Fresh' | 'Late' | 'BeforeBoot';
  };
  /** What stands behind new modules, by guest nodes; every node is in one. */
  readonly backings: readonly BackingStatus[];
};

export type VirtualMachineMemoryStatus = {
  /** -1: no controller has looked yet (the schema's default). */
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
  readonly hostName?: string;
  readonly virtualMachine?: {
    /** Pinned at the first observation. */
    readonly uuid: string;
    readonly name: string;
    readonly state: string;
    /** Host and running domain; changes with every start. */
    readonly runtimeId?: string;
  };
  readonly memory?: {
    readonly boot: string;
    readonly plugged: string;
    /** boot + plugged; counts modules that are leaving. */
    readonly current: string;
    readonly target?: string;
    readonly guestTotal?: string;
    readonly balloon?: string;
    readonly max?: string;
  };
  readonly slots?: { readonly total: number; readonly used: number };
  readonly granularity?: string;
  readonly modules?: readonly ModuleStatus[];
  readonly plan?: PlanStatus;
  readonly reachable?: ReachableStatus;
  readonly planning?: PlanningStatus;
  readonly lastResize?: {
    readonly from: string;
    readonly to: string;
    readonly startTime: string;
    readonly completionTime?: string;
    /** The guest's own total when the resize began; absent: the guest had reported none. */
    readonly guestTotalBefore?: string;
  };
  /** A replacement (shrinkPolicy Replace) that was begun and hasn't reached its end. */
  readonly replacement?: {
    /** The generation it was begun for. */
    readonly generation: number;
    readonly phase: 'Unplugging' | 'RollingBack' | 'CalledOff';
    /** Of the module that was plugged for it; absent: an older controller didn't say. */
    readonly slot?: number;
  };
  /** The last value of the reconcile-requested-at annotation that was acted on. */
  readonly lastHandledReconcileAt?: string;
  /** The last value of the observe-requested-at annotation for which this status was written. */
  readonly lastHandledObserveAt?: string;
};

export type VirtualMachineMemory = {
  readonly apiVersion: 'dimmer.dev/v1alpha1';
  readonly kind: 'VirtualMachineMemory';
  readonly metadata: ObjectMeta & { readonly namespace: string };
  readonly spec: VirtualMachineMemorySpec;
  readonly status?: VirtualMachineMemoryStatus;
};
