/**
 * The planner's request from a VirtualMachineMemory alone, as the API server gives it: what its controller planned, or what
 * it would plan for another wish. It speaks of the moment `status.planning.observedAt`. Pure. What is left out is in
 * docs/planner.md: of the host an object says only `room`.
 */
import { timestamp } from '../api/v1alpha1/conditions.ts';
import { type DesiredMemory, parseSpec } from '../api/v1alpha1/spec.ts';
import type { BackingStatus, PlanningStatus } from '../api/v1alpha1/planning-status.ts';
import type {
  ModuleStatus,
  VirtualMachineMemory,
  VirtualMachineMemoryStatus,
} from '../api/v1alpha1/virtual-machine-memory.ts';
import { type Bytes, sumBytes } from '../memory/bytes.ts';
import { parseQuantity } from '../memory/quantity.ts';
import { fail, type Result, succeed } from '../memory/result.ts';
import type {
  Backing,
  GuestReport,
  PlannerModule,
  PlannerObservation,
  PlannerPolicy,
  PlanRequest,
} from '../planner/types.ts';

/** What is wished instead of what the spec says. */
export type StatusWish = Partial<Pick<PlannerPolicy, 'shrink' | 'grow' | 'guestSafety' | 'rounding'>> & {
  /** The total that the guest should have. */
  readonly memory?: Bytes;
};

/** Stays inside this file. */
class IncompleteStatus extends Error {}

const incomplete = (problem: string): never => {
  throw new IncompleteStatus(problem);
};

function present<T>(value: T | undefined, field: string): T {
  return value ?? incomplete(`status.${field} is missing`);
}

function sizeOf(text: string, field: string): Bytes {
  const parsed = parseQuantity(text);
  return parsed.ok ? parsed.value : incomplete(`status.${field}: ${parsed.error}`);
}

/** The request that an object stands for; the problem names the field of spec or status that is in the way. */
export function requestFromStatus(
  { metadata, spec, status = {} }: Pick<VirtualMachineMemory, 'metadata' | 'spec' | 'status'>,
  wish: StatusWish = {},
): Result<PlanRequest, string> {
  const parsed = parseSpec(spec);
  if (!parsed.ok) return parsed;
  const desired = parsed.value;
  try {
    const observation = readObservation(status, desired);
    const { shrink, target } = goOn(status, metadata.generation, wish) ?? {};
    return succeed({
      desired:
        target ?? wish.memory ?? desired.memory ?? sizeOf(present(status.memory, 'memory').current, 'memory.current'),
      observation,
      policy: {
        shrink: shrink ?? wish.shrink ?? desired.shrinkPolicy,
        grow: wish.grow ?? desired.growPolicy,
        guestSafety: wish.guestSafety ?? desired.guestSafety,
        rounding: wish.rounding ?? desired.rounding,
      },
    });
  } catch (error) {
    if (error instanceof IncompleteStatus) return fail(error.message);
    throw error;
  }
}

/**
 * How a replacement under way is planned on: it is begun once, so from then on only what is plugged already may go; when
 * it is rolled back, what goes is its module. null: there is none, or the wish is another, for which none was begun.
 */
function goOn(
  { replacement, modules = [], memory }: VirtualMachineMemoryStatus,
  generation: number,
  wish: StatusWish,
): { readonly shrink: PlannerPolicy['shrink']; readonly target?: Bytes } | null {
  if (replacement?.generation !== generation || Object.keys(wish).length > 0) return null;
  if (replacement.phase !== 'RollingBack') return { shrink: 'Exact' };
  const plugged = modules.find(({ slot }) => slot === replacement.slot);
  const size = sizeOf(present(plugged, `modules: the one of the replacement`).size, 'modules');
  const current = sizeOf(present(memory, 'memory').current, 'memory.current');
  return { shrink: 'Exact', target: (current - size) as Bytes };
}

function readObservation(status: VirtualMachineMemoryStatus, desired: DesiredMemory): PlannerObservation {
  const planning = present(status.planning, 'planning');
  const memory = present(status.memory, 'memory');
  const slots = present(status.slots, 'slots');
  const modules = present(status.modules, 'modules').map(readModule);
  if (sumBytes(modules.map(({ size }) => size)) !== sizeOf(memory.plugged, 'memory.plugged')) {
    return incomplete('status.modules do not add up to status.memory.plugged');
  }
  const boot = planning.boot.map(({ node, size }) => ({ node, size: sizeOf(size, 'planning.boot') }));
  const backings = planning.backings.map((backing) => readBacking(backing, desired));
  const [first] = backings;
  const { otherTotal, hardLimit, sharedWith, hotplugProblem = null, namespaceRoom } = planning;
  return {
    boot,
    modules,
    slots: { total: slots.total, ...planning.slots },
    otherBytes: sizeOf(planning.otherBytes, 'planning.otherBytes'),
    ...(otherTotal === undefined ? {} : { otherTotal: sizeOf(otherTotal, 'planning.otherTotal') }),
    maxMemory: memory.max === undefined ? 'unsupported' : sizeOf(memory.max, 'memory.max'),
    hotplugProblem,
    booting: planning.booting,
    cordoned: planning.cordoned,
    granularity: desired.granularity ?? sizeOf(planning.block, 'planning.block'),
    pageSize: first?.pageSize ?? null,
    hostFree: first?.hostFree ?? null,
    hugepagesFree: first?.hugepagesFree ?? null,
    backings,
    namespaceFree: namespaceRoom === undefined ? null : sizeOf(namespaceRoom, 'planning.namespaceRoom'),
    hardLimit:
      hardLimit === undefined
        ? null
        : {
            size: sizeOf(hardLimit.size, 'planning.hardLimit'),
            overhead: sizeOf(hardLimit.overhead, 'planning.hardLimit'),
            pinned: hardLimit.pinned ?? false,
          },
    sharedWith: sharedWith ?? null,
    guest: readGuest(planning),
  };
}

function readModule(module: ModuleStatus): PlannerModule {
  const { slot, alias, node, size, base, state, refusals = 0, retryAfter } = module;
  return {
    ...{ slot, alias, node, refusals },
    size: sizeOf(size, 'modules'),
    base: Number(base) as Bytes,
    state: state === 'Leaving' ? 'Leaving' : 'Plugged',
    quarantined: retryAfter !== undefined,
    retryAfter: retryAfter === undefined ? null : timestamp(Date.parse(retryAfter)),
  };
}

/** The host nodes, which only messages name, aren't told. */
function readBacking({ nodes, pageSize: own, preallocated, room }: BackingStatus, desired: DesiredMemory): Backing {
  const pageSize = desired.pageSize ?? (own === undefined ? null : sizeOf(own, 'planning.backings'));
  return {
    ...{ nodes, pageSize, hostNodes: null },
    preallocated: preallocated || pageSize !== null,
    ...readRoom(room, pageSize),
  };
}

/** Nothing is known of what the host has in pages of another size than those the controller planned with. */
function readRoom(
  room: BackingStatus['room'],
  pageSize: Bytes | null,
): Pick<PlannerObservation, 'hostFree' | 'hugepagesFree'> {
  const worked = room?.pageSize === undefined ? null : sizeOf(room.pageSize, 'planning.backings.room.pageSize');
  if (room === undefined || worked !== pageSize) return { hostFree: null, hugepagesFree: null };
  return {
    hostFree: sizeOf(room.host, 'planning.backings.room.host'),
    hugepagesFree: room.pages === undefined ? null : sizeOf(room.pages, 'planning.backings.room.pages'),
  };
}

function readGuest({ guest, observedAt }: PlanningStatus): GuestReport | null {
  if (guest === undefined) return null;
  const read = {
    total: sizeOf(guest.total, 'planning.guest.total'),
    usable: sizeOf(guest.usable, 'planning.guest.usable'),
    fresh: guest.report === 'Fresh',
    ...(guest.takenOfModules === undefined
      ? {}
      : { takenOfModules: sizeOf(guest.takenOfModules, 'planning.guest.takenOfModules') }),
  };
  if (guest.report !== 'Late') return read;
  return { ...read, silentMs: Math.max(0, Date.parse(observedAt) - Date.parse(guest.reportedAt)) };
}
