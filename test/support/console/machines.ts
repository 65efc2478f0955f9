/** Resources as an API server has them, with a status that adds up: for a console without a controller. */
import { decodeVirtualMachineMemory } from '../../../src/api/v1alpha1/decode.ts';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { type Bytes, bytes, sumBytes } from '../../../src/memory/bytes.ts';
import { formatQuantity, parseQuantity } from '../../../src/memory/quantity.ts';
import { planLive } from '../../../src/preview/live-plan.ts';

export type Raw = {
  readonly metadata: Readonly<Record<string, unknown>> & {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation: number;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>> & { readonly memory?: string };
  readonly status?: Readonly<Record<string, unknown>>;
};

export type ModuleDraft = {
  readonly slot: number;
  readonly size: string;
  readonly node?: number;
  readonly state?: 'Plugged' | 'Leaving' | 'Refused';
  /** Seconds ago. */
  readonly leavingFor?: number;
  readonly refusals?: number;
  readonly refusedFor?: number;
  readonly retryIn?: number;
};

export type MachineDraft = {
  readonly name: string;
  readonly namespace?: string;
  readonly host?: string;
  readonly memory?: string;
  readonly spec?: object;
  readonly metadata?: object;
  readonly boot?: readonly string[];
  readonly modules?: readonly ModuleDraft[];
  readonly slots?: number;
  readonly resting?: readonly number[];
  readonly usedByOthers?: readonly number[];
  readonly max?: string;
  /** What the host could give more. */
  readonly room?: string;
  /** Default: the host bounds no namespace. */
  readonly namespaceRoom?: string;
  readonly cordoned?: boolean;
  /** What the guest could spare; null: it never reported. */
  readonly usable?: string | null;
  /** Seconds since the guest reported. */
  readonly reportedFor?: number;
  readonly ready?: readonly [status: 'True' | 'False' | 'Unknown', reason: string, message: string];
  readonly lastResize?: object;
  readonly since?: number;
};

const sizeIn = (text: string): Bytes => {
  const parsed = parseQuantity(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
};
const sum = (sizes: readonly string[]): Bytes => sumBytes(sizes.map(sizeIn));
let versions = 100;

/** @param nowMs by which ages are counted back */
export function machine(draft: MachineDraft, nowMs: number = Date.now()): Raw {
  const { name, namespace = 'default', host = 'hv-1', boot = ['1Gi'], modules = [], slots = 16 } = draft;
  const ago = (seconds: number): string => new Date(nowMs - seconds * 1000).toISOString();
  const bootSize = sum(boot);
  const plugged = sum(modules.map(({ size }) => size));
  const current = bytes(bootSize + plugged);
  const memory = draft.memory ?? formatQuantity(current);
  const [status, reason, message] = draft.ready ?? [
    'True',
    'Converged',
    `the guest has ${formatQuantity(current)}, as wanted`,
  ];
  const usable = draft.usable === undefined ? formatQuantity(bytes(Math.floor(current / 2))) : draft.usable;
  let base = 0x100000000;
  return {
    metadata: {
      ...{ name, namespace, uid: `${namespace}-${name}`, generation: 3, creationTimestamp: '2026-11-30T06:00:00Z' },
      ...draft.metadata,
      resourceVersion: String((versions += 1)),
    },
    spec: { virtualMachine: { name }, hostRef: { name: host }, memory, ...draft.spec },
    status: {
      observedGeneration: 3,
      conditions: [
        {
          ...{ type: 'Ready', status, reason, message, observedGeneration: 3 },
          lastTransitionTime: ago(draft.since ?? 4000),
        },
      ],
      hostName: host,
      virtualMachine: { uuid: '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11', name, state: 'Running' },
      memory: {
        boot: formatQuantity(bootSize),
        plugged: formatQuantity(plugged),
        current: formatQuantity(current),
        ...(usable === null ? {} : { guestTotal: formatQuantity(bytes(current - 40 * 2 ** 20)) }),
        max: draft.max ?? '16Gi',
      },
      slots: { total: slots, used: modules.length },
      granularity: '128Mi',
      modules: modules.map(({ slot, size, node = 0, state = 'Plugged', ...more }) => {
        const at = `0x${base.toString(16)}`;
        base += sizeIn(size);
        return {
          ...{ slot, alias: `ua-dimmer-${slot}`, node, size, base: at, state },
          ...(more.leavingFor === undefined ? {} : { leavingSince: ago(more.leavingFor) }),
          ...(more.refusals === undefined ? {} : { refusals: more.refusals }),
          ...(more.refusedFor === undefined ? {} : { refusedAt: ago(more.refusedFor) }),
          ...(more.retryIn === undefined ? {} : { retryAfter: ago(-more.retryIn) }),
        };
      }),
      planning: {
        observedAt: ago(2),
        boot: boot.map((size, node) => ({ node, size })),
        block: '128Mi',
        slots: { usedByOthers: draft.usedByOthers ?? [], resting: draft.resting ?? [] },
        otherBytes: '0',
        booting: false,
        cordoned: draft.cordoned ?? false,
        ...(usable === null
          ? {}
          : {
              guest: {
                usable,
                total: formatQuantity(bytes(current - 40 * 2 ** 20)),
                reportedAt: ago(draft.reportedFor ?? 3),
                report: 'Fresh',
              },
            }),
        ...(draft.namespaceRoom === undefined ? {} : { namespaceRoom: draft.namespaceRoom }),
        backings: [{ nodes: boot.map((_, node) => node), preallocated: false, room: { host: draft.room ?? '64Gi' } }],
      },
      ...(draft.lastResize === undefined ? {} : { lastResize: draft.lastResize }),
    },
  };
}

export function decoded(raw: Raw): VirtualMachineMemory {
  const read = decodeVirtualMachineMemory(raw);
  if (!read.ok) throw new Error(read.error);
  return read.value;
}

/** The same as it is written: another version, and another generation where the spec is another. */
export const rewritten = (
  raw: Raw,
  change: Partial<Pick<Raw, 'spec' | 'status'>> & { readonly metadata?: object },
): Raw => ({
  ...raw,
  ...change,
  metadata: {
    ...raw.metadata,
    ...change.metadata,
    resourceVersion: String((versions += 1)),
    generation: raw.metadata.generation + (change.spec === undefined ? 0 : 1),
  },
});

type Status = Readonly<Record<string, unknown>> & {
  readonly memory: { readonly boot: string; readonly max: string };
  readonly modules: readonly { readonly slot: number; readonly size: string }[];
  readonly slots: { readonly total: number };
  readonly planning: Readonly<Record<string, unknown>>;
  readonly conditions: readonly object[];
};

/** As it is once a controller has done all that its plan says, with what Ready says then. */
export function carriedOut(raw: Raw, nowMs: number = Date.now()): Raw {
  const resource = decoded(raw);
  const planned = planLive(resource, {});
  if (!planned.ok) throw new Error(planned.error);
  const { plan } = planned.value;
  const status = raw.status as Status;
  let modules = [...status.modules];
  for (const step of plan.steps) {
    if (step.operation === 'unplug') modules = modules.filter(({ slot }) => slot !== step.slot);
    else {
      const { slot, node, size } = step;
      const module = { slot, alias: `ua-dimmer-${slot}`, node, size: formatQuantity(size), state: 'Plugged' };
      modules.push({
        ...module,
        base: `0x${(0x4000000000 + slot * 0x1000000000).toString(16)}`,
      } as (typeof modules)[number]);
    }
  }
  const plugged = sum(modules.map(({ size }) => size));
  const current = formatQuantity(bytes(sizeIn(status.memory.boot) + plugged));
  const done =
    plan.decision === 'blocked'
      ? ['False', plan.reason, plan.message]
      : ['True', 'Converged', `the guest has ${current}, as wanted`];
  const at = new Date(nowMs).toISOString();
  return rewritten(raw, {
    status: {
      ...status,
      observedGeneration: raw.metadata.generation,
      modules,
      slots: { ...status.slots, used: modules.length },
      memory: { ...status.memory, current, plugged: formatQuantity(plugged) },
      planning: { ...status.planning, observedAt: at },
      conditions: [
        {
          ...{ type: 'Ready', status: done[0], reason: done[1], message: done[2] },
          ...{ lastTransitionTime: at, observedGeneration: raw.metadata.generation },
        },
      ],
      lastResize: { from: resource.status?.memory?.current, to: current, startTime: at, completionTime: at },
    },
  });
}

/** As a controller leaves it when the guest doesn't give up what it was asked for. */
export function refusing(raw: Raw): Raw {
  const status = raw.status as { conditions: readonly object[]; modules: readonly { slot: number }[] };
  return rewritten(raw, {
    status: {
      ...status,
      observedGeneration: raw.metadata.generation,
      modules: status.modules.map((module) =>
        module.slot === 4
          ? {
              ...module,
              state: 'Refused',
              refusals: 1,
              refusedAt: new Date().toISOString(),
              retryAfter: '2099-01-01T00:00:00Z',
            }
          : module,
      ),
      conditions: [
        {
          ...{ type: 'Ready', status: 'False', reason: 'GuestRefused', observedGeneration: raw.metadata.generation },
          message: 'the guest refused ua-dimmer-4 (2Gi, slot 4)',
          lastTransitionTime: new Date().toISOString(),
        },
      ],
    },
  });
}
