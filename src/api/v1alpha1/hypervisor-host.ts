/**
 * HypervisorHost: a host whose agent the controller may use. Cluster-scoped, short name `hvh`.
 * The schema is crds/dimmer.dev_hypervisorhosts.yaml; a test holds it and the shapes here to each other.
 */
import {
  boolean,
  lenient,
  list,
  map,
  mapped,
  object,
  type Of,
  oneOf,
  optional,
  orElse,
  type Shape,
  text,
  those,
  whole,
} from '../../memory/shape.ts';
import { condition } from './foreign-conditions.ts';
import type { apiVersion } from './meta.ts';
import { type ObjectMeta, quantity } from './meta.ts';

// Strict: a selector with a requirement left out would let more namespaces in.
const labelSelector = object({
  matchLabels: optional(map(text())),
  matchExpressions: optional(
    list(
      object({
        key: text(),
        operator: oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: optional(list(text())),
      }),
    ),
  ),
});
export type LabelSelector = Of<typeof labelSelector>;

/** Which namespaces may use the host. Required: nobody uses a host by default. */
export type AllowedNamespaces =
  | { readonly from: 'All' }
  | { readonly from: 'None' }
  | { readonly from: 'Selector'; readonly selector: LabelSelector };

/** What isn't understood lets nobody in. */
const allowedNamespaces: Shape<AllowedNamespaces> = orElse(
  { from: 'None' },
  mapped(
    object({ from: oneOf(['All', 'Selector', 'None']), selector: optional(labelSelector) }),
    ({ from, selector }): AllowedNamespaces => {
      if (from !== 'Selector') return { from };
      return selector === undefined ? { from: 'None' } : { from, selector };
    },
  ),
);

export const hypervisorHostSpec = object({
  /** https://host:port of the agent. */
  address: orElse('', text()),
  tlsServerName: lenient(text()),
  allowedNamespaces,
  /** Never plug below this much available host memory; default 0. */
  memoryReserve: lenient(quantity),
  /** Decimal number as text; committed memory may reach (total - reserve) times this; default "1.0". */
  memoryOvercommit: lenient(text()),
  /** What the running virtual machines of one namespace may have; absent: no limit. What isn't understood is no size. */
  namespaceLimit: optional(orElse('', quantity)),
  /** Default 4. */
  maxConcurrentOperations: lenient(whole({ minimum: 1, maximum: 64 })),
  cordoned: lenient(boolean),
  /** True: only virtual machines whose metadata names an owner namespace may be had, and so what isn't understood. */
  requireOwner: optional(orElse(true, boolean)),
});
export type HypervisorHostSpec = Of<typeof hypervisorHostSpec>;

export const hypervisorHostStatus = object({
  /** -1: no controller has looked yet (the schema's default). */
  observedGeneration: lenient(whole({ minimum: -1 })),
  conditions: lenient(those(condition)),
  agentVersion: lenient(text()),
  libvirtVersion: lenient(text()),
  hypervisorVersion: lenient(text()),
  memory: lenient(object({ total: text(), available: text(), committed: text() })),
  nodes: lenient(
    those(
      object({
        id: whole(),
        total: text(),
        available: text(),
        hugepages: those(object({ pageSize: text(), total: whole(), free: whole() })),
      }),
    ),
  ),
  virtualMachines: lenient(whole()),
  /** Where the spec has a namespaceLimit: the namespaces whose VMs have most, at most 16. */
  namespaces: lenient(those(object({ namespace: text(), committed: text() }))),
  /** `spec.cordoned` as a controller last saw it: whoever comes after knows what has been told. */
  cordoned: lenient(boolean),
});
export type HypervisorHostStatus = Of<typeof hypervisorHostStatus>;

export type HypervisorHost = {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'HypervisorHost';
  readonly metadata: ObjectMeta;
  readonly spec: HypervisorHostSpec;
  readonly status?: HypervisorHostStatus;
};
