/**
 * The contract of docs/planner.md a second time, by brute force and without any of the planner's code: what is decided, why, which
 * modules go, how much is plugged. Sizes are plain numbers of bytes.
 */
import type { Decision, PlannerModule, PlanReason, PlanRequest } from '../../../src/planner/types.ts';
import { allSubsets, bestAbove, bestExact, candidateOrder, type Subset } from './oracle.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

export type Expected = {
  readonly decision: Decision;
  readonly reason: PlanReason;
  /** Slots that are unplugged. */
  readonly unplugged: readonly number[];
  /** Bytes that are plugged. */
  readonly plugged: number;
  /** Slot that is asked again, if any of the leaving ones is. */
  readonly asksAgain: boolean;
};

export type Facts = {
  readonly boot: number;
  readonly withLeaving: number;
  readonly withoutLeaving: number;
  readonly leaving: readonly PlannerModule[];
  readonly staying: readonly PlannerModule[];
  /** In order. */
  readonly candidates: readonly PlannerModule[];
  readonly unit: number;
  readonly freeSlots: number;
  readonly restingSlots: number;
};

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const isMultiple = (value: number, unit: number): boolean => value % unit === 0;

/** The least common multiple by trial. */
function commonUnit(granularity: number, pageSize: number): number {
  let unit = granularity;
  while (!isMultiple(unit, pageSize)) unit += granularity;
  return unit;
}

export function factsOf({ observation }: PlanRequest): Facts {
  const boot = sum(observation.boot.map(({ size }) => size));
  const leaving = observation.modules.filter(({ state }) => state === 'Leaving');
  const staying = observation.modules.filter(({ state }) => state !== 'Leaving');
  const withoutLeaving = boot + sum(staying.map(({ size }) => size));
  let freeSlots = 0;
  let restingSlots = 0;
  for (let slot = 0; slot < observation.slots.total; slot++) {
    if (observation.slots.usedByOthers.includes(slot)) continue;
    if (observation.modules.some((module) => module.slot === slot)) continue;
    if (observation.slots.resting.includes(slot)) restingSlots++;
    else freeSlots++;
  }
  return {
    boot,
    withLeaving: withoutLeaving + sum(leaving.map(({ size }) => size)),
    withoutLeaving,
    leaving,
    staying,
    candidates: candidateOrder(staying, observation.boot).filter(({ quarantined }) => !quarantined),
    unit: commonUnit(observation.granularity, observation.pageSize ?? 1),
    freeSlots,
    restingSlots,
  };
}

/** Most modules of preallocated memory are 1 GiB, unless a module can't be that small. */
export const largestModule = ({ observation }: PlanRequest, { unit }: Facts): number =>
  observation.pageSize === null ? Infinity : unit > GiB ? unit : Math.floor(GiB / unit) * unit;

type Stop = { readonly decision: Decision; readonly reason: PlanReason };

const blocked = (reason: PlanReason): Stop => ({ decision: 'blocked', reason });

/** What stops `amount` more from being plugged. */
function stopOfPlug(request: PlanRequest, facts: Facts, amount: number): Stop | undefined {
  const { observation } = request;
  const total = facts.withLeaving + amount;
  const modules = Math.max(1, Math.ceil(amount / largestModule(request, facts)));
  const { maxMemory, pageSize, hostFree, hugepagesFree, namespaceFree } = observation;
  if (maxMemory === 'unsupported') return blocked('HotplugUnsupported');
  if (!isMultiple(amount, facts.unit)) return blocked('Misaligned');
  if (maxMemory !== 'unlimited' && total + observation.otherBytes > maxMemory) return blocked('ExceedsMaxMemory');
  if (total > 16 * facts.boot) return blocked('BootMemoryTooSmall');
  if (facts.freeSlots < modules) {
    return facts.freeSlots + facts.restingSlots >= modules
      ? { decision: 'wait', reason: 'VMBusy' }
      : blocked('SlotsExhausted');
  }
  if (observation.cordoned) return blocked('HostCordoned');
  if (typeof namespaceFree === 'number' && amount > namespaceFree) return blocked('NamespaceLimitReached');
  if (hostFree !== null && amount > hostFree) return blocked('InsufficientHostMemory');
  if (pageSize !== null && hugepagesFree !== null && amount > hugepagesFree) return blocked('HugepagesUnavailable');
  return undefined;
}

/** What stops a set from being unplugged, after `plugged` bytes were plugged. */
function stopOfUnplug(
  { observation, policy }: PlanRequest,
  facts: Facts,
  set: Subset,
  plugged: number,
): Stop | undefined {
  const { guest } = observation;
  if (policy.guestSafety === 'Off') return undefined;
  if (guest?.fresh !== true) {
    return policy.guestSafety === 'Required' ? blocked('GuestMemoryUnknown') : undefined;
  }
  const margin = Math.max(128 * MiB, facts.withLeaving / 20);
  const leaving = facts.withLeaving - facts.withoutLeaving + set.sum;
  const usable = guest.usable + plugged - Math.ceil(plugged / 64);
  const cost = Math.min(leaving, (guest.takenOfModules ?? Infinity) + plugged);
  return usable >= cost + margin ? undefined : blocked('GuestMemoryInUse');
}

const slotsOf = (set: Subset): number[] => set.members.map(({ slot }) => slot).sort((a, b) => a - b);

/** What the planner must decide. */
export function expect(request: PlanRequest): Expected {
  const { desired, observation, policy } = request;
  const facts = factsOf(request);
  const { boot, withLeaving, withoutLeaving, leaving } = facts;
  const nothing = { unplugged: [], plugged: 0, asksAgain: false };
  const stopped = (stop: Stop): Expected => ({ ...nothing, ...stop });
  const waitForLeaving: Expected = {
    ...nothing,
    decision: 'wait',
    reason: 'Unplugging',
    asksAgain: desired <= withoutLeaving,
  };

  if (leaving.length > 0 && desired >= withoutLeaving && desired <= withLeaving) return waitForLeaving;
  if (desired === withLeaving) return { ...nothing, decision: 'noop', reason: 'Converged' };
  if (observation.booting) return { ...nothing, decision: 'wait', reason: 'WaitingForGuest' };
  if (desired < boot) return stopped(blocked('BelowBootMemory'));

  if (desired > withLeaving) {
    const amount = desired - withLeaving;
    const stop = stopOfPlug(request, facts, amount);
    return stop ? stopped(stop) : { ...nothing, decision: 'plug', reason: 'Plugging', plugged: amount };
  }

  const amount = withoutLeaving - desired;
  const subsets = allSubsets(facts.candidates);
  const goes = (set: Subset, plugged = 0): Expected => {
    const stop = stopOfUnplug(request, facts, set, plugged);
    if (stop) return stopped(stop);
    if (leaving.length > 0) return waitForLeaving;
    return plugged > 0
      ? { ...nothing, decision: 'replace', reason: 'Replacing', plugged, unplugged: slotsOf(set) }
      : { ...nothing, decision: 'unplug', reason: 'Unplugging', unplugged: slotsOf(set) };
  };
  const exact = bestExact(facts.candidates, subsets, amount);
  if (exact) return goes(exact);

  if (policy.shrink === 'Nearest') {
    const closest = Math.max(...subsets.map((set) => set.sum).filter((total) => total <= amount));
    const best = closest > 0 ? bestExact(facts.candidates, subsets, closest) : undefined;
    if (best) return goes(best);
    return leaving.length > 0 ? waitForLeaving : { ...nothing, decision: 'noop', reason: 'ConvergedNearest' };
  }
  const withQuarantined = allSubsets(facts.staying).some((set) => set.sum === amount);
  if (!isMultiple(amount, observation.granularity)) {
    return stopped(blocked(withQuarantined ? 'GuestRefused' : 'Misaligned'));
  }
  if (policy.shrink === 'Exact') return stopped(blocked(withQuarantined ? 'GuestRefused' : 'UnreachableSize'));

  const aligned = facts.candidates.filter(({ size }) => isMultiple(size, observation.granularity));
  const largest = largestModule(request, facts);
  const sets = allSubsets(aligned).filter(
    (set) => set.sum > amount && isMultiple(set.sum - amount, facts.unit) && set.sum - amount <= largest,
  );
  if (sets.length === 0) return stopped(blocked('UnreachableSize'));
  const possible = sets.filter((set) => stopOfPlug(request, facts, set.sum - amount) === undefined);
  const best = bestAbove(aligned, possible, () => true);
  if (best) return goes(best, best.sum - amount);
  // For want of room: the reason of the set that needs the least.
  const least = Math.min(...sets.map((set) => set.sum - amount));
  return stopped(stopOfPlug(request, facts, least) ?? blocked('UnreachableSize'));
}
