/**
 * The planner's request from a domain's XML, running or defined, as `virsh dumpxml` prints it, as libvirt keeps it
 * (/run/libvirt/qemu/*.xml) or as a snapshot has it.
 */
import { qemuOverhead } from '../host/rules/capacity.ts';
import type { DomainMemoryXml } from '../libvirt/xml/domain-memory.ts';
import { readDomainDocument } from '../libvirt/xml/domain.ts';
import { backingsOf, regionsLeft } from '../memory/backing.ts';
import { type Bytes, mib, sumBytes } from '../memory/bytes.ts';
import { describeObstacle } from '../memory/hotplug-obstacle.ts';
import { slotsOfDevices, sumOfDevices } from '../memory/memory-devices.ts';
import { isSameModule } from '../memory/module.ts';
import { defaultGranularity } from '../memory/granularity.ts';
import type { PlannerModule, PlannerObservation, PlannerPolicy, PlanRequest } from '../planner/types.ts';
import { alignAtStart } from './align-at-start.ts';
import type { PreviewInput } from './from-numbers.ts';
import { fail, type Result, succeed } from '../memory/result.ts';

/** What a domain doesn't say of itself. */
export type DomainWish = Pick<PreviewInput, 'memory' | 'granularity' | 'hostFree'> &
  Pick<PlannerPolicy, 'shrink' | 'grow' | 'rounding'>;

export type DomainRequest = {
  readonly request: PlanRequest;
  /** Why nothing can be plugged, ever; null: modules can be plugged. */
  readonly hotplugProblem: string | null;
};

/** Makes a request of a domain's XML and of what is wished. */
export function requestFromDomain(xml: string, wish: DomainWish): Result<DomainRequest, string> {
  const read = readDomainDocument(xml);
  if (!read.ok) return fail(`${read.error.path} ${read.error.problem}`);
  const { hotplugObstacle } = read.value;
  return succeed({
    request: buildDomainRequest(alignAtStart(read.value), wish),
    hotplugProblem: hotplugObstacle === null ? null : describeObstacle(hotplugObstacle, read.value),
  });
}

/** Where the domain leaves the size of huge pages to the host, the 2 MiB of x86-64. */
const usualHugePage = mib(2);

function buildDomainRequest(domain: DomainMemoryXml, wish: DomainWish): PlanRequest {
  const { memory, granularity, hostFree, shrink, grow, rounding = 'Exact' } = wish;
  const boot = sumBytes(domain.boot.map(({ size }) => size));
  const others = slotsOfDevices(domain.others);
  const { hardLimit } = domain;
  const backings = backingsOf(domain, usualHugePage).map((own) => ({ ...own, hostFree, hugepagesFree: null }));
  const observation: PlannerObservation = {
    boot: domain.boot,
    modules: modulesOf(domain, boot),
    slots: {
      total: domain.maxMemory?.slots ?? 0,
      usedByOthers: others.numbered,
      resting: [],
      unnumbered: others.unnumbered,
    },
    otherBytes: sumOfDevices(domain.others, 'maximum'),
    otherTotal: domain.otherTotal,
    maxMemory: domain.hotplugObstacle === null && domain.maxMemory !== null ? domain.maxMemory.size : 'unsupported',
    booting: false,
    cordoned: false,
    granularity: granularity ?? defaultGranularity(domain.arch === '' ? 'x86_64' : domain.arch, boot),
    pageSize: backings[0]?.pageSize ?? null,
    hostFree,
    hugepagesFree: null,
    backings,
    hardLimit:
      hardLimit === null ? null : { size: hardLimit, overhead: qemuOverhead(hardLimit), pinned: domain.backing.pins },
    sharedWith: regionsLeft(domain),
    guest: null,
  };
  // What the guest uses can't be known here: go ahead and say so.
  return { desired: memory, observation, policy: { shrink, grow, rounding, guestSafety: 'BestEffort' } };
}

/** Modules of a definition that isn't running have no slot or address yet: they get the lowest free ones. */
function modulesOf(domain: DomainMemoryXml, boot: Bytes): PlannerModule[] {
  const marks = domain.state.ok ? domain.state.value.marks : [];
  const taken = new Set([...domain.modules, ...domain.others].flatMap(({ slot }) => slot ?? []));
  let nextSlot = 0;
  const lowestSlot = (): number => {
    while (taken.has(nextSlot)) nextSlot++;
    return nextSlot++;
  };
  let address: number = boot;
  return domain.modules.map((module): PlannerModule => {
    const identity = { slot: module.slot ?? lowestSlot(), base: module.base ?? (address as Bytes) };
    address += module.size;
    const isLeaving = marks.some((mark) => mark.phase === 'leaving' && isSameModule(mark, identity));
    return {
      ...identity,
      alias: module.alias ?? '',
      node: module.node,
      size: module.size,
      state: isLeaving ? 'Leaving' : 'Plugged',
      refusals: 0,
      quarantined: false,
      retryAfter: null,
    };
  });
}
