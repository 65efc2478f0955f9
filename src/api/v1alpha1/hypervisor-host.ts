/**
 * HypervisorHost: a host whose agent the controller may use. Cluster-scoped, short name `hvh`.
 * The schema is crds/dimmer.dev_hypervisorhosts.yaml.
 */
import type { Condition, ObjectMeta } from './meta.ts';
import type { Quantity } from './virtual-machine-memory.ts';

export type LabelSelectorRequirement = {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values?: readonly string[];
};

export type LabelSelector = {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly LabelSelectorRequirement[];
};

/** Which namespaces may use the host. Required: nobody uses a host by default. */
export type AllowedNamespaces =
  | { readonly from: 'All' }
  | { readonly from: 'None' }
  | { readonly from: 'Selector'; readonly selector: LabelSelector };

export type HypervisorHostSpec = {
  /** https://host:port of the agent. */
  readonly address: string;
  readonly tlsServerName?: string;
  readonly allowedNamespaces: AllowedNamespaces;
  /** Never plug below this much available host memory; default 0. */
  readonly memoryReserve?: Quantity;
  /** Decimal number as text; committed memory may reach (total - reserve) times this; default "1.0". */
  readonly memoryOvercommit?: string;
  /** 1 to 64, default 4. */
  readonly maxConcurrentOperations?: number;
  readonly cordoned?: boolean;
  /** True: only virtual machines whose metadata names an owner namespace may be had. */
  readonly requireOwner?: boolean;
};

export type HypervisorHostStatus = {
  /** -1: no controller has looked yet (the schema's default). */
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
  readonly agentVersion?: string;
  readonly libvirtVersion?: string;
  readonly hypervisorVersion?: string;
  readonly memory?: { readonly total: string; readonly available: string; readonly committed: string };
  readonly nodes?: readonly {
    readonly id: number;
    readonly total: string;
    readonly available: string;
    readonly hugepages: readonly { readonly pageSize: string; readonly total: number; readonly free: number }[];
  }[];
  readonly virtualMachines?: number;
  /** `spec.cordoned` as a controller last saw it: whoever comes after knows what has been told. */
  readonly cordoned?: boolean;
};

export type HypervisorHost = {
  readonly apiVersion: 'dimmer.dev/v1alpha1';
  readonly kind: 'HypervisorHost';
  readonly metadata: ObjectMeta;
  readonly spec: HypervisorHostSpec;
  readonly status?: HypervisorHostStatus;
};
