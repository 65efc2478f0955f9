/**
 * What a change does to the guest itself. Measured (docs/planner.md): taking memory that is in use makes the guest kill
 * its own processes; plugging much at once can use up its boot memory for the memory map, and it reboots.
 */
import { type Bytes, bytes, sumBytes } from '../memory/bytes.ts';
import { unplugMargin } from '../memory/guest-margin.ts';
import type { Situation } from './situation.ts';

/** A guest that is late is waited for this long; then somebody has to look after it. */
const longestSilenceMs = 60_000;
/** Linux' memory map: 64 bytes of `struct page` for every page of 4 KiB, 16 MiB a GiB. */
const memoryPerMap = 64;

/** The memory map that the guest's kernel needs for `size` more memory. */
export const memoryMapOf = (size: Bytes): Bytes => bytes(Math.ceil(size / memoryPerMap));

export type UnplugSafety =
  /** `note`: why memory in use wasn't judged; null when it was. */
  | { readonly kind: 'safe'; readonly minUsableAfter: Bytes | null; readonly note: string | null }
  | { readonly kind: 'unknown'; readonly stale: boolean }
  /** The guest is late: a moment ago it did report. */
  | { readonly kind: 'late'; readonly silentMs: number }
  /** `spare`: what could be taken now, 0 or more bytes. */
  | { readonly kind: 'inUse'; readonly usable: Bytes; readonly margin: Bytes; readonly spare: Bytes };

const offNote = 'memory in use is not judged (guestSafety Off)';
const unknownNote = 'memory in use is not judged: there are no fresh statistics of the guest';

/**
 * Whether the guest can spare memory.
 * @param taken bytes that leave, those of modules already leaving not counted (they are added here)
 * @param given bytes plugged before, 0 or more; the guest has them less their memory map
 */
export function judgeUnplug(situation: Situation, taken: number, given: Bytes): UnplugSafety {
  const { observation, policy, current, settled } = situation;
  if (policy.guestSafety === 'Off') return { kind: 'safe', minUsableAfter: null, note: offNote };
  const margin = unplugMargin(current);
  const { guest } = observation;
  if (guest?.fresh !== true) {
    const { silentMs } = guest ?? {};
    // Late isn't absent: what it last said was true then, and a guest under pressure is late.
    if (silentMs !== undefined && silentMs <= longestSilenceMs) return { kind: 'late', silentMs };
    return policy.guestSafety === 'Required' || silentMs !== undefined
      ? { kind: 'unknown', stale: guest !== null }
      : { kind: 'safe', minUsableAfter: null, note: unknownNote };
  }
  const leaving = current - settled;
  const usable = guest.usable + given - memoryMapOf(given);
  // What the guest never took it doesn't miss.
  const has = guest.takenOfModules ?? Infinity;
  if (usable >= Math.min(taken + leaving, has + given) + margin) {
    return { kind: 'safe', minUsableAfter: margin, note: null };
  }
  const spare = guest.usable >= has + margin ? settled : bytes(Math.max(0, guest.usable - margin - leaving));
  return { kind: 'inUse', usable: guest.usable, margin, spare };
}

/**
 * What the guest must have left after the unplug of `size` is asked for again, when other modules may leave too;
 * null: not judged (guestSafety Off, or BestEffort for a guest that hasn't reported since it booted).
 */
export function minUsableOnAskingAgain(
  { observation, policy, current, settled }: Situation,
  size: Bytes,
): Bytes | null {
  const { guest } = observation;
  const isKnown = guest !== null && (guest.fresh || guest.silentMs !== undefined);
  const judged = policy.guestSafety === 'Required' || (policy.guestSafety === 'BestEffort' && isKnown);
  return judged ? bytes(unplugMargin(current) + current - settled - size) : null;
}

/**
 * What may be plugged at once into a guest of which nobody knows what its kernel has free: as much as it booted with, so
 * that all it can ever have (16 times that) takes 15 stages, where a VM mostly has 16 slots. Measured: docs/adr/0049.
 */
const unsureStage = (boot: Bytes): number => boot;

/**
 * The most that may be plugged before the guest has onlined it, so that its kernel has memory for the map: twice the map
 * must be free for certain. What is free may lie in modules, of which a kernel takes no map where they are movable; how
 * much of it does nobody knows, and then a stage is at most as large as boot memory: its map is 1/64 of that. So
 * it is where a guest seems to have less than half its boot memory: in doubt, what has left is taken off its report twice.
 * Infinity: the guest says nothing that this could be judged by, or (`pool.preallocated`) goes module by module anyhow.
 */
function stageLimit({ observation: { guest, modules }, boot }: Situation): number {
  if (guest === null) return Infinity;
  if (!guest.fresh) return guest.silentMs === undefined ? Infinity : unsureStage(boot);
  if (guest.total < boot / 2) return unsureStage(boot);
  const taken = guest.takenOfModules ?? sumBytes(modules.map(({ size }) => size));
  const perFree = memoryPerMap / 2;
  return Math.max(perFree * (guest.usable - taken), Math.min(perFree * guest.usable, unsureStage(boot)));
}

/** Sizes of stages. */
export type Stages = {
  /** The most that is plugged now. */
  readonly first: Bytes;
  /** The same for each of the others, by what the guest will have when it has onlined the first; they are planned anew then. */
  readonly later: Bytes;
};

/** The largest power of two of the unit that is at most `limit`, so that a plan stays the same while the guest's use moves a little. */
function stageBelow(limit: number, unit: Bytes): Bytes {
  let stage: number = unit;
  while (stage * 2 <= limit) stage *= 2;
  return stage as Bytes;
}

/** The stages for `amount` bytes more where they are too much at once; null: they aren't. No module should be larger than its stage. */
export function stagesOf(situation: Situation, amount: number): Stages | null {
  const { observation, pool, boot } = situation;
  const { guest, modules } = observation;
  const limit = stageLimit(situation);
  const has = guest?.takenOfModules;
  const inFlight = has === undefined ? 0 : Math.max(0, sumBytes(modules.map(({ size }) => size)) - has);
  if (inFlight + amount <= limit) return null;
  const first = stageBelow(limit, pool.unit);
  const then = Math.min((memoryPerMap / 2) * ((guest?.usable ?? 0) + first), unsureStage(boot));
  return { first, later: stageBelow(Math.max(first, then), pool.unit) };
}

/**
 * For modules plugged one after another: before which of them the guest must have onlined what came before. Preallocated
 * memory goes one module at a time, and so does all while the guest is late. Otherwise they go in stages where the memory
 * map of all at once could be more than the guest has free ({@link stagesOf}); of a guest without a word that can't be
 * known, nor waited for.
 */
export function waitsForOnline(situation: Situation, sizes: readonly Bytes[]): boolean[] {
  const { observation, pool } = situation;
  const { guest } = observation;
  if (pool.preallocated) return sizes.map(() => true);
  if (guest === null) return sizes.map(() => false);
  if (!guest.fresh) return sizes.map((_, index) => index > 0);
  const amount = sumBytes(sizes);
  const stages = stagesOf(situation, amount);
  if (stages === null) {
    // Right after a plug the guest hasn't said yet what it took of it: that may be a stage which is still under way.
    const underWay = guest.takenOfModules === undefined ? sumBytes(observation.modules.map(({ size }) => size)) : 0;
    const isNext = underWay > 0 && underWay + amount > stageLimit(situation);
    return sizes.map((_, index) => index === 0 && isNext);
  }
  let { first: left } = stages;
  return sizes.map((size, index) => {
    const isNext = index === 0 || size > left;
    if (isNext && index > 0) left = stages.later;
    left = bytes(Math.max(0, left - size));
    return isNext;
  });
}
