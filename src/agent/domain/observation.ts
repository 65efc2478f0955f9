/** From what the driver says of a domain to what the host port says. Pure. */
import { isBooting } from '../../host/rules/boot.ts';
import type { DomainObservation, MemoryLayout, ObservedModule } from '../../host/port.ts';
import { leavingMark, settleMarks, toObservedMark } from '../../host/rules/marks.ts';
import { computeRevision } from '../../host/rules/revision.ts';
import { backingsOf, regionsLeft } from '../../memory/backing.ts';
import { sumBytes } from '../../memory/bytes.ts';
import { describeObstacle } from '../../memory/hotplug-obstacle.ts';
import { slotsOfDevices, sumOfDevices } from '../../memory/memory-devices.ts';
import type { Mark } from '../../memory/operation-state.ts';
import type { Clock } from '../../runtime/clock.ts';
import { describeRepair, isOverdue } from '../repair/findings.ts';
import { describeHiddenMemory, isCertain, isInTheWay } from '../repair/suspicion.ts';
import type { DomainDescription } from './description.ts';
import type { RunningDomain } from './running-domain.ts';
import { type DomainFacts, isAddressed, modulesOf, regionOf } from './facts.ts';
import { balloonDeviceOf, guestAgentWord, toGuest } from './observed-guest.ts';
import { tellStored } from './observed-stored.ts';

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
