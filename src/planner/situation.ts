/** What follows from an observation, computed once for a plan. */
import { type Bytes, bytes, sumBytes, zeroBytes } from '../memory/bytes.ts';
import { maxTotalPerBootMemory } from '../memory/module.ts';
import { baseOf, nodeLoads, nodesByLoad } from './nodes.ts';
import { type Pool, poolsOf } from './pools.ts';
import { roundUp } from './rounding.ts';
import type { HardLimit, PlannerModule, PlannerObservation, PlannerPolicy, PlanRequest } from './types.ts';

export type Situation = {
  /** What was asked for. */
  readonly wish: Bytes;
  /** What it stands for: itself, or rounded up. */
  readonly desired: Bytes;
  readonly observation: PlannerObservation;
  readonly policy: PlannerPolicy;
  /** Boot memory of all nodes. */
  readonly boot: Bytes;
  /** The size without any module: boot memory and what other devices give. */
  readonly base: Bytes;
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
  /** Where new modules come from: the pool that is looked at, of all of them, the emptiest first. */
  readonly pool: Pool;
  readonly pools: readonly Pool[];
  /** Slots for new modules, ascending. */
  readonly freeSlots: readonly number[];
  /** Unused slots that may not be used yet, ascending. */
  readonly restingSlots: readonly number[];
};

/** Works out the situation of a request that validation has passed. */
export function surveySituation({ desired: wish, observation, policy }: PlanRequest): Situation {
  const boot = sumBytes(observation.boot.map(({ size }) => size));
  const leaving = observation.modules.filter(({ state }) => state === 'Leaving').sort((a, b) => a.slot - b.slot);
  const staying = inCandidateOrder(observation);
  const base = baseOf(observation);
  const settled = bytes(base + sumBytes(staying.map(({ size }) => size)));
  const current = bytes(settled + sumBytes(leaving.map(({ size }) => size)));
  const pools = poolsOf(observation);
  const { freeSlots, restingSlots } = unusedSlots(observation);
  return {
    wish,
    desired: policy.rounding === 'Up' ? roundUp(wish, observation) : wish,
    observation,
    policy,
    boot,
    base,
    current,
    settled,
    leaving,
    staying,
    candidates: staying.filter(({ quarantined }) => !quarantined),
    pool: pools[0],
    pools,
    freeSlots,
    restingSlots,
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
  // Devices that take a slot without holding one by number leave so many fewer.
  return { freeSlots: freeSlots.slice(0, Math.max(0, freeSlots.length - (slots.unnumbered ?? 0))), restingSlots };
}

/** Huge pages aren't charged to the control group's memory, but count as locked where they are pinned. */
export const isHeldBy = ({ pinned = false }: HardLimit, { pageSize }: Pool): boolean => pinned || pageSize === null;

/** The total that maxMemory, boot memory and the control group allow, whatever the slots; 0: nothing can be plugged. */
export function largestTotal({ observation, boot }: Situation, pool: Pool): number {
  const { maxMemory, hotplugProblem = null, otherBytes, otherTotal = zeroBytes, hardLimit } = observation;
  if (maxMemory === 'unsupported' || hotplugProblem !== null) return 0;
  return Math.min(
    maxMemory === 'unlimited' ? Infinity : maxMemory - otherBytes + otherTotal,
    boot * maxTotalPerBootMemory,
    hardLimit && isHeldBy(hardLimit, pool) ? hardLimit.size - hardLimit.overhead : Infinity,
    Number.MAX_SAFE_INTEGER,
  );
}

/** {@link largestTotal}, as far as the free slots reach; below `current` when nothing can be plugged. */
export const ceilingOf = (situation: Situation, pool: Pool): number =>
  situation.freeSlots.length === 0
    ? 0
    : Math.min(largestTotal(situation, pool), situation.current + situation.freeSlots.length * pool.maxModule);
