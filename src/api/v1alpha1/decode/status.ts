/**
 * Reads a status back. It may have been written by another version of the controller, so a part whose required fields
 * aren't there, or have another type, is left out as a whole; the controller writes it anew.
 */
import { isForeign } from '../foreign-conditions.ts';
import type { HypervisorHostStatus } from '../hypervisor-host.ts';
import type { Condition } from '../meta.ts';
import type {
  BackingStatus,
  ModuleStatus,
  PlanningStatus,
  PlanStatus,
  ReachableStatus,
  VirtualMachineMemoryStatus,
} from '../virtual-machine-memory.ts';
import { asArrayOf, asBoolean, asNumber, asObject, asOneOf, asString, asWholeArrayOf } from './json.ts';

type Reader<T> = (value: unknown) => T | undefined;

/** Reads `fields` of an object; undefined when it is no object or a field of `required` is missing. */
function record<T extends object>(
  fields: { readonly [F in keyof Required<T>]: Reader<NonNullable<T[F]>> },
  required: readonly (keyof T & string)[],
): Reader<T> {
  return (value) => {
    const raw = asObject(value);
    if (raw === undefined) return undefined;
    const read: Record<string, unknown> = {};
    for (const [name, reader] of Object.entries<Reader<unknown>>(fields)) {
      const field = reader(raw[name]);
      if (field !== undefined) read[name] = field;
      else if ((required as readonly string[]).includes(name)) return undefined;
    }
    return read as T;
  };
}

/** Reads every element, leaving out those that aren't understood. */
const listOf =
  <T>(element: Reader<T>): Reader<readonly T[]> =>
  (value) =>
    asArrayOf(value, element);

/** Reads every element, or nothing. */
const wholeListOf =
  <T>(element: Reader<T>): Reader<readonly T[]> =>
  (value) =>
    asWholeArrayOf(value, element);

const ownCondition = record<Condition>(
  {
    type: asString,
    status: asOneOf(['True', 'False', 'Unknown']),
    reason: asString,
    message: asString,
    lastTransitionTime: asString,
    observedGeneration: asNumber,
  },
  ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
);

/**
 * A condition; undefined when a part of one of ours is missing. One of somebody else's stays as it came, whatever it
 * holds (a later schema may know more fields): it is written back, and a field left out would be taken from its owner.
 */
const condition: Reader<Condition> = (value) => {
  const type = asString(asObject(value)?.['type']);
  return type !== undefined && isForeign({ type }) ? (value as Condition) : ownCondition(value);
};

const moduleStatus = record<ModuleStatus>(
  {
    slot: asNumber,
    alias: asString,
    node: asNumber,
    size: asString,
    base: asString,
    state: asOneOf(['Plugged', 'Leaving', 'Refused']),
    refusals: asNumber,
    refusedAt: asString,
    retryAfter: asString,
  },
  ['slot', 'alias', 'node', 'size', 'base', 'state'],
);

const planStatus = record<PlanStatus>(
  {
    decision: asOneOf(['Noop', 'Plug', 'Unplug', 'Replace', 'Wait', 'Blocked']),
    steps: wholeListOf(
      record<PlanStatus['steps'][number]>(
        { operation: asOneOf(['Plug', 'Unplug']), size: asString, node: asNumber, slot: asNumber },
        ['operation', 'size', 'node', 'slot'],
      ),
    ),
    message: asString,
  },
  ['decision', 'steps', 'message'],
);

const reachableStatus = record<ReachableStatus>(
  {
    below: asString,
    above: asString,
    ranges: wholeListOf(
      record<ReachableStatus['ranges'][number]>({ from: asString, to: asString, step: asString }, [
        'from',
        'to',
        'step',
      ]),
    ),
    complete: asBoolean,
  },
  ['ranges', 'complete'],
);

const numbers = wholeListOf(asNumber);

const backingStatus = record<BackingStatus>(
  {
    nodes: numbers,
    pageSize: asString,
    preallocated: asBoolean,
    room: record<NonNullable<BackingStatus['room']>>({ pageSize: asString, host: asString, pages: asString }, ['host']),
  },
  ['nodes', 'preallocated'],
);

const planningStatus = record<PlanningStatus>(
  {
    observedAt: asString,
    boot: wholeListOf(record<PlanningStatus['boot'][number]>({ node: asNumber, size: asString }, ['node', 'size'])),
    block: asString,
    slots: record<PlanningStatus['slots']>({ usedByOthers: numbers, resting: numbers, unnumbered: asNumber }, [
      'usedByOthers',
      'resting',
    ]),
    otherBytes: asString,
    otherTotal: asString,
    hardLimit: record<NonNullable<PlanningStatus['hardLimit']>>({ size: asString, overhead: asString }, [
      'size',
      'overhead',
    ]),
    sharedWith: record<NonNullable<PlanningStatus['sharedWith']>>({ backend: asString, left: asNumber }, [
      'backend',
      'left',
    ]),
    booting: asBoolean,
    cordoned: asBoolean,
    guest: record<NonNullable<PlanningStatus['guest']>>(
      { usable: asString, total: asString, reportedAt: asString, report: asOneOf(['Fresh', 'Late', 'BeforeBoot']) },
      ['usable', 'total', 'reportedAt', 'report'],
    ),
    backings: wholeListOf(backingStatus),
  },
  ['observedAt', 'boot', 'block', 'slots', 'otherBytes', 'booting', 'cordoned', 'backings'],
);

type Part<K extends keyof VirtualMachineMemoryStatus> = NonNullable<VirtualMachineMemoryStatus[K]>;

/** The status of a VirtualMachineMemory; undefined when there is none. */
export const decodeVirtualMachineMemoryStatus: Reader<VirtualMachineMemoryStatus> = record<VirtualMachineMemoryStatus>(
  {
    observedGeneration: asNumber,
    conditions: listOf(condition),
    hostName: asString,
    virtualMachine: record<Part<'virtualMachine'>>(
      { uuid: asString, name: asString, state: asString, runtimeId: asString },
      ['uuid', 'name', 'state'],
    ),
    memory: record<Part<'memory'>>(
      {
        boot: asString,
        plugged: asString,
        current: asString,
        target: asString,
        guestTotal: asString,
        balloon: asString,
        max: asString,
      },
      ['boot', 'plugged', 'current'],
    ),
    slots: record<Part<'slots'>>({ total: asNumber, used: asNumber }, ['total', 'used']),
    granularity: asString,
    modules: listOf(moduleStatus),
    plan: planStatus,
    reachable: reachableStatus,
    planning: planningStatus,
    lastResize: record<Part<'lastResize'>>(
      { from: asString, to: asString, startTime: asString, completionTime: asString, guestTotalBefore: asString },
      ['from', 'to', 'startTime'],
    ),
    replacement: record<Part<'replacement'>>(
      { generation: asNumber, phase: asOneOf(['Unplugging', 'RollingBack', 'CalledOff']), slot: asNumber },
      ['generation', 'phase'],
    ),
    lastHandledReconcileAt: asString,
    lastHandledObserveAt: asString,
  },
  [],
);

type HostNode = NonNullable<HypervisorHostStatus['nodes']>[number];
type HostMemory = NonNullable<HypervisorHostStatus['memory']>;

/** The status of a HypervisorHost; undefined when there is none. */
export const decodeHypervisorHostStatus: Reader<HypervisorHostStatus> = record<HypervisorHostStatus>(
  {
    observedGeneration: asNumber,
    conditions: listOf(condition),
    agentVersion: asString,
    libvirtVersion: asString,
    hypervisorVersion: asString,
    memory: record<HostMemory>({ total: asString, available: asString, committed: asString }, [
      'total',
      'available',
      'committed',
    ]),
    nodes: listOf(
      record<HostNode>(
        {
          id: asNumber,
          total: asString,
          available: asString,
          hugepages: listOf(
            record<HostNode['hugepages'][number]>({ pageSize: asString, total: asNumber, free: asNumber }, [
              'pageSize',
              'total',
              'free',
            ]),
          ),
        },
        ['id', 'total', 'available', 'hugepages'],
      ),
    ),
    virtualMachines: asNumber,
    cordoned: asBoolean,
  },
  [],
);
