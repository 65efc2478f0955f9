/** From what the driver says of a domain to what the host port says. Pure. */
import type { Region } from '../../host/rules/addresses.ts';
import { correctReport, isCorrected, isSettled } from '../../host/rules/report-correction.ts';
import { isBooting, isFreshReport, isReportOfThisBoot } from '../../host/rules/boot.ts';
import type {
  DomainObservation,
  DomainState,
  GuestStatistics,
  MemoryLayout,
  ObservedModule,
  StoredMemory,
} from '../../host/port.ts';
import { leavingMark, settleMarks, toObservedMark } from '../../host/rules/marks.ts';
import type { UptakeState } from '../../host/rules/uptake.ts';
import { computeRevision } from '../../host/rules/revision.ts';
import { backingsOf, regionsLeft } from '../../memory/backing.ts';
import { type Bytes, sumBytes, zeroBytes } from '../../memory/bytes.ts';
import {
  compareStored,
  type Comparison,
  toStoredMemory,
  transientMemory,
  unreadableMemory,
  type RunningDefinition,
} from '../../host/rules/stored.ts';
import type { BalloonDevice } from '../../memory/guest-facts.ts';
import { describeObstacle } from '../../memory/hotplug-obstacle.ts';
import { defaultGranularity } from '../../memory/granularity.ts';
import type { ModuleIdentity } from '../../memory/module.ts';
import { slotsOfDevices, sumOfDevices } from '../../memory/memory-devices.ts';
import type { Mark } from '../../memory/operation-state.ts';
import type { Clock } from '../../runtime/clock.ts';
import { describeRepair, isOverdue } from '../repair/findings.ts';
import { describeHiddenMemory, isCertain, isInTheWay } from '../repair/suspicion.ts';
import type { DomainDescription, KeptState, KnownStored } from './description.ts';
import type { HeardReport, RunningDomain } from './running-domain.ts';

function describeHotplugProblem(
  memory: DomainDescription,
  { repair, plugs }: RunningDomain,
  nowMs: number,
): string | null {
  if (memory.hotplugObstacle !== null) return describeObstacle(memory.hotplugObstacle, memory);
  const placeProblem = plugs.placeProblem(regionOf(memory));
  if (placeProblem !== null) return placeProblem;
  // A repair takes a second, nearly always: who wants to change something meanwhile is told that the VM is busy.
  if (repair.underWay !== null) return isOverdue(repair.underWay, nowMs) ? describeRepair(repair.underWay) : null;
  // Nor is anything said while nobody has looked into QEMU yet.
  const isJudged = repair.hidden?.diagnosis !== undefined && isInTheWay(repair.hidden);
  return repair.hidden !== null && isJudged ? describeHiddenMemory(repair.hidden) : null;
}

/** Memory that QEMU has and libvirt doesn't show, once it can't be a plug under way. */
function describeHidden({ repair }: RunningDomain, nowMs: number): MemoryLayout['hidden'] {
  const { underWay, hidden } = repair;
  if (underWay !== null) {
    const size = sumBytes(underWay.findings.orphans.map((orphan) => orphan.size));
    return size === 0 ? null : { size, leaves: true, why: describeRepair(underWay) };
  }
  if (hidden === null || !isInTheWay(hidden)) return null;
  const isDiagnosed = hidden.diagnosis !== undefined;
  if (!isDiagnosed && !isCertain(hidden, nowMs)) return null;
  return { size: hidden.size, leaves: !isDiagnosed, why: describeHiddenMemory(hidden) };
}

/** Everything that was gathered about one domain. Its operation state is as the metadata says, marks not settled yet. */
export type DomainFacts = KeptState & {
  readonly memory: DomainDescription;
  readonly state: DomainState;
  /** null: the domain isn't running. */
  readonly run: RunningDomain | null;
  readonly statistics: HeardReport | null;
  readonly migrating: boolean;
  readonly ownerNamespace: string | null;
  /** The host's default huge page size; null: it has none. */
  readonly defaultHugePageSize: Bytes | null;
  /** The newest event before this was gathered; null: not known. */
  readonly asOfEvent: string | null;
};

/** The guest's report, as far as the balloon gave all of it, without what has left since. */
export function toGuestStatistics(
  statistics: HeardReport | null,
  run: Pick<RunningDomain, 'boot' | 'departures'>,
  nowMs: number,
): GuestStatistics | null {
  if (statistics === null) return null;
  const { available, usable, unused, lastUpdateMs, answersAtMs } = statistics;
  if (available === null || usable === null || unused === null || lastUpdateMs === null) return null;
  const said = { total: available, usable, free: unused, reportedAtMs: lastUpdateMs, answersAtMs };
  const { total, usable: spare, free } = correctReport(said, run.departures);
  const evidence = { ...run.boot, reportedAtMs: lastUpdateMs };
  return {
    ...{ total, usable: spare, free, reportedAtMs: lastUpdateMs },
    fresh: isFreshReport(evidence, nowMs),
    ofThisBoot: isReportOfThisBoot(evidence),
    takenOfModules: null,
    totalWithoutModules: null,
  };
}

const isAddressed = <T extends { readonly slot: number | null; readonly base: Bytes | null }>(
  device: T,
): device is T & ModuleIdentity => device.slot !== null && device.base !== null;

/** Identities and sizes of the plugged modules of a running domain. */
export const modulesOf = (memory: DomainDescription) => memory.modules.filter(isAddressed);

/** All memory of the domain that the host may have to provide. */
export const committedBytes = (memory: DomainDescription): Bytes =>
  sumBytes([...[...memory.boot, ...memory.modules].map((part) => part.size), sumOfDevices(memory.others, 'promised')]);

/** What decides where a module is plugged. */
export const regionOf = ({ arch, boot, modules, others }: DomainDescription): Region => ({
  architecture: arch,
  bootMemory: sumBytes(boot.map(({ size }) => size)),
  devices: [
    ...modules.map(({ alias, base, size }) => ({ name: alias ?? 'dimm', base, size })),
    ...others.filter(({ model }) => model !== 'sgx-epc').map(({ model, base, size }) => ({ name: model, base, size })),
  ],
});

/** What is known of the guest's modules, by what the balloon says. */
export function uptakeState({ memory, statistics }: DomainFacts, run: RunningDomain, nowMs: number): UptakeState {
  const { lastUpdateMs, available, balloon, answersAtMs } = statistics ?? {};
  const plugged = sumBytes([...memory.boot, ...memory.modules].map(({ size }) => size));
  const hasReport = typeof lastUpdateMs === 'number' && typeof available === 'number';
  const report = hasReport ? { reportedAtMs: lastUpdateMs, answersAtMs: answersAtMs ?? null } : null;
  return {
    boot: `${run.boot.firstSeenAtMs}/${run.boot.bootedAtMs}`,
    modules: modulesOf(memory),
    bootSize: sumBytes(memory.boot.map(({ size }) => size)),
    // An NVDIMM is in no total; of virtio-mem and what is not known nobody can tell how much is.
    isPlain: balloon === plugged && memory.others.every(({ model }) => model === 'nvdimm'),
    report: report && {
      ...report,
      total: available ?? zeroBytes,
      fresh: isFreshReport({ ...run.boot, ...report }, nowMs),
      isCorrected: isCorrected(report, run.departures),
      isSettled: isSettled(report, run.departures),
    },
  };
}

/** What the guest could report by. */
export const balloonDeviceOf = ({ balloon }: Pick<DomainDescription, 'balloon'>): BalloonDevice =>
  balloon === null ? 'None' : balloon.statsPeriodSeconds === 0 ? 'StatisticsOff' : 'StatisticsOn';

function toLayout(facts: DomainFacts, run: RunningDomain, marks: readonly Mark[], nowMs: number): MemoryLayout {
  const { memory } = facts;
  const others = slotsOfDevices(memory.others);
  const backings = backingsOf(memory, facts.defaultHugePageSize);
  const modules = modulesOf(memory).map((module): ObservedModule => {
    const mark = leavingMark(marks, module);
    const { slot, base, size, node } = module;
    const alias = module.alias ?? '';
    const state = mark === undefined ? 'Plugged' : 'Leaving';
    return {
      slot,
      base,
      size,
      node,
      alias,
      state,
      mark: toObservedMark(mark),
      refusedAtMs: run.refusedAtMs(alias),
    };
  });
  return {
    boot: memory.boot,
    modules: modules.toSorted((a, b) => a.slot - b.slot),
    slots: {
      total: memory.maxMemory?.slots ?? 0,
      // A module that is being attached has a slot and no base yet: none that could be unplugged.
      usedByOthers: [
        ...others.numbered.map((slot) => ({ slot })),
        ...memory.modules.filter((module) => !isAddressed(module)),
        ...(run.repair.underWay?.findings.orphans ?? []),
        ...run.plugs.unseenSlots.map((slot) => ({ slot })),
      ].flatMap(({ slot }) => (slot === null ? [] : [slot])),
      resting: marks.filter((mark) => mark.phase === 'resting').map((mark) => mark.slot),
      unnumbered: others.unnumbered,
    },
    otherBytes: sumOfDevices(memory.others, 'maximum'),
    otherTotal: memory.otherTotal,
    maxMemory: memory.maxMemory?.size ?? null,
    hotplugProblem: describeHotplugProblem(memory, run, nowMs),
    hidden: describeHidden(run, nowMs),
    balloon: memory.currentMemory,
    pageSize: backings[0]?.pageSize ?? null,
    backings,
    hardLimit: memory.hardLimit,
    pinned: memory.backing.pins,
    sharedWith: regionsLeft(memory),
    balloonDevice: balloonDeviceOf(memory),
    ...(memory.guestSystem === undefined ? {} : { guestSystem: memory.guestSystem }),
    granularity: null,
    architecture: memory.arch,
  };
}

/** The marks that hold now. */
export const settledMarks = (facts: DomainFacts, nowMs: number): readonly Mark[] =>
  facts.run === null ? [] : settleMarks(facts.marks, modulesOf(facts.memory), facts.run.markEvidence, nowMs);

function toGuest(facts: DomainFacts, run: RunningDomain, nowMs: number): GuestStatistics | null {
  const guest = toGuestStatistics(facts.statistics, run, nowMs);
  const { arch, boot } = facts.memory;
  const block = defaultGranularity(arch, sumBytes(boot.map(({ size }) => size)));
  const state = uptakeState(facts, run, nowMs);
  return (
    guest && {
      ...guest,
      takenOfModules: run.plugs.taken(state, block),
      totalWithoutModules: run.plugs.totalWithoutModules(state),
    }
  );
}

const definitionOf = (memory: DomainDescription) => ({
  ...memory,
  hotplugProblem: memory.hotplugObstacle === null ? null : describeObstacle(memory.hotplugObstacle, memory),
});

/** A running domain as its stored definition is compared with it. */
const runningDefinitionOf = (memory: DomainDescription): RunningDefinition => ({
  ...definitionOf(memory),
  modules: modulesOf(memory),
});

/** What is to be written to a stored definition, and what is in the way. */
export const compareWithStored = (memory: DomainDescription, stored: DomainDescription): Comparison =>
  compareStored(runningDefinitionOf(memory), definitionOf(stored));

/** What the port says of a stored definition. */
export function tellStored(memory: DomainDescription, stored: KnownStored): StoredMemory {
  if (stored === 'unread') return unreadableMemory('the hypervisor did not say what it is');
  if (stored === null) return transientMemory(memory.name);
  if (!stored.ok) return unreadableMemory(`${stored.error.path}: ${stored.error.problem}`);
  return toStoredMemory(runningDefinitionOf(memory), definitionOf(stored.value));
}

/** What the guest's agent said of what is there now. */
function guestAgentWord(run: RunningDomain | null): Pick<DomainObservation, 'guestAgent'> {
  const heard = run?.guestAgent ?? null;
  if (run === null || heard === null || heard.askedAtMs < run.unchangedSinceMs) return {};
  return { guestAgent: heard.word };
}

/** What the port says of the domain at `nowMs`. */
export function toObservation(facts: DomainFacts, nowMs: number): DomainObservation {
  const { memory, run, state } = facts;
  const marks = settledMarks(facts, nowMs);
  const guest = run === null ? null : toGuest(facts, run, nowMs);
  const reportedAtMs = guest?.reportedAtMs ?? null;
  return {
    uuid: memory.uuid,
    name: memory.name,
    state,
    runtimeId: run?.runtimeId ?? null,
    migrating: facts.migrating,
    layout: run === null ? null : toLayout(facts, run, marks, nowMs),
    guest,
    ...guestAgentWord(run),
    unchangedSinceMs: run?.unchangedSinceMs ?? null,
    ...(run?.stored === undefined ? {} : { stored: tellStored(memory, run.stored) }),
    booting: run !== null && isBooting({ ...run.boot, state, reportedAtMs }, nowMs),
    claim: facts.claim,
    replacement: facts.replacement,
    ownerNamespace: facts.ownerNamespace,
    revision: computeRevision({
      runtimeId: run?.runtimeId ?? null,
      modules: run === null ? [] : modulesOf(memory),
      marks,
    }),
    observedAtMs: nowMs,
    ...(facts.asOfEvent === null ? {} : { asOfEvent: facts.asOfEvent }),
  };
}

/** The same for somebody who is told: what the guest reports after this is news to them. */
export function tellObservation(facts: DomainFacts, clock: Pick<Clock, 'now'>): DomainObservation {
  const observation = toObservation(facts, clock.now());
  facts.run?.wasObserved(observation.guest, observation.observedAtMs);
  return observation;
}
