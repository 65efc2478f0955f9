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
  };
  /** The last value of the reconcile-requested-at annotation that was acted on. */
  readonly lastHandledReconcileAt?: string;
};

export type VirtualMachineMemory = {
  readonly apiVersion: 'dimmer.dev/v1alpha1';
  readonly kind: 'VirtualMachineMemory';
  readonly metadata: ObjectMeta & { readonly namespace: string };
  readonly spec: VirtualMachineMemorySpec;
  readonly status?: VirtualMachineMemoryStatus;
};
