/** What can stand in the way of plugging memory, in the order in which it is told. */
import { type Bytes, isMultipleOf } from '../memory/bytes.ts';
import { maxTotalPerBootMemory } from '../memory/module.ts';
import { nearest, size, slots } from './explain.ts';
import { roundUp } from './rounding.ts';
import { isHeldBy, largestTotal, type Situation } from './situation.ts';
import type { HardLimit, PlanReason, Reachable } from './types.ts';
import { counted } from '../memory/lines.ts';

/** `wait` where time alone helps. */
export type Obstacle = { readonly decision: 'blocked' | 'wait'; readonly reason: PlanReason; readonly message: string };

/** What the other policy makes of a wish between the steps; nothing where modules of odd sizes are in its way. */
export function explainRounding({ wish, policy, observation, settled, pool }: Situation): string {
  const up = roundUp(wish, observation);
  const isInSteps = isMultipleOf(Math.abs(up - settled) as Bytes, pool.unit);
  return policy.rounding === 'Up' || up === wish || !isInSteps ? '' : `; rounding Up makes it ${size(up)}`;
}

const nodes = (ids: readonly number[]): string => `${ids.length === 1 ? 'node' : 'nodes'} ${ids.join(', ')}`;

const blocked = (reason: PlanReason, message: string): Obstacle => ({ decision: 'blocked', reason, message });

/**
 * The first pool from which `amount` bytes (positive) can be plugged, as the situation's; or the obstacle of the first:
 * a growth goes to the nodes whose pages allow it.
 */
export function choosePool(
  situation: Situation,
  amount: number,
  reachable: Reachable,
): { readonly kind: 'found'; readonly situation: Situation } | { readonly kind: 'none'; readonly obstacle: Obstacle } {
  let first: Obstacle | null = null;
  for (const pool of situation.pools) {
    const inPool = { ...situation, pool };
    const obstacle = findPlugObstacle(inPool, amount, reachable);
    if (obstacle === null) return { kind: 'found', situation: inPool };
    first ??= obstacle;
  }
  if (first === null) throw new RangeError('a guest has at least one pool');
  return { kind: 'none', obstacle: first };
}

/**
 * The first obstacle to plugging `amount` bytes (positive); null: none. A plug is blocked, never truncated.
 */
function findPlugObstacle(situation: Situation, amount: number, reachable: Reachable): Obstacle | null {
  const { observation, current } = situation;
  const { unit } = situation.pool;
  const { hotplugProblem = null } = observation;
  if (hotplugProblem !== null) return blocked('HotplugUnsupported', hotplugProblem);
  if (observation.maxMemory === 'unsupported') {
    return blocked(
      'HotplugUnsupported',
      `the domain has no <maxMemory>, so no module can be plugged: shut it down and add one to go above ${size(current)}`,
    );
  }
  if (!isMultipleOf(amount as Bytes, unit)) {
    return blocked(
      'Misaligned',
      `${size(amount)} more is no multiple of ${size(unit)}, which every module must be; ${nearest(reachable)}${explainRounding(situation)}`,
    );
  }
  return (
    findLimitObstacle(situation, amount) ?? findSlotObstacle(situation, amount) ?? findHostObstacle(situation, amount)
  );
}

function findLimitObstacle(situation: Situation, amount: number): Obstacle | null {
  const { observation, boot, current, pool } = situation;
  const { maxMemory, otherBytes, otherTotal = 0, hardLimit } = observation;
  const total = current + amount;
  // What other devices may still take of the maximum without the guest having it.
  const kept = otherBytes - otherTotal;
  if (typeof maxMemory === 'number' && total > maxMemory - kept) {
    const asked = kept === 0 ? `${size(total)} is` : `${size(total)} and ${size(kept)} of other devices are`;
    return blocked(
      'ExceedsMaxMemory',
      `${asked} above the domain's maximum of ${size(maxMemory)}; ${describeLargest(situation)}; raise <maxMemory> while ` +
        'it is shut down',
    );
  }
  if (hardLimit && isHeldBy(hardLimit, pool) && total > hardLimit.size - hardLimit.overhead) {
    return blocked(
      'ExceedsHardLimit',
      `${size(total)} and ${size(hardLimit.overhead)} for QEMU itself are above the hard_limit of ${size(hardLimit.size)} ` +
        `in the domain's <memtune>: ${explainEnd(hardLimit)}, and the guest with it; ${describeLargest(situation)}; ` +
        'raise it with virsh memtune --hard-limit',
    );
  }
  const bound = boot * maxTotalPerBootMemory;
  if (total > bound) {
    return blocked(
      'BootMemoryTooSmall',
      `${size(total)} is more than ${maxTotalPerBootMemory} times the boot memory of ${size(boot)}: the guest's memory map would not ` +
        `fit into boot memory and the guest could reboot; the most is ${size(bound)}`,
    );
  }
  return null;
}

const explainEnd = ({ pinned = false }: HardLimit): string =>
  pinned ? 'memory that is pinned for a device would not be had, which ends QEMU' : 'its control group would end QEMU';

/** The largest size that can be had by plugging, as far as limits go. */
function describeLargest(situation: Situation): string {
  const { current, pool } = situation;
  const steps = Math.floor((largestTotal(situation, pool) - current) / pool.unit);
  return steps < 1 ? 'nothing more can be plugged' : `the largest size is ${size(current + steps * pool.unit)}`;
}

function findSlotObstacle(situation: Situation, amount: number): Obstacle | null {
  const { observation, freeSlots, restingSlots } = situation;
  const { maxModule, pageSize } = situation.pool;
  const needed = Math.ceil(amount / maxModule) || 1;
  if (freeSlots.length >= needed) return null;
  if (freeSlots.length + restingSlots.length >= needed) {
    return {
      decision: 'wait',
      reason: 'VMBusy',
      message: `${slots(restingSlots)} can't be used again yet after an unplug, and no other is free: waiting for that`,
    };
  }
  const { total, usedByOthers, unnumbered = 0 } = observation.slots;
  const held = usedByOthers.length + unnumbered;
  const others = held === 0 ? '' : `, ${held} of them held by other devices`;
  const why = pageSize === null ? ' (the memory is preallocated, which stops the guest)' : '';
  return blocked(
    'SlotsExhausted',
    freeSlots.length === 0
      ? `no slot is free (of ${total}${others}): unplug a module, or raise the number of slots while the domain is shut down`
      : `${size(amount)} takes ${counted(needed, 'module')} of at most ${size(maxModule)}${why}, but only ${freeSlots.length} of ${counted(total, 'slot')} are free`,
  );
}

function findHostObstacle({ observation, pool }: Situation, amount: number): Obstacle | null {
  const { hostFree, hugepagesFree, pageSize, hostNodes } = pool;
  const { namespaceFree = null } = observation;
  const bound = hostNodes === null ? '' : ` on its ${nodes(hostNodes)}, which <numatune> binds the memory to`;
  if (observation.cordoned)
    return blocked('HostCordoned', `${size(amount)} more is needed, but the host is cordoned and takes no new memory`);
  if (namespaceFree !== null && amount > namespaceFree) {
    return blocked(
      'NamespaceLimitReached',
      `${size(amount)} more is needed, but the namespace may have only ${size(namespaceFree)} more of this host (its namespaceLimit)`,
    );
  }
  if (hostFree !== null && amount > hostFree) {
    return blocked(
      'InsufficientHostMemory',
      `${size(amount)} more is needed, but the host has only ${size(hostFree)} left to give${bound}`,
    );
  }
  if (pageSize !== null && hugepagesFree !== null && amount > hugepagesFree) {
    return blocked(
      'HugepagesUnavailable',
      `${size(amount)} more is needed, but the host has only ${size(hugepagesFree)} free in pages of ${size(pageSize)}${bound}`,
    );
  }
  return null;
}
