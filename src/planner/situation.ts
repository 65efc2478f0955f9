/** What follows from an observation, computed once for a plan. */
import { type Bytes, bytes, floorTo, GiB, sumBytes } from '../memory/bytes.ts';
import { maxTotalPerBootMemory } from '../memory/module.ts';
import { lcm } from './integers.ts';
import { nodeLoads, nodesByLoad } from './nodes.ts';
import type { PlannerModule, PlannerObservation, PlannerPolicy, PlanRequest } from './types.ts';

/** Touching preallocated memory stops the guest (measured: 20 s for 4 GiB), so such modules are at most 1 GiB. */
const maxPreallocatedModule = bytes(GiB);

export type Situation = {
  readonly desired: Bytes;
  readonly observation: PlannerObservation;
  readonly policy: PlannerPolicy;
  /** Boot memory of all nodes. */
  readonly boot: Bytes;
  /** Total with the modules that are leaving: what counts for growing. */
  readonly current: Bytes;
  /** Total without them: what counts for shrinking. */
  readonly settled: Bytes;
  /** Modules that were asked to go and haven't answered, in order of slots. */
  readonly leaving: readonly PlannerModule[];
  /** Modules that aren't leaving, in the order in which they are preferred for unplugging. */
  readonly staying: readonly PlannerModule[];
  /** Those of `staying` that may be asked to go. */
  readonly candidates: readonly PlannerModule[];
  /** Every new module is a multiple of this: the granularity and the page size both divide it. */
  readonly unit: Bytes;
  /** Largest new module; Infinity but for preallocated memory. */
  readonly maxModule: number;
  /** Slots for new modules, ascending. */
  readonly freeSlots: readonly number[];
  /** Unused slots that may not be used yet, ascending. */
  readonly restingSlots: readonly number[];
  /** The total that maxMemory, boot memory and the slots allow; below `current` when nothing can be plugged. */
  readonly ceiling: number;
};

/** Works out the situation of a request that validation has passed. */
export function surveySituation({ desired, observation, policy }: PlanRequest): Situation {
  const boot = sumBytes(observation.boot.map(({ size }) => size));
  const leaving = observation.modules.filter(({ state }) => state === 'Leaving').sort((a, b) => a.slot - b.slot);
  const staying = inCandidateOrder(observation);
  const settled = bytes(boot + sumBytes(staying.map(({ size }) => size)));
  const current = bytes(settled + sumBytes(leaving.map(({ size }) => size)));
  const unit = bytes(lcm(observation.granularity, observation.pageSize ?? 1));
  const maxModule = observation.pageSize === null ? Infinity : Math.max(unit, floorTo(maxPreallocatedModule, unit));
  const { freeSlots, restingSlots } = unusedSlots(observation);
  return {
    desired,
    observation,
    policy,
    boot,
    current,
    settled,
    leaving,
    staying,
    candidates: staying.filter(({ quarantined }) => !quarantined),
    unit,
    maxModule,
    freeSlots,
    restingSlots,
    ceiling: freeSlots.length === 0 ? 0 : ceilingOf(observation, boot, current + freeSlots.length * maxModule),
  };
}

/** The fullest node first, then the highest address: what was plugged last mostly goes first. */
function inCandidateOrder(observation: PlannerObservation): PlannerModule[] {
  const isStaying = (module: PlannerModule): boolean => module.state === 'Plugged';
  const rank = new Map(nodesByLoad(nodeLoads(observation, isStaying)).map((node, index) => [node, index]));
  const rankOf = (module: PlannerModule): number => rank.get(module.node) ?? rank.size;
  return observation.modules
    .filter(isStaying)
    .sort((a, b) => rankOf(a) - rankOf(b) || b.base - a.base || (a.alias < b.alias ? -1 : a.alias > b.alias ? 1 : 0));
}

function unusedSlots({ slots, modules }: PlannerObservation): Pick<Situation, 'freeSlots' | 'restingSlots'> {
  const held = new Set([...slots.usedByOthers, ...modules.map(({ slot }) => slot)]);
  const resting = new Set(slots.resting);
  const freeSlots: number[] = [];
  const restingSlots: number[] = [];
  for (let slot = 0; slot < slots.total; slot++) {
    if (!held.has(slot)) (resting.has(slot) ? restingSlots : freeSlots).push(slot);
  }
  return { freeSlots, restingSlots };
}

function ceilingOf({ maxMemory, otherBytes }: PlannerObservation, boot: Bytes, slotsFilled: number): number {
  if (maxMemory === 'unsupported') return 0;
  const maximum = maxMemory === 'unlimited' ? Infinity : maxMemory - otherBytes;
  return Math.min(maximum, boot * maxTotalPerBootMemory, slotsFilled, Number.MAX_SAFE_INTEGER);
}
