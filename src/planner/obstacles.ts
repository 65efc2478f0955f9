/** What can stand in the way of plugging memory, in the order in which it is told. */
import { type Bytes, isMultipleOf } from '../memory/bytes.ts';
import { maxTotalPerBootMemory } from '../memory/module.ts';
import { count, nearest, size, slots } from './explain.ts';
import type { Situation } from './situation.ts';
import type { PlanReason, Reachable } from './types.ts';

/** `wait` where time alone helps. */
export type Obstacle = { readonly decision: 'blocked' | 'wait'; readonly reason: PlanReason; readonly message: string };

const blocked = (reason: PlanReason, message: string): Obstacle => ({ decision: 'blocked', reason, message });

/**
 * The first obstacle to plugging `amount` bytes (positive); null: none. A plug is blocked, never truncated.
 */
export function findPlugObstacle(situation: Situation, amount: number, reachable: Reachable): Obstacle | null {
  const { observation, current, unit } = situation;
  if (observation.maxMemory === 'unsupported') {
    return blocked(
      'HotplugUnsupported',
      `the domain has no <maxMemory>, so no module can be plugged: shut it down and add one to go above ${size(current)}`,
    );
  }
  if (!isMultipleOf(amount as Bytes, unit)) {
    return blocked(
      'Misaligned',
      `${size(amount)} more is no multiple of ${size(unit)}, which every module must be; ${nearest(reachable)}`,
    );
  }
  return (
    findLimitObstacle(situation, amount) ?? findSlotObstacle(situation, amount) ?? findHostObstacle(situation, amount)
  );
}

function findLimitObstacle({ observation, boot, current }: Situation, amount: number): Obstacle | null {
  const { maxMemory, otherBytes } = observation;
  const total = current + amount;
  if (typeof maxMemory === 'number' && total > maxMemory - otherBytes) {
    const asked =
      otherBytes === 0 ? `${size(total)} is` : `${size(total)} and ${size(otherBytes)} of other devices are`;
    return blocked(
      'ExceedsMaxMemory',
      `${asked} above the domain's maximum of ${size(maxMemory)}; raise <maxMemory> while it is shut down`,
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

function findSlotObstacle(situation: Situation, amount: number): Obstacle | null {
  const { observation, freeSlots, restingSlots, maxModule } = situation;
  const needed = Math.ceil(amount / maxModule) || 1;
  if (freeSlots.length >= needed) return null;
  if (freeSlots.length + restingSlots.length >= needed) {
    return {
      decision: 'wait',
      reason: 'VMBusy',
      message: `${slots(restingSlots)} can't be used again yet after an unplug, and no other is free: waiting for that`,
    };
  }
  const { total, usedByOthers } = observation.slots;
  const others = usedByOthers.length === 0 ? '' : `, ${usedByOthers.length} of them held by other devices`;
  return blocked(
    'SlotsExhausted',
    freeSlots.length === 0
      ? `no slot is free (of ${total}${others}): unplug a module, or raise the number of slots while the domain is shut down`
      : `${size(amount)} takes ${count(needed, 'module')} of at most ${size(maxModule)}, but only ${freeSlots.length} of ${count(total, 'slot')} are free`,
  );
}

function findHostObstacle({ observation }: Situation, amount: number): Obstacle | null {
  const { cordoned, hostFree, hugepagesFree, pageSize } = observation;
  if (cordoned)
    return blocked('HostCordoned', `${size(amount)} more is needed, but the host is cordoned and takes no new memory`);
  if (hostFree !== null && amount > hostFree) {
    return blocked(
      'InsufficientHostMemory',
      `${size(amount)} more is needed, but the host has only ${size(hostFree)} left to give`,
    );
  }
  if (pageSize !== null && hugepagesFree !== null && amount > hugepagesFree) {
    return blocked(
      'HugepagesUnavailable',
      `${size(amount)} more is needed, but the host has only ${size(hugepagesFree)} free in pages of ${size(pageSize)}`,
    );
  }
  return null;
}
