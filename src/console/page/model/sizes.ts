/**
 * Which sizes the slider offers: those that one plan reaches by a shrink policy, and no other. Candidates come from the
 * planner's own sums; the planner itself is asked about each before it is offered, so nothing here can promise what it would refuse. Pure.
 */
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import { type Bytes, bytes, sumBytes } from '../../../memory/bytes.ts';
import { maxTotalPerBootMemory } from '../../../memory/module.ts';
import type { ShrinkPolicy } from '../../../memory/policies.ts';
import { type Result, succeed } from '../../../memory/result.ts';
import { judgeUnplug } from '../../../planner/guest-safety.ts';
import { baseOf } from '../../../planner/nodes.ts';
import type { Pool } from '../../../planner/pools.ts';
import { ceilingOf, largestTotal, type Situation, surveySituation } from '../../../planner/situation.ts';
import { subsetSums, type SumSet } from '../../../planner/subset-sum.ts';
import type { Plan, PlanRequest } from '../../../planner/types.ts';
import { requestFromStatus } from '../../../preview/from-status.ts';
import { type LivePlan, planLive } from '../../../preview/live-plan.ts';

/** What keeps a guest from going lower. */
export type Floor = {
  /** Total below which nothing is taken from the guest. */
  readonly size: Bytes;
  /** `inUse`: the guest uses it; `unknown`: nothing fresh is known of that; `boot`: it can't be unplugged. */
  readonly why: 'inUse' | 'unknown' | 'boot';
};

/** `map`: boot memory holds the memory map of no more; `hardLimit`: QEMU's control group would end it. */
export type CeilingWhy = 'maximum' | 'map' | 'hardLimit' | 'host' | 'namespace' | 'slots' | 'cordoned' | 'hotplug';

/** What keeps it from going higher. */
export type Ceiling = { readonly size: Bytes; readonly why: CeilingWhy };

/** A scale of sizes: its ends, what bounds it, and what on it may be chosen. */
export type Scale = {
  readonly current: Bytes;
  /** The ends of the scale: boot memory and what never goes, and the largest that the VM may ever have. */
  readonly least: Bytes;
  readonly most: Bytes;
  readonly floor: Floor;
  readonly ceiling: Ceiling;
  /** The guest's memory block: no size between two of them takes whole modules. */
  readonly block: Bytes;
  /** The next size that is offered, in a direction; null: there is none. */
  readonly next: (from: number, direction: 'up' | 'down') => Bytes | null;
  /** The offered size nearest to `wish`; of two equally near ones the larger. */
  readonly snap: (wish: number) => Bytes;
};

export type Sizes = Scale & {
  /** What the plan for a size is; the same size is planned once. The problem: nothing can be planned. */
  readonly planFor: (size: Bytes) => Result<LivePlan, string>;
};

/** How many sizes between exact sets the planner turns down one after another before only exact sets are looked at, and as many of those. */
const mostTries = 64;

/**
 * Whether a plan for a size gets the guest there, or, where the policy is Nearest, as near as modules can go. A module that is leaving already is waited for: then the guest is at what
 * is left, or goes on from there by the exact set that the planner has found before it waits.
 */
export function reaches({ desired, observation, policy }: PlanRequest, plan: Plan): boolean {
  const { residual, decision, reason } = plan;
  if (residual === 0 || (policy.shrink === 'Nearest' && decision === 'unplug')) return true;
  if (decision !== 'wait' || reason !== 'Unplugging') return false;
  const staying = observation.modules.filter(({ state }) => state !== 'Leaving').map(({ size }) => size);
  const settled = baseOf(observation) + sumBytes(staying);
  return policy.shrink === 'Nearest' ? desired === settled : desired <= settled;
}

/**
 * The sizes of a resource as it was last observed; the problem says what its status lacks.
 * @param shrink by another policy than its own; absent: by its own
 */
export function sizesOf(resource: VirtualMachineMemory, shrink?: ShrinkPolicy): Result<Sizes, string> {
  const { memory: _, ...spec } = resource.spec;
  const way = shrink === undefined ? {} : { shrink };
  const read = requestFromStatus({ ...resource, spec }, way);
  if (!read.ok) return read;
  const plans = new Map<number, Result<LivePlan, string>>();
  const planFor = (size: Bytes): Result<LivePlan, string> => {
    const known = plans.get(size);
    if (known !== undefined) return known;
    const planned = planLive(resource, { memory: size, ...way });
    plans.set(size, planned);
    return planned;
  };
  const isReached = (size: Bytes): boolean => {
    const planned = planFor(size);
    return planned.ok && reaches(planned.value.request, planned.value.plan);
  };
  return succeed({ ...scaleOf(read.value, isReached), planFor });
}

/** The scale of a situation. `isReached`: whether one plan gets to a size. */
export function scaleOf(request: PlanRequest, isReached: (size: Bytes) => boolean): Scale {
  const situation = surveySituation(request);
  const { current, base } = situation;
  const sums = subsetSums(situation.candidates.map(({ size }) => size));
  const [floor, ceiling] = [floorOf(situation), ceilingFor(situation)];
  /** Nothing below the floor is reached, whatever the modules; where the guest is it may stay. */
  const lowest = floor.size;
  const next = (from: number, direction: 'up' | 'down'): Bytes | null => {
    let at = direction === 'up' && current >= lowest ? Math.max(from, lowest - 1) : from;
    for (let tries = 0; tries < 2 * mostTries; tries += 1) {
      const grid = tries < mostTries ? gridOf(situation) : null;
      const found =
        direction === 'up' ? candidateAbove(situation, sums, at, grid) : candidateBelow(situation, sums, at, grid);
      if (found === current) return current;
      if (found === null || (direction === 'down' && found < lowest && current >= lowest)) return null;
      if (isReached(bytes(found))) return bytes(found);
      at = found;
    }
    return (direction === 'up') === current > from && current !== from ? current : null;
  };
  const snap = (wish: number): Bytes => {
    const within = Math.min(Math.max(wish, Math.min(floor.size, current)), Math.max(ceiling.size, current));
    const [below, above] = [next(within + 1, 'down'), next(within - 1, 'up')];
    if (below === null) return above ?? current;
    return above === null || within - below < above - within ? below : above;
  };
  const limit = Math.max(...situation.pools.map((pool) => largestTotal(situation, pool)));
  const isKnown = Number.isFinite(limit) && limit < Number.MAX_SAFE_INTEGER;
  return {
    current,
    least: base,
    most: isKnown ? bytes(Math.max(current, limit)) : ceiling.size,
    floor,
    ceiling,
    block: request.observation.granularity,
    next,
    snap,
  };
}

/** What other policies than Exact may reach beside exact sets: every multiple of the guest's block. */
const gridOf = ({ policy, observation }: Situation): number | null =>
  policy.shrink === 'Exact' ? null : observation.granularity;

/**
 * Whether nothing below what stays is reached now: a module is leaving, and what Nearest finds is known only after that. There
 * may be more sizes below than are ever tried.
 */
const waitsForNearest = ({ policy, leaving }: Situation): boolean => policy.shrink === 'Nearest' && leaving.length > 0;

function candidateBelow(situation: Situation, sums: SumSet, from: number, grid: number | null): number | null {
  const { current, settled, base } = situation;
  const found: number[] = [];
  for (const pool of situation.pools) {
    const top = Math.min(from - 1, roomIn(situation, pool));
    const steps = Math.floor((top - current) / pool.unit);
    if (steps >= 1) found.push(current + steps * pool.unit);
  }
  if (current < from) found.push(current);
  if (waitsForNearest(situation)) found.push(settled);
  else {
    const less = sums.atLeast(Math.max(0, settled - from + 1));
    if (less !== null) found.push(settled - less);
    if (grid !== null) found.push(settled - (Math.floor((settled - from) / grid) + 1) * grid);
  }
  const fitting = found.filter((size) => size >= base && size < from);
  return fitting.length === 0 ? null : Math.max(...fitting);
}

function candidateAbove(situation: Situation, sums: SumSet, from: number, grid: number | null): number | null {
  const { current, settled, base } = situation;
  const found: number[] = [];
  if (from < settled && waitsForNearest(situation)) found.push(settled);
  else if (from < settled) {
    found.push(settled - sums.atMost(settled - Math.max(from, base - 1) - 1));
    if (grid !== null) found.push(settled - (Math.ceil((settled - from) / grid) - 1) * grid);
  }
  if (from < current) found.push(current);
  for (const pool of situation.pools) {
    const steps = Math.max(1, Math.floor((from - current) / pool.unit) + 1);
    const size = current + steps * pool.unit;
    if (size <= roomIn(situation, pool)) found.push(size);
  }
  const fitting = found.filter((size) => size > from);
  return fitting.length === 0 ? null : Math.min(...fitting);
}

/** The largest total that can be plugged now from a pool, the host's room included. */
function roomIn(situation: Situation, pool: Pool): number {
  const { current, observation } = situation;
  if (observation.cordoned) return current;
  const free = Math.min(
    observation.namespaceFree ?? Infinity,
    pool.hostFree ?? Infinity,
    pool.pageSize === null ? Infinity : (pool.hugepagesFree ?? Infinity),
  );
  return Math.max(current, Math.min(ceilingOf(situation, pool), current + free));
}

function floorOf(situation: Situation): Floor {
  const { settled, base } = situation;
  const all = settled - base;
  const safety = judgeUnplug(situation, all, bytes(0));
  switch (safety.kind) {
    case 'safe':
      return { size: base, why: 'boot' };
    case 'inUse':
      return { size: bytes(Math.max(base, settled - safety.spare)), why: 'inUse' };
    case 'late':
    case 'unknown':
      return { size: settled, why: 'unknown' };
    default:
      return safety satisfies never;
  }
}

/** The highest of all pools, and what keeps that one from going on. */
function ceilingFor(situation: Situation): Ceiling {
  const { current, observation, freeSlots } = situation;
  const best = situation.pools.reduce((one, other) =>
    roomIn(situation, other) > roomIn(situation, one) ? other : one,
  );
  const room = roomIn(situation, best);
  const size = bytes(current + Math.floor((room - current) / best.unit) * best.unit);
  const limit = largestTotal(situation, best);
  if ((observation.hotplugProblem ?? null) !== null || observation.maxMemory === 'unsupported')
    return { size: current, why: 'hotplug' };
  if (observation.cordoned) return { size: current, why: 'cordoned' };
  if (limit <= room) return { size, why: whyLimit(situation, limit) };
  if (freeSlots.length === 0 || ceilingOf(situation, best) <= room) return { size, why: 'slots' };
  // What the object says of the host's room is never more than the namespace's.
  return { size, why: (observation.namespaceFree ?? Infinity) <= (best.hostFree ?? Infinity) ? 'namespace' : 'host' };
}

/** Which of the VM's own limits the largest total is. */
function whyLimit({ observation, boot }: Situation, limit: number): CeilingWhy {
  const { maxMemory, otherBytes, otherTotal = 0 } = observation;
  if (typeof maxMemory === 'number' && limit === maxMemory - otherBytes + otherTotal) return 'maximum';
  return limit === boot * maxTotalPerBootMemory ? 'map' : 'hardLimit';
}

/** Where a size stands on the scale, 0 to 1. */
export function shareOf({ least, most }: Pick<Sizes, 'least' | 'most'>, size: number): number {
  return most <= least ? 0 : Math.min(1, Math.max(0, (size - least) / (most - least)));
}
