/** The planner's request from a domain's XML, running or defined, as `virsh dumpxml` prints it. */
import { readFile } from 'node:fs/promises';
import type { DomainMemoryXml, HotplugObstacle } from '../../libvirt/domain-memory.ts';
import { readDomainMemory } from '../../libvirt/domain-xml.ts';
import { type Bytes, mib, sumBytes } from '../../memory/bytes.ts';
import { isSameModule } from '../../memory/module.ts';
import { defaultGranularity } from '../../planner/granularity.ts';
import type { PlannerModule, PlannerObservation, PlanRequest } from '../../planner/types.ts';
import type { CommonArguments, DomainArguments } from './plan-arguments.ts';
import { type PlanIo, readAll } from './plan-io.ts';

export type DomainRequest =
  | {
      readonly ok: true;
      readonly request: PlanRequest;
      /** Why nothing can be plugged, ever; null: modules can be plugged. */
      readonly hotplugProblem: string | null;
    }
  | { readonly ok: false; readonly problem: string };

/** Reads the file (`-`: stdin) and makes a request of it. */
export async function requestFromDomain(
  { file, common }: DomainArguments,
  stdin: PlanIo['stdin'],
): Promise<DomainRequest> {
  let xml: string;
  try {
    xml = file === '-' ? await readAll(stdin) : await readFile(file, 'utf8');
  } catch (error) {
    return { ok: false, problem: `can't read ${file} (${error instanceof Error ? codeOf(error) : String(error)})` };
  }
  const read = readDomainMemory(xml);
  if (!read.ok) return { ok: false, problem: `${file}: ${read.error.path} ${read.error.problem}` };
  const { hotplugObstacle } = read.value;
  return {
    ok: true,
    request: buildDomainRequest(read.value, common),
    hotplugProblem: hotplugObstacle === null ? null : describeObstacle(hotplugObstacle),
  };
}

const codeOf = (error: NodeJS.ErrnoException): string => error.code ?? error.message;

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

/** The request for a domain, exported for tests. */
function buildDomainRequest(domain: DomainMemoryXml, common: CommonArguments): PlanRequest {
  const { memory, granularity, hostFree, shrink, grow } = common;
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
