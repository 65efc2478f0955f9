/**
 * What a spec means, with its defaults: texts become sizes and durations here, once. A cluster refuses most bad values
 * at admission; this stands for manifests that never saw an API server, and for rules older than the resource.
 */
import type { Bytes } from '../../memory/bytes.ts';
import { parseQuantity } from '../../memory/quantity.ts';
import type { HypervisorHostSpec } from './hypervisor-host.ts';
import type { Quantity, VirtualMachineMemorySpec } from './virtual-machine-memory.ts';

/** A spec with every default filled in. */
export type DesiredMemory = {
  /** null: observe only. */
  readonly memory: Bytes | null;
  readonly shrinkPolicy: 'Exact' | 'Nearest' | 'Replace';
  readonly growPolicy: 'Whole' | 'Divisible';
  readonly rounding: 'Exact' | 'Up';
  readonly guestSafety: 'Required' | 'BestEffort' | 'Off';
  /** null: the guest's own block size. */
  readonly granularity: Bytes | null;
  /** null: the VM's own. */
  readonly pageSize: Bytes | null;
  readonly unplugTimeoutMs: number;
};

/** The part of a HypervisorHost's spec that planning needs. */
export type HostLimits = {
  readonly memoryReserve: Bytes;
  /** More than 0. */
  readonly memoryOvercommit: number;
  readonly maxConcurrentOperations: number;
  readonly cordoned: boolean;
};

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

const durationPattern = /^(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?$/;

/** Milliseconds of a duration such as `90s`, `1m30s` or `1h`; null when it isn't one. */
export function parseDurationMs(text: string): number | null {
  const match = durationPattern.exec(text);
  if (match === null || text === '') return null;
  const [, hours = '0', minutes = '0', seconds = '0'] = match;
  return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
}

function parseSize(value: Quantity | undefined, field: string): Parsed<Bytes | null> {
  if (value === undefined) return { ok: true, value: null };
  const parsed = parseQuantity(String(value));
  return parsed.ok ? parsed : { ok: false, problem: `${field}: ${parsed.problem}` };
}

/** Reads a spec; the problem names the field. Default shrinkPolicy Exact, growPolicy Divisible, rounding
 * Exact, guestSafety Required, unplugTimeout 30s. */
export function parseSpec(spec: VirtualMachineMemorySpec): Parsed<DesiredMemory> {
  const { uuid, name } = spec.virtualMachine;
  if ((uuid === undefined) === (name === undefined)) {
    return { ok: false, problem: 'spec.virtualMachine: name the VM by exactly one of uuid and name' };
  }
  if (name !== undefined && spec.hostRef === undefined) {
    return { ok: false, problem: 'spec.hostRef: a VM named by name needs the host that runs it' };
  }
  const memory = parseSize(spec.memory, 'spec.memory');
  if (!memory.ok) return memory;
  const granularity = parseSize(spec.granularity, 'spec.granularity');
  if (!granularity.ok) return granularity;
  const pageSize = parseSize(spec.pageSize, 'spec.pageSize');
  if (!pageSize.ok) return pageSize;
  const unplugTimeoutMs = parseDurationMs(spec.unplugTimeout ?? '30s');
  if (unplugTimeoutMs === null) {
    return { ok: false, problem: `spec.unplugTimeout: '${spec.unplugTimeout ?? ''}' is not a duration (30s, 2m)` };
  }
  return {
    ok: true,
    value: {
      memory: memory.value,
      shrinkPolicy: spec.shrinkPolicy ?? 'Exact',
      growPolicy: spec.growPolicy ?? 'Divisible',
      rounding: spec.rounding ?? 'Exact',
      guestSafety: spec.guestSafety ?? 'Required',
      granularity: granularity.value,
      pageSize: pageSize.value,
      unplugTimeoutMs,
    },
  };
}

/** Reads a host's limits; the problem names the field. Defaults: no reserve, overcommit 1.0, 4 operations. */
export function parseHostLimits(spec: HypervisorHostSpec): Parsed<HostLimits> {
  const reserve = parseSize(spec.memoryReserve, 'spec.memoryReserve');
  if (!reserve.ok) return reserve;
  const memoryOvercommit = Number(spec.memoryOvercommit ?? '1.0');
  if (!Number.isFinite(memoryOvercommit) || memoryOvercommit <= 0) {
    return { ok: false, problem: `spec.memoryOvercommit: '${spec.memoryOvercommit ?? ''}' is not a positive number` };
  }
  return {
    ok: true,
    value: {
      memoryReserve: reserve.value ?? (0 as Bytes),
      memoryOvercommit,
      maxConcurrentOperations: spec.maxConcurrentOperations ?? 4,
      cordoned: spec.cordoned ?? false,
    },
  };
}
