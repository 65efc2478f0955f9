/**
 * `status.planning`: what the planner was told, as far as the other fields don't say it, so that the same plan can be
 * made from the object alone (src/preview/from-status.ts). Pure.
 */
import { preciseTimestamp } from '../../api/v1alpha1/conditions.ts';
import type { BackingStatus, PlanningStatus } from '../../api/v1alpha1/planning-status.ts';
import type { VirtualMachineMemoryStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { DomainObservation, LayoutBacking } from '../../host/port.ts';
import { type Bytes, bytes, floorTo, gib } from '../../memory/bytes.ts';
import { formatQuantity } from '../../memory/quantity.ts';
import { ceilingOf, largestTotal, type Situation, surveySituation } from '../../planner/situation.ts';
import type { Pool } from '../../planner/pools.ts';
import { judgeShrinking } from '../../host/rules/readiness.ts';
import { maxTotalPerBootMemory } from '../../memory/module.ts';
import type { HardLimit, PlannerObservation } from '../../planner/types.ts';
import { ownBackings } from './backing.ts';
import type { Judgement } from './types.ts';

/** What the planner was told by `judgement`. */
export function computePlanning(judgement: Judgement): PlanningStatus {
  const { seen, block, located } = judgement;
  const { layout, observation } = located;
  const { slots, otherTotal, hardLimit, hotplugProblem, sharedWith } = seen;
  return {
    observedAt: preciseTimestamp(observation.observedAtMs),
    boot: layout.boot.map(({ node, size }) => ({ node, size: formatQuantity(size) })),
    block: formatQuantity(block),
    slots: {
      usedByOthers: slots.usedByOthers,
      resting: slots.resting,
      ...(slots.unnumbered === undefined ? {} : { unnumbered: slots.unnumbered }),
    },
    otherBytes: formatQuantity(seen.otherBytes),
    ...(otherTotal === undefined ? {} : { otherTotal: formatQuantity(otherTotal) }),
    ...(hardLimit ? { hardLimit: computeHardLimit(hardLimit) } : {}),
    ...(sharedWith ? { sharedWith } : {}),
    ...(hotplugProblem ? { hotplugProblem } : {}),
    booting: seen.booting,
    cordoned: seen.cordoned,
    ...(observation.guest === null ? {} : { guest: computeGuest(observation.guest) }),
    ...computeReach(judgement),
    ...computeNamespaceRoom(seen),
    backings: computeBackingStatus(seen, ownBackings(located.layout)),
  };
}

/** How far the size can be changed by what the VM and its guest are, whatever is wanted now. */
function computeReach({ seen, located, modules }: Judgement): Pick<PlanningStatus, 'reach'> {
  const { layout, observation } = located;
  const { maxMemory, hotplugProblem } = seen;
  if (hotplugProblem || typeof maxMemory !== 'number') return {};
  const situation = surveyRested(seen);
  const { boot, base, current, freeSlots, pool, pools } = situation;
  const most = Math.max(...pools.map((each) => ceilingOf(situation, each)));
  const step = bytes(Math.min(...pools.map(({ unit }) => unit)));
  const bound = largestTotal(situation, pool);
  const byMax = maxMemory - seen.otherBytes + (seen.otherTotal ?? 0);
  const isByBoot = bound === boot * maxTotalPerBootMemory;
  const limitedBy = bound === byMax ? 'MaxMemory' : isByBoot ? 'BootMemory' : 'HardLimit';
  return {
    reach: {
      largest: formatQuantity(bytes(current + floorTo(bytes(Math.max(0, most - current)), step))),
      limitedBy: freeSlots.length === 0 || most < bound ? 'Slots' : limitedBy,
      step: formatQuantity(step),
      smallest: formatQuantity(base),
      shrinks: judgeShrinking({
        system: layout.guestSystem,
        modules: layout.modules.length,
        refused: modules.filter(({ history }) => history.refusals > 0).length,
        reports: observation.guest?.ofThisBoot === true,
      }),
    },
  };
}

const computeHardLimit = ({ size, overhead, pinned }: HardLimit): NonNullable<PlanningStatus['hardLimit']> => ({
  size: formatQuantity(size),
  overhead: formatQuantity(overhead),
  ...(pinned === true ? { pinned } : {}),
});

/** What stands behind new modules, by the VM itself (`own`, in the order of what the planner was told). */
function computeBackingStatus(seen: PlannerObservation, own: readonly LayoutBacking[]): readonly BackingStatus[] {
  const rooms = computeRooms(seen);
  return own.map(({ nodes, pageSize, preallocated }, index): BackingStatus => {
    const room = rooms[index] ?? null;
    return {
      nodes,
      ...(pageSize === null ? {} : { pageSize: formatQuantity(pageSize) }),
      preallocated,
      ...(room === null ? {} : { room }),
    };
  });
}

function computeGuest(guest: NonNullable<DomainObservation['guest']>): NonNullable<PlanningStatus['guest']> {
  const { usable, total, reportedAtMs, fresh, ofThisBoot, takenOfModules } = guest;
  return {
    usable: formatQuantity(usable),
    total: formatQuantity(total),
    reportedAt: preciseTimestamp(reportedAtMs),
    report: fresh ? 'Fresh' : ofThisBoot ? 'Late' : 'BeforeBoot',
    ...(takenOfModules === null ? {} : { takenOfModules: formatQuantity(takenOfModules) }),
  };
}

/** The VM and its host as they are once no slot rests, which is in a minute. */
const surveyRested = (seen: PlannerObservation): Situation =>
  surveySituation({
    desired: bytes(0),
    observation: { ...seen, slots: { ...seen.slots, resting: [] } },
    policy: { shrink: 'Exact', grow: 'Whole', guestSafety: 'Off' },
  });

/** What the VM itself could take from `pool`. */
const ownRoom = (situation: Situation, pool: Pool): Bytes =>
  bytes(Math.max(0, ceilingOf(situation, pool) - situation.current));

/** What the namespace may still have of the host, as far as this VM could take it: nobody else's memory is in it. */
function computeNamespaceRoom(seen: PlannerObservation): Pick<PlanningStatus, 'namespaceRoom'> {
  const { namespaceFree = null } = seen;
  if (namespaceFree === null) return {};
  const situation = surveyRested(seen);
  const own = Math.max(...situation.pools.map((pool) => ownRoom(situation, pool)));
  return { namespaceRoom: formatQuantity(bytes(Math.min(namespaceFree, own))) };
}

/**
 * How much more the host could give: what the VM itself could take, as far as its namespace may have it, where the host has
 * that much; else what the host has, in whole GiB. So whoever reads the object learns of the host only what this VM could find out by growing.
 */
export function computeRooms(seen: PlannerObservation): readonly (NonNullable<BackingStatus['room']> | null)[] {
  const { backings = [] } = seen;
  const allowed = seen.namespaceFree ?? Infinity;
  const situation = surveyRested(seen);
  return backings.map(({ nodes, pageSize, hostFree, hugepagesFree }) => {
    const pool = situation.pools.find((candidate) => candidate.nodes.some((node) => nodes.includes(node)));
    if (hostFree === null || pool === undefined) return null;
    const own = bytes(Math.min(allowed, ownRoom(situation, pool)));
    const roomIn = (free: Bytes): string => formatQuantity(free >= own ? own : floorTo(free, gib(1)));
    return {
      ...(pageSize === null ? {} : { pageSize: formatQuantity(pageSize) }),
      host: roomIn(hostFree),
      ...(hugepagesFree === null ? {} : { pages: roomIn(hugepagesFree) }),
    };
  });
}

/**
 * A status without what in its planning changes by itself, as the guest works, the host fills and slots have rested: no reason
 * to write.
 */
export function withoutPassing(status: VirtualMachineMemoryStatus): object {
  if (status.planning === undefined) return status;
  const { observedAt: _, guest: __, namespaceRoom: _____, backings, slots, ...planning } = status.planning;
  const { resting: ___, ...kept } = slots;
  const bare = backings.map(({ room: ____, ...backing }) => backing);
  return { ...status, planning: { ...planning, slots: kept, backings: bare } };
}
