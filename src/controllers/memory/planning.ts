/**
 * `status.planning`: what the planner was told, as far as the other fields don't say it, so that the same plan can be
 * made from the object alone (src/preview/from-status.ts). Pure.
 */
import { preciseTimestamp } from '../../api/v1alpha1/conditions.ts';
import type { PlanningStatus, VirtualMachineMemoryStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { DomainObservation } from '../../host/port.ts';
import { type Bytes, bytes, floorTo, gib } from '../../memory/bytes.ts';
import { formatQuantity } from '../../memory/quantity.ts';
import { type Situation, surveySituation } from '../../planner/situation.ts';
import type { PlannerObservation } from '../../planner/types.ts';
import type { Judgement } from './types.ts';

/** What the planner was told by `judgement`. */
export function computePlanning({ seen, block, located }: Judgement): PlanningStatus {
  const { layout, observation } = located;
  const room = computeRoom(seen);
  return {
    observedAt: preciseTimestamp(observation.observedAtMs),
    boot: layout.boot.map(({ node, size }) => ({ node, size: formatQuantity(size) })),
    ...(layout.pageSize === null ? {} : { pageSize: formatQuantity(layout.pageSize) }),
    block: formatQuantity(block),
    slots: { usedByOthers: seen.slots.usedByOthers, resting: seen.slots.resting },
    otherBytes: formatQuantity(seen.otherBytes),
    booting: seen.booting,
    cordoned: seen.cordoned,
    ...(observation.guest === null ? {} : { guest: computeGuest(observation.guest) }),
    ...(room === null ? {} : { room }),
  };
}

function computeGuest(guest: NonNullable<DomainObservation['guest']>): NonNullable<PlanningStatus['guest']> {
  const { usable, total, reportedAtMs, fresh, ofThisBoot } = guest;
  return {
    usable: formatQuantity(usable),
    total: formatQuantity(total),
    reportedAt: preciseTimestamp(reportedAtMs),
    report: fresh ? 'Fresh' : ofThisBoot ? 'Late' : 'BeforeBoot',
  };
}

/**
 * How much more the host could give: what the VM itself could take where the host has that much; else what the host
 * has, in whole GiB. So whoever reads the object learns of the host only what this VM could find out by growing.
 */
export function computeRoom(seen: PlannerObservation): NonNullable<PlanningStatus['room']> | null {
  const { pageSize, hostFree, hugepagesFree } = seen;
  if (hostFree === null) return null;
  // A slot that rests is free in a minute.
  const { ceiling, current } = survey({ ...seen, slots: { ...seen.slots, resting: [] } });
  const own = bytes(Math.max(0, ceiling - current));
  const roomIn = (free: Bytes): string => formatQuantity(free >= own ? own : floorTo(free, gib(1)));
  return {
    ...(pageSize === null ? {} : { pageSize: formatQuantity(pageSize) }),
    host: roomIn(hostFree),
    ...(hugepagesFree === null ? {} : { pages: roomIn(hugepagesFree) }),
  };
}

/** The part of a situation that no policy and no wish is needed for. */
const survey = (observation: PlannerObservation): Pick<Situation, 'ceiling' | 'current'> =>
  surveySituation({
    desired: bytes(0),
    observation,
    policy: { shrink: 'Exact', grow: 'Whole', guestSafety: 'Off' },
  });

/** A status without what in its planning changes by itself, as the guest works and the host fills: no reason to write. */
export function withoutDrift(status: VirtualMachineMemoryStatus): object {
  if (status.planning === undefined) return status;
  const { observedAt: _, guest: __, room: ___, ...planning } = status.planning;
  return { ...status, planning };
}
