/** What an admin should know of one VM before the agent serves it. Pure. */
import { describeHiddenMemory, isCertain } from '../repair/suspicion.ts';
import { type DomainFacts, modulesOf } from '../domain/facts.ts';
import { balloonDeviceOf } from '../domain/observed-guest.ts';
import { statisticsFreshMs } from '../../host/rules/boot.ts';
import {
  computeGrowth,
  explainBound,
  explainFull,
  explainGuestAgent,
  explainSilence,
  explainSlots,
  explainTotal,
  givesNothingBack,
  judgeShrinking,
  type Room,
} from '../../host/rules/readiness.ts';
import { judgeTotal, mostKept } from '../../host/rules/guest-total.ts';
import { countedAs } from '../../host/rules/total.ts';
import { computeHugepagesFree, type HostCapacity } from '../../host/rules/capacity.ts';
import { backingsOf } from '../../memory/backing.ts';
import { type Bytes, bytes, mib, sumBytes, zeroBytes } from '../../memory/bytes.ts';
import { defaultGranularity } from '../../memory/granularity.ts';
import { describeObstacle } from '../../memory/hotplug-obstacle.ts';
import { slotsOfDevices } from '../../memory/memory-devices.ts';
import { formatMeasured, formatQuantity } from '../../memory/quantity.ts';
import type { DomainReport, Finding, Severity } from './report.ts';

type Said = { readonly verdict: Severity; readonly message: string };

const problem = (message: string): Said => ({ verdict: 'problem', message });
const warning = (message: string): Said => ({ verdict: 'warning', message });
const note = (message: string): Said => ({ verdict: 'ok', message });

const sumOf = (parts: readonly { readonly size: Bytes }[]): Bytes => sumBytes(parts.map((part) => part.size));

/** Slots held by modules, by other devices and by modules that left a moment ago. */
function usedSlots({ memory, marks }: DomainFacts): number {
  const others = slotsOfDevices(memory.others);
  const held = [...memory.modules.map(({ slot }) => slot), ...others.numbered];
  const resting = marks.filter((mark) => mark.phase === 'resting').map((mark) => mark.slot);
  return new Set([...held, ...resting].filter((slot) => slot !== null)).size + others.unnumbered;
}

/** What stands in the way of plugging, for good or for now. */
function judgeGrowing(facts: DomainFacts, nowMs: number): readonly Said[] {
  const { memory, run } = facts;
  if (memory.hotplugObstacle !== null || memory.maxMemory === null) {
    return [problem(describeObstacle(memory.hotplugObstacle ?? 'NoMaxMemory', memory))];
  }
  const hidden = run?.repair.hidden ?? null;
  if (hidden !== null && isCertain(hidden, nowMs)) return [problem(describeHiddenMemory(hidden))];
  const room = roomOf(facts, memory.maxMemory.size, memory.maxMemory.slots);
  return [explainSlots(room), explainFull(room), explainBound(room)].flatMap((said) =>
    said === null ? [] : [warning(said)],
  );
}

const roomOf = (facts: DomainFacts, max: Bytes, slots: number): Room => ({
  boot: sumOf(facts.memory.boot),
  present: countedAs(facts.memory, 'maximum'),
  max,
  slots: { total: slots, used: usedSlots(facts) },
});

/** How far its size can be changed; null: not at all. */
function judgeReach(facts: DomainFacts, nowMs: number): DomainReport['reach'] {
  const { memory, statistics, run } = facts;
  if (memory.hotplugObstacle !== null || memory.maxMemory === null) return null;
  const modules = modulesOf(memory);
  return {
    ...computeGrowth(roomOf(facts, memory.maxMemory.size, memory.maxMemory.slots), stepOf(facts)),
    shrinks: judgeShrinking({
      system: memory.guestSystem,
      modules: memory.modules.length,
      refused: modules.filter(({ alias }) => (run?.refusedAtMs(alias ?? '') ?? null) !== null).length,
      reports: isReporting(statistics?.lastUpdateMs ?? null, nowMs),
    }),
  };
}

const blockOf = ({ memory }: DomainFacts): Bytes => defaultGranularity(memory.arch, sumOf(memory.boot));

/** What new modules are a multiple of: the guest's block, and its huge pages. Both are powers of two. */
function stepOf(facts: DomainFacts): Bytes {
  const pages = backingsOf(facts.memory, facts.defaultHugePageSize).map(({ pageSize }) => pageSize ?? 0);
  return bytes(Math.max(blockOf(facts), Math.min(...pages)));
}

/** Whether shrinking can go by the guest's own word. */
function judgeStatistics({ memory, statistics, run, state }: DomainFacts, nowMs: number): readonly Said[] {
  const device = balloonDeviceOf(memory);
  if (device === 'None') return [warning(explainSilence(device))];
  if (run === null || state !== 'Running') return [];
  if (device === 'StatisticsOff') return [note(explainSilence(device))];
  return isReporting(statistics?.lastUpdateMs ?? null, nowMs) ? [] : [warning(explainSilence(device))];
}

/** What the guest has left offline, and that some never give anything back. */
function judgeModules(facts: DomainFacts, nowMs: number): readonly Said[] {
  const { memory, statistics, run } = facts;
  const [boot, modules] = [sumOf(memory.boot), sumOf(memory.modules)];
  const { available = null, lastUpdateMs = null } = statistics ?? {};
  const said: Said[] = [];
  if (available !== null && isReporting(lastUpdateMs, nowMs) && memory.currentMemory >= boot + modules) {
    const given = { boot, modules, others: memory.otherTotal, block: blockOf(facts) };
    const shortfall = judgeTotal({ ...given, total: available, withoutModules: null });
    if (shortfall.kind === 'certain') {
      said.push(warning(explainTotal(available, shortfall.missing, mostKept(boot, modules))));
    }
  }
  const agent = explainGuestAgent(run?.guestAgent?.word);
  if (agent !== '') said.push(warning(agent));
  if (memory.guestSystem === 'Windows') said.push(note(givesNothingBack));
  return said;
}

const isReporting = (lastUpdateMs: number | null, nowMs: number): boolean =>
  lastUpdateMs !== null && nowMs - lastUpdateMs <= statisticsFreshMs;

function judgeHugePages(facts: DomainFacts, host: HostCapacity): readonly Said[] {
  const { memory, defaultHugePageSize } = facts;
  if (memory.backing.hugePages.length === 0) return [];
  if (defaultHugePageSize === null) return [warning('it is to use huge pages, and the host has none')];
  const sizes = new Set(backingsOf(memory, defaultHugePageSize).flatMap(({ pageSize }) => pageSize ?? []));
  return [...sizes].map((pageSize) => {
    // What the cluster's admin reserves the agent isn't told.
    const free = computeHugepagesFree(host, { memoryReserve: zeroBytes, memoryOvercommit: 1 }, pageSize) / pageSize;
    const pool = `huge pages of ${formatQuantity(pageSize)}`;
    // The smallest module is a block of 128 MiB (docs/planner.md).
    return free * pageSize < mib(128)
      ? warning(`it uses ${pool}, of which ${free} can be had: nothing can be plugged before the host has more`)
      : note(`it uses ${pool}, of which ${free} can be had`);
  });
}

function tellOperations({ claim, marks, ownerNamespace, migrating }: DomainFacts, nowMs: number): readonly Said[] {
  const said: Said[] = [];
  if (claim !== null) {
    const { clusterId, objectUid, namespace, generation } = claim;
    said.push(
      note(
        `it is claimed by VirtualMachineMemory ${objectUid} in namespace ${namespace} of cluster ${clusterId}, generation ${generation}`,
      ),
    );
  }
  if (ownerNamespace !== null) {
    const isOther = claim !== null && claim.namespace !== ownerNamespace;
    const reserved = `it is reserved for namespace ${ownerNamespace}`;
    said.push(note(isOther ? `${reserved}, which takes the claim over with its next change` : reserved));
  }
  for (const { slot, firstAskedAtMs, attempts } of marks.filter((mark) => mark.phase === 'leaving')) {
    const minutes = Math.max(0, Math.round((nowMs - firstAskedAtMs) / 60_000));
    said.push(note(`its module in slot ${slot} was asked to leave ${minutes} min ago (asked ${attempts} times)`));
  }
  if (migrating) said.push(note('it is migrating'));
  return said;
}

/** Everything there is to say about a VM. `host`: its memory and huge pages. */
export function judgeDomain(facts: DomainFacts, host: HostCapacity, nowMs: number): DomainReport {
  const { memory, state, run } = facts;
  const growing = judgeGrowing(facts, nowMs);
  const said = [
    ...growing,
    ...judgeStatistics(facts, nowMs),
    ...judgeModules(facts, nowMs),
    ...judgeHugePages(facts, host),
    ...tellOperations(facts, nowMs),
  ];
  return {
    uuid: memory.uuid,
    name: memory.name,
    state,
    boot: sumOf(memory.boot),
    plugged: sumOf(memory.modules),
    max: memory.maxMemory?.size ?? null,
    slots: memory.maxMemory === null ? null : { total: memory.maxMemory.slots, used: usedSlots(facts) },
    reach: judgeReach(facts, nowMs),
    canGrow: growing.every(({ verdict }) => verdict !== 'problem'),
    reportsMemory: run === null ? null : isReporting(facts.statistics?.lastUpdateMs ?? null, nowMs),
    findings: said.map((one): Finding => ({ ...one, subject: memory.name })),
  };
}

/** A VM that the agent can't serve, whatever it is asked. */
export function unusableDomain(uuid: string, name: string, message: string): DomainReport {
  return {
    ...{ uuid, name, state: 'Unknown', boot: null, plugged: null, max: null, slots: null },
    reach: null,
    canGrow: false,
    reportsMemory: null,
    findings: [{ verdict: 'problem', subject: name, message }],
  };
}

/** Total, available and promised memory of the host, in one sentence. */
export function describeHostMemory(
  memory: { readonly total: Bytes; readonly available: Bytes; readonly committed: Bytes },
  running: number,
): string {
  const { total, available, committed } = memory;
  return (
    `${formatMeasured(total)} in all, ${formatMeasured(available)} available, ` +
    `${formatMeasured(committed)} promised to ${running} running VMs`
  );
}
