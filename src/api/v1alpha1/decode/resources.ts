/**
 * Makes typed resources of what the API server sends. Tolerant: the schema has judged the spec, but objects may be older
 * than the schema, and a status may come from another version of the controller. A field of the wrong type counts as absent.
 * Judging the spec is left to the controller, which says so in the status. managedFields are dropped: nobody reads them,
 * and they are half of the memory.
 */
import type { ObjectMeta } from '../meta.ts';
import { apiVersion } from '../meta.ts';
import type {
  AllowedNamespaces,
  HypervisorHost,
  HypervisorHostSpec,
  LabelSelector,
  LabelSelectorRequirement,
} from '../hypervisor-host.ts';
import type { Quantity, VirtualMachineMemory, VirtualMachineMemorySpec } from '../virtual-machine-memory.ts';
import { decodeHypervisorHostStatus, decodeVirtualMachineMemoryStatus } from './status.ts';
import {
  asArrayOf,
  asBoolean,
  asNumber,
  asObject,
  asOneOf,
  asString,
  asStringMap,
  asWholeArrayOf,
  defined,
  isObject,
  type JsonObject,
} from './json.ts';

type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

/** Metadata without which nothing can be made of an object; null when it is missing. */
function decodeMetadata(raw: unknown): ObjectMeta | null {
  const metadata = isObject(raw) ? asObject(raw['metadata']) : undefined;
  const name = asString(metadata?.['name']);
  const uid = asString(metadata?.['uid']);
  const resourceVersion = asString(metadata?.['resourceVersion']);
  if (metadata === undefined || !name || !uid || !resourceVersion) return null;
  return {
    name,
    uid,
    resourceVersion,
    // Kinds without a spec of their own, such as Namespace, have none.
    generation: asNumber(metadata['generation']) ?? 0,
    creationTimestamp: asString(metadata['creationTimestamp']) ?? '',
    ...defined({
      namespace: asString(metadata['namespace']),
      deletionTimestamp: asString(metadata['deletionTimestamp']),
      annotations: asStringMap(metadata['annotations']),
      labels: asStringMap(metadata['labels']),
      finalizers: asArrayOf(metadata['finalizers'], asString),
    }),
  };
}

const malformed = (raw: unknown): { readonly ok: false; readonly problem: string } => {
  const metadata = isObject(raw) ? asObject(raw['metadata']) : undefined;
  const name = asString(metadata?.['name']) ?? '(no name)';
  return { ok: false, problem: `${name}: metadata without name, uid or resourceVersion` };
};

const asQuantity = (value: unknown): Quantity | undefined => asString(value) ?? asNumber(value);

const asShrinkPolicy = asOneOf(['Exact', 'Nearest', 'Replace']);
const asGrowPolicy = asOneOf(['Whole', 'Divisible']);
const asRounding = asOneOf(['Exact', 'Up']);
const asGuestSafety = asOneOf(['Required', 'BestEffort', 'Off']);

function decodeSpec(raw: JsonObject): VirtualMachineMemorySpec {
  const virtualMachine = asObject(raw['virtualMachine']);
  const hostName = asString(asObject(raw['hostRef'])?.['name']);
  return {
    virtualMachine: defined({ uuid: asString(virtualMachine?.['uuid']), name: asString(virtualMachine?.['name']) }),
    ...defined({
      hostRef: hostName === undefined ? undefined : { name: hostName },
      memory: asQuantity(raw['memory']),
      shrinkPolicy: asShrinkPolicy(raw['shrinkPolicy']),
      growPolicy: asGrowPolicy(raw['growPolicy']),
      rounding: asRounding(raw['rounding']),
      granularity: asQuantity(raw['granularity']),
      pageSize: asQuantity(raw['pageSize']),
      guestSafety: asGuestSafety(raw['guestSafety']),
      unplugTimeout: asString(raw['unplugTimeout']),
      paused: asBoolean(raw['paused']),
    }),
  };
}

/** A VirtualMachineMemory; a problem only when its metadata is of no use. */
export function decodeVirtualMachineMemory(raw: unknown): Decoded<VirtualMachineMemory> {
  const metadata = decodeMetadata(raw);
  if (metadata?.namespace === undefined || !isObject(raw)) return malformed(raw);
  return {
    ok: true,
    value: {
      apiVersion,
      kind: 'VirtualMachineMemory',
      metadata: { ...metadata, namespace: metadata.namespace },
      spec: decodeSpec(asObject(raw['spec']) ?? {}),
      ...defined({ status: decodeVirtualMachineMemoryStatus(raw['status']) }),
    },
  };
}

/** Reads a part of a selector that may be left out; null when it is there and any of it isn't understood. */
function whole<T>(raw: unknown, decode: (value: unknown) => T | undefined): T | undefined | null {
  return raw === undefined ? undefined : (decode(raw) ?? null);
}

function decodeRequirement(raw: unknown): LabelSelectorRequirement | undefined {
  const requirement = asObject(raw);
  const key = asString(requirement?.['key']);
  const operator = asOneOf(['In', 'NotIn', 'Exists', 'DoesNotExist'])(requirement?.['operator']);
  const values = whole(requirement?.['values'], (list) => asWholeArrayOf(list, asString));
  if (key === undefined || operator === undefined || values === null) return undefined;
  return { key, operator, ...defined({ values }) };
}

/** null when any of it isn't understood: a selector with a requirement left out would let more namespaces in. */
function decodeSelector(raw: unknown): LabelSelector | null {
  if (!isObject(raw)) return null;
  const matchLabels = whole(raw['matchLabels'], (labels) => {
    const texts = asStringMap(labels);
    return Object.keys(texts ?? {}).length === Object.keys(asObject(labels) ?? {}).length ? texts : undefined;
  });
  const matchExpressions = whole(raw['matchExpressions'], (list) => asWholeArrayOf(list, decodeRequirement));
  return matchLabels === null || matchExpressions === null ? null : defined({ matchLabels, matchExpressions });
}

function decodeAllowedNamespaces(raw: unknown): AllowedNamespaces {
  const allowed = asObject(raw);
  if (allowed?.['from'] === 'All') return { from: 'All' };
  const selector = allowed?.['from'] === 'Selector' ? decodeSelector(allowed['selector']) : null;
  // What isn't understood lets nobody in.
  return selector === null ? { from: 'None' } : { from: 'Selector', selector };
}

function decodeHostSpec(raw: JsonObject): HypervisorHostSpec {
  return {
    address: asString(raw['address']) ?? '',
    allowedNamespaces: decodeAllowedNamespaces(raw['allowedNamespaces']),
    ...defined({
      tlsServerName: asString(raw['tlsServerName']),
      memoryReserve: asQuantity(raw['memoryReserve']),
      memoryOvercommit: asString(raw['memoryOvercommit']),
      maxConcurrentOperations: asNumber(raw['maxConcurrentOperations']),
      cordoned: asBoolean(raw['cordoned']),
      // What isn't understood lets nobody in.
      requireOwner: raw['requireOwner'] === undefined ? undefined : (asBoolean(raw['requireOwner']) ?? true),
    }),
  };
}

/** A HypervisorHost; a problem only when its metadata is of no use. */
export function decodeHypervisorHost(raw: unknown): Decoded<HypervisorHost> {
  const metadata = decodeMetadata(raw);
  if (metadata === null || !isObject(raw)) return malformed(raw);
  return {
    ok: true,
    value: {
      apiVersion,
      kind: 'HypervisorHost',
      metadata,
      spec: decodeHostSpec(asObject(raw['spec']) ?? {}),
      ...defined({ status: decodeHypervisorHostStatus(raw['status']) }),
    },
  };
}

/** A Namespace, of which only the labels matter; a problem when its metadata is of no use. */
export function decodeNamespace(raw: unknown): Decoded<{ readonly metadata: ObjectMeta }> {
  const metadata = decodeMetadata(raw);
  return metadata === null ? malformed(raw) : { ok: true, value: { metadata } };
}
