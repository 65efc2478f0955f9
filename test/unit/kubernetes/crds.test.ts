import { describe, expect, it } from 'vitest';
import type { HypervisorHost } from '../../../src/api/v1alpha1/hypervisor-host.ts';
import type { Condition } from '../../../src/api/v1alpha1/meta.ts';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { hostCrd, memoryCrd, type Schema, schemaOf } from '../../support/crd-schema.ts';
import { decodeHypervisorHost, decodeVirtualMachineMemory } from '../../../src/api/v1alpha1/decode/resources.ts';

/** Every field present, optional ones too, at whatever depth. */
type Complete<T> = T extends readonly (infer E)[]
  ? readonly Complete<E>[]
  : T extends object
    ? { readonly [K in keyof Required<T>]: Complete<NonNullable<T[K]>> }
    : T;

const conditions: Complete<readonly Condition[]> = [
  { type: 'Ready', status: 'True', reason: 'Converged', message: 'm', lastTransitionTime: 't', observedGeneration: 1 },
];

const memory: Complete<Pick<VirtualMachineMemory, 'spec' | 'status'>> = {
  spec: {
    virtualMachine: { uuid: 'u', name: 'n' },
    hostRef: { name: 'h' },
    memory: '6Gi',
    shrinkPolicy: 'Exact',
    growPolicy: 'Whole',
    rounding: 'Up',
    granularity: '128Mi',
    pageSize: '2Mi',
    guestSafety: 'Required',
    unplugTimeout: '30s',
    paused: true,
  },
  status: {
    observedGeneration: 1,
    conditions,
    hostName: 'h',
    virtualMachine: { uuid: 'u', name: 'n', state: 'Running', runtimeId: 'r' },
    memory: {
      boot: '1Gi',
      plugged: '1Gi',
      current: '2Gi',
      target: '2Gi',
      guestTotal: '2000Mi',
      balloon: '2Gi',
      max: '8Gi',
    },
    slots: { total: 16, used: 1 },
    granularity: '128Mi',
    modules: [
      {
        slot: 0,
        alias: 'ua-dimmer-0',
        node: 0,
        size: '1Gi',
        base: '0x100000000',
        state: 'Plugged',
        refusals: 1,
        refusedAt: 't',
        retryAfter: 't',
      },
    ],
    plan: { decision: 'Plug', steps: [{ operation: 'Plug', size: '1Gi', node: 0, slot: 1 }], message: 'm' },
    reachable: { below: '1Gi', above: '3Gi', ranges: [{ from: '1Gi', to: '2Gi', step: '1Gi' }], complete: true },
    planning: {
      observedAt: 't',
      boot: [{ node: 0, size: '1Gi' }],
      block: '128Mi',
      slots: { usedByOthers: [1], resting: [2], unnumbered: 1 },
      otherBytes: '1Gi',
      otherTotal: '1Gi',
      hardLimit: { size: '4Gi', overhead: '1Gi' },
      sharedWith: { backend: 'vhost-user', left: 3 },
      booting: true,
      cordoned: true,
      guest: { usable: '1Gi', total: '2Gi', reportedAt: 't', report: 'Late' },
      backings: [
        { nodes: [0], pageSize: '2Mi', preallocated: true, room: { pageSize: '2Mi', host: '1Gi', pages: '1Gi' } },
      ],
    },
    lastResize: { from: '1Gi', to: '2Gi', startTime: 't', completionTime: 't', guestTotalBefore: '1Gi' },
    replacement: { generation: 1, phase: 'CalledOff', slot: 1 },
    lastHandledReconcileAt: 't',
    lastHandledObserveAt: 't',
  },
};

const host: Complete<Omit<HypervisorHost, 'apiVersion' | 'kind' | 'metadata' | 'spec'>> & {
  readonly spec: object;
} = {
  spec: {
    address: 'https://h',
    tlsServerName: 'h',
    allowedNamespaces: {
      from: 'Selector',
      selector: { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] },
    },
    memoryReserve: '4Gi',
    memoryOvercommit: '1.0',
    maxConcurrentOperations: 4,
    cordoned: true,
    requireOwner: true,
  } satisfies Complete<Omit<HypervisorHost['spec'], 'allowedNamespaces'>> &
    Pick<HypervisorHost['spec'], 'allowedNamespaces'>,
  status: {
    observedGeneration: 1,
    conditions,
    agentVersion: '1',
    libvirtVersion: '1',
    hypervisorVersion: '1',
    memory: { total: '1Gi', available: '1Gi', committed: '1Gi' },
    nodes: [{ id: 0, total: '1Gi', available: '1Gi', hugepages: [{ pageSize: '2Mi', total: 1, free: 1 }] }],
    virtualMachines: 1,
    cordoned: true,
  },
};

/** `a.b[].c` of every field that the value has. */
function fieldsOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return fieldsOf(value[0], `${path}[]`);
  if (typeof value !== 'object' || value === null) return [path];
  // A map, whose keys are data.
  if (path.endsWith('matchLabels')) return [path];
  return Object.entries(value).flatMap(([key, inner]) => fieldsOf(inner, path === '' ? key : `${path}.${key}`));
}

/** The same of every field that the schema knows. */
function fieldsOfSchema(schema: Schema, path = ''): string[] {
  if (schema.items !== undefined) return fieldsOfSchema(schema.items, `${path}[]`);
  if (schema.properties === undefined) return [path];
  return Object.entries(schema.properties).flatMap(([key, inner]) =>
    fieldsOfSchema(inner, path === '' ? key : `${path}.${key}`),
  );
}

const kinds = [
  { file: memoryCrd, complete: memory, decode: decodeVirtualMachineMemory },
  { file: hostCrd, complete: host, decode: decodeHypervisorHost },
] as const;

describe.each(kinds)('$file', ({ file, complete, decode }) => {
  const schema = schemaOf(file);
  const properties = { spec: schema.properties?.['spec'] ?? {}, status: schema.properties?.['status'] ?? {} };

  it('has every field of the types and no other', () => {
    expect(fieldsOfSchema({ properties }).sort()).toEqual(fieldsOf(complete).sort());
  });

  it('has every field decoded and none lost', () => {
    const metadata = {
      name: 'n',
      namespace: 't',
      uid: 'u',
      resourceVersion: '1',
      generation: 2,
      creationTimestamp: 'c',
      deletionTimestamp: 'd',
      annotations: { a: 'b' },
      labels: { c: 'd' },
      finalizers: ['f'],
    };
    const decoded = decode({ ...complete, metadata: { ...metadata, managedFields: [{}] } });
    expect(decoded).toMatchObject({ ok: true });
    const { apiVersion: _a, kind: _k, ...rest } = (decoded as { value: VirtualMachineMemory | HypervisorHost }).value;
    expect(rest).toEqual({ ...complete, metadata });
  });

  it('bounds every text and every list', () => {
    const unbounded: string[] = [];
    const visit = (part: Schema, path: string): void => {
      const isText = part.type === 'string' || part.anyOf !== undefined;
      const isBounded =
        part.maxLength !== undefined || part.enum !== undefined || part.format === 'date-time' || isShort(part.pattern);
      if (isText && !isBounded) unbounded.push(path);
      if (part.items !== undefined && part.maxItems === undefined) unbounded.push(path);
      if (part.additionalProperties !== undefined && part.maxProperties === undefined) unbounded.push(path);
      for (const inner of [part.items, part.additionalProperties]) if (inner !== undefined) visit(inner, `${path}[]`);
      for (const [key, inner] of Object.entries(part.properties ?? {})) visit(inner, `${path}.${key}`);
    };
    visit({ properties }, '');
    expect(unbounded).toEqual([]);
  });
});

/** Whether a pattern holds a text to a length: the ones used here repeat nothing without end. */
const isShort = (pattern: string | undefined): boolean => pattern !== undefined && !/[*+]/.test(pattern);
