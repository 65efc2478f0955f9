/**
 * What a spec means, with its defaults: texts become sizes and durations here, once. A cluster refuses most bad values
 * at admission; this stands for manifests that never saw an API server, and for rules older than the resource.
 */
import type { Bytes } from '../../memory/bytes.ts';
import { fail, type Result, succeed } from '../../memory/result.ts';
import type {
  DeletionPolicy,
  DriftPolicy,
  GrowPolicy,
  GuestSafety,
  Persistence,
  Rounding,
  ShrinkPolicy,
} from '../../memory/policies.ts';
import { parseQuantity } from '../../memory/quantity.ts';
import type { HypervisorHostSpec } from './hypervisor-host.ts';
import type { Quantity } from './meta.ts';
import type { VirtualMachineMemorySpec } from './virtual-machine-memory.ts';

/** A spec with every default filled in. */
export type DesiredMemory = {
  /** null: observe only. */
  readonly memory: Bytes | null;
  readonly shrinkPolicy: ShrinkPolicy;
  readonly growPolicy: GrowPolicy;
  readonly rounding: Rounding;
  readonly guestSafety: GuestSafety;
  /** null: the guest's own block size. */
  readonly granularity: Bytes | null;
  /** null: the VM's own. */
  readonly pageSize: Bytes | null;
  readonly unplugTimeoutMs: number;
  readonly driftPolicy: DriftPolicy;
  readonly deletionPolicy: DeletionPolicy;
  readonly releaseTimeoutMs: number;
  readonly persistence: Persistence;
};

/** The part of a HypervisorHost's spec that planning needs. */
export type HostLimits = {
  readonly memoryReserve: Bytes;
  /** More than 0. */
  readonly memoryOvercommit: number;
  /** What the running VMs of one namespace may have of the host together; null: no limit. */
  readonly namespaceLimit: Bytes | null;
  readonly maxConcurrentOperations: number;
  readonly cordoned: boolean;
};

const durationPattern = /^(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?$/;

/** Milliseconds of a duration such as `90s`, `1m30s` or `1h`; null when it isn't one. */
export function parseDurationMs(text: string): number | null {
  const match = durationPattern.exec(text);
  if (match === null || text === '') return null;
  const [, hours = '0', minutes = '0', seconds = '0'] = match;
  return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
}

function parseSize(value: Quantity | undefined, field: string): Result<Bytes | null, string> {
  if (value === undefined) return succeed(null);
  const parsed = parseQuantity(String(value));
  return parsed.ok ? parsed : fail(`${field}: ${parsed.error}`);
}

/** Reads a spec; the problem names the field. Default shrinkPolicy Exact, growPolicy Divisible, rounding
 * Exact, guestSafety Required, unplugTimeout 30s, driftPolicy Correct, deletionPolicy Retain, releaseTimeout 10m,
 * persistence Live. */
export function parseSpec(spec: VirtualMachineMemorySpec): Result<DesiredMemory, string> {
  const { uuid, name } = spec.virtualMachine;
  if ((uuid === undefined) === (name === undefined)) {
    return fail('spec.virtualMachine: name the VM by exactly one of uuid and name');
  }
  if (name !== undefined && spec.hostRef === undefined) {
    return fail('spec.hostRef: a VM named by name needs the host that runs it');
  }
  const memory = parseSize(spec.memory, 'spec.memory');
  if (!memory.ok) return memory;
  const granularity = parseSize(spec.granularity, 'spec.granularity');
  if (!granularity.ok) return granularity;
  const pageSize = parseSize(spec.pageSize, 'spec.pageSize');
  if (!pageSize.ok) return pageSize;
  const unplugTimeoutMs = parseDurationMs(spec.unplugTimeout ?? '30s');
  if (unplugTimeoutMs === null) {
    return fail(`spec.unplugTimeout: '${spec.unplugTimeout ?? ''}' is not a duration (30s, 2m)`);
  }
  const releaseTimeoutMs = parseDurationMs(spec.releaseTimeout ?? '10m');
  if (releaseTimeoutMs === null) {
    return fail(`spec.releaseTimeout: '${spec.releaseTimeout ?? ''}' is not a duration (90s, 10m)`);
  }
  return succeed({
    memory: memory.value,
    shrinkPolicy: spec.shrinkPolicy ?? 'Exact',
    growPolicy: spec.growPolicy ?? 'Divisible',
    rounding: spec.rounding ?? 'Exact',
    guestSafety: spec.guestSafety ?? 'Required',
    granularity: granularity.value,
    pageSize: pageSize.value,
    unplugTimeoutMs,
    driftPolicy: spec.driftPolicy ?? 'Correct',
    deletionPolicy: spec.deletionPolicy ?? 'Retain',
    releaseTimeoutMs,
    persistence: spec.persistence ?? 'Live',
  });
}

/** Reads a host's limits; the problem names the field. Defaults: no reserve, overcommit 1.0, no limit for a namespace, 4 operations. */
export function parseHostLimits(spec: HypervisorHostSpec): Result<HostLimits, string> {
  const reserve = parseSize(spec.memoryReserve, 'spec.memoryReserve');
  if (!reserve.ok) return reserve;
  const memoryOvercommit = Number(spec.memoryOvercommit ?? '1.0');
  if (!Number.isFinite(memoryOvercommit) || memoryOvercommit <= 0) {
    return fail(`spec.memoryOvercommit: '${spec.memoryOvercommit ?? ''}' is not a positive number`);
  }
  const namespaceLimit = parseSize(spec.namespaceLimit, 'spec.namespaceLimit');
  if (!namespaceLimit.ok) return namespaceLimit;
  return succeed({
    memoryReserve: reserve.value ?? (0 as Bytes),
    memoryOvercommit,
    namespaceLimit: namespaceLimit.value,
    maxConcurrentOperations: spec.maxConcurrentOperations ?? 4,
    cordoned: spec.cordoned ?? false,
  });
}
