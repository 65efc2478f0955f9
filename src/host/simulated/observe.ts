/** How an observation of the port is read from the simulated host's own picture. */
import { regionsLeft } from '../../memory/backing.ts';
import { bytes } from '../../memory/bytes.ts';
import { regionKey } from '../rules/addresses.ts';
import { isActiveState, isBooting, unchangedSince } from '../rules/boot.ts';
import type { DomainObservation, MemoryLayout, ObservedModule } from '../port.ts';
import { computeRevision } from '../rules/revision.ts';
import { leavingMark, toObservedMark } from '../rules/marks.ts';
import { guestStatistics } from './guest.ts';
import { observeStored } from './stored.ts';
import { regionOf, settledMarks, type SimulatedDomain, simulatedTotal } from './model.ts';

function observeLayout(domain: SimulatedDomain, nowMs: number): MemoryLayout {
  const marks = settledMarks(domain, nowMs);
  const modules = domain.modules.map((module): ObservedModule => {
    const mark = leavingMark(marks, module);
    const { slot, base, size, node, alias, refusedAtMs } = module;
    return {
      slot,
      base,
      size,
      node,
      alias,
      refusedAtMs,
      state: mark ? 'Leaving' : 'Plugged',
      mark: toObservedMark(mark),
    };
  });
  return {
    boot: domain.boot,
    modules,
    slots: {
      total: domain.slots,
      usedByOthers: domain.slotsUsedByOthers,
      resting: marks.filter((mark) => mark.phase === 'resting').map((mark) => mark.slot),
      unnumbered: 0,
    },
    otherBytes: domain.otherBytes,
    otherTotal: domain.otherTotal,
    maxMemory: domain.maxMemory,
    hotplugProblem: hotplugProblemOf(domain),
    hidden: domain.hidden,
    balloon: bytes(simulatedTotal(domain) - domain.inflated),
    pageSize: domain.pageSize,
    backings: domain.backings,
    hardLimit: domain.hardLimit,
    pinned: domain.pinned,
    sharedWith: regionsLeft({ ...domain, backing: { sharedWith: domain.sharedWith?.backend ?? null } }),
    balloonDevice: domain.balloonDevice,
    ...(domain.guestSystem === null ? {} : { guestSystem: domain.guestSystem }),
    granularity: domain.granularity,
    architecture: domain.architecture,
  };
}

function hotplugProblemOf(domain: SimulatedDomain): string | null {
  if (domain.maxMemory === null) return 'The domain has no <maxMemory>; add one and restart the VM';
  const { misplaced, hotplugProblem } = domain;
  if (hotplugProblem !== null) return hotplugProblem;
  return misplaced?.region === regionKey(regionOf(domain)) ? misplaced.problem : null;
}

/** An agent doesn't know of a boot before it looked. */
function changedSince({ bootedAtMs, firstSeenAtMs, modulesChangedAtMs }: SimulatedDomain): number {
  const heardAtMs = bootedAtMs > firstSeenAtMs ? bootedAtMs : null;
  return unchangedSince({ bootedAtMs: heardAtMs, firstSeenAtMs }, modulesChangedAtMs);
}

/** What the port says of the domain at `nowMs`. */
export function observeSimulatedDomain(domain: SimulatedDomain, hostId: string, nowMs: number): DomainObservation {
  const active = isActiveState(domain.state);
  const runtimeId = active ? `${hostId}/${domain.run}` : null;
  const { state, bootedAtMs } = domain;
  const guest = active ? guestStatistics(domain, nowMs) : null;
  const evidence = { state, bootedAtMs, firstSeenAtMs: bootedAtMs, reportedAtMs: guest?.reportedAtMs ?? null };
  return {
    uuid: domain.uuid,
    name: domain.name,
    state,
    runtimeId,
    migrating: domain.migrating,
    layout: active ? observeLayout(domain, nowMs) : null,
    guest,
    unchangedSinceMs: active && domain.saysSince ? changedSince(domain) : null,
    ...(active && domain.saysStored ? { stored: observeStored(domain) } : {}),
    ...(domain.guestAgent === null ? {} : { guestAgent: domain.guestAgent }),
    booting: active && isBooting(evidence, nowMs),
    claim: domain.operations.claim,
    replacement: domain.operations.replacement,
    ownerNamespace: domain.ownerNamespace,
    revision: computeRevision({ runtimeId, modules: domain.modules, marks: settledMarks(domain, nowMs) }),
    observedAtMs: nowMs,
  };
}
