/** The planner's request from a domain's XML, running or defined, as `virsh dumpxml` prints it. */
import type { DomainMemoryXml, HotplugObstacle } from '../libvirt/xml/domain-memory.ts';
import { readDomainMemory } from '../libvirt/xml/domain.ts';
import { type Bytes, mib, sumBytes } from '../memory/bytes.ts';
import { isSameModule } from '../memory/module.ts';
import { defaultGranularity } from '../planner/granularity.ts';
import type { PlannerModule, PlannerObservation, PlannerPolicy, PlanRequest } from '../planner/types.ts';
import type { PreviewInput } from './from-numbers.ts';

/** What a domain doesn't say of itself. */
export type DomainWish = Pick<PreviewInput, 'memory' | 'granularity' | 'hostFree'> &
  Pick<PlannerPolicy, 'shrink' | 'grow'>;

export type DomainRequest =
  | {
      readonly ok: true;
      readonly request: PlanRequest;
      /** Why nothing can be plugged, ever; null: modules can be plugged. */
      readonly hotplugProblem: string | null;
    }
  | { readonly ok: false; readonly problem: string };

/** Makes a request of a domain's XML and of what is wished. */
export function requestFromDomain(xml: string, wish: DomainWish): DomainRequest {
  const read = readDomainMemory(xml);
  if (!read.ok) return { ok: false, problem: `${read.error.path} ${read.error.problem}` };
  const { hotplugObstacle } = read.value;
  return {
    ok: true,
    request: buildDomainRequest(read.value, wish),
    hotplugProblem: hotplugObstacle === null ? null : describeObstacle(hotplugObstacle),
  };
}

function describeObstacle(obstacle: HotplugObstacle): string {
  switch (obstacle) {
    case 'NoMaxMemory':
      return 'the domain has no <maxMemory slots="...">, so no module can be plugged: shut it down and add one';
    case 'NoNumaNodes':
      return 'the domain has no NUMA cell under <cpu>, so no module can be plugged: shut it down and add one';
    case 'NoAcpi':
      return 'the domain has no <acpi/> under <features>, so its guest would not learn of modules: shut it down and add it';
    default:
      return obstacle satisfies never;
  }
}

function buildDomainRequest(domain: DomainMemoryXml, wish: DomainWish): PlanRequest {
  const { memory, granularity, hostFree, shrink, grow } = wish;
  const boot = sumBytes(domain.boot.map(({ size }) => size));
  const observation: PlannerObservation = {
    boot: domain.boot,
    modules: modulesOf(domain, boot),
    slots: {
      total: domain.maxMemory?.slots ?? 0,
      usedByOthers: domain.others.flatMap(({ slot }) => slot ?? []),
      resting: [],
    },
    otherBytes: sumBytes(domain.others.map(({ size }) => size)),
    maxMemory: domain.hotplugObstacle === null && domain.maxMemory !== null ? domain.maxMemory.size : 'unsupported',
    booting: false,
    cordoned: false,
    granularity: granularity ?? defaultGranularity(domain.arch === '' ? 'x86_64' : domain.arch, boot),
    pageSize: pageSizeOf(domain),
    hostFree,
    hugepagesFree: null,
    guest: null,
  };
  // What the guest uses can't be known here: go ahead and say so.
  return { desired: memory, observation, policy: { shrink, grow, guestSafety: 'BestEffort' } };
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

/** Huge pages of the domain; where it leaves their size to the host, the 2 MiB of x86-64. */
function pageSizeOf({ hugePages }: DomainMemoryXml): Bytes | null {
  const [pages] = hugePages.toSorted((a, b) => Number(a.nodes !== null) - Number(b.nodes !== null));
  return pages === undefined ? null : (pages.pageSize ?? mib(2));
}
