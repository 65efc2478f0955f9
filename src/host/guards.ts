/**
 * What must hold at the moment of a change, judged from an observation made under the domain's lock. Pure, and shared
 * by the agent's libvirt service and the simulated host, so that the two can't disagree.
 */
import { type Bytes, MiB } from '../memory/bytes.ts';
import { isSameModule, type NodeMemory } from '../memory/module.ts';
import { formatMeasured, formatNeeded, formatQuantity } from '../memory/quantity.ts';
import { fail, type HostAnswer, hostError, type HostError, type HostErrorCode, succeed } from './errors.ts';
import type {
  DomainObservation,
  DomainState,
  HostFacts,
  HostNode,
  MemoryLayout,
  ObservedModule,
  PlugRequest,
  UnplugRequest,
} from './port.ts';

/** Statistics are judged by for this long after the guest reported them. */
export const statisticsFreshMs = 10_000;
/** A guest that doesn't report is left alone for this long after it booted or was first seen. */
export const bootWindowMs = 60_000;
/** QEMU: "backend memory size must be multiple of 0x200000" (facts-libvirt, section 2). */
const dimmUnit = 2 * MiB;

const refuse = (code: HostErrorCode, message: string) => fail(hostError(code, message));

/** Whether a QEMU process runs in this state. */
export function isActiveState(state: DomainState): boolean {
  switch (state) {
    case 'Running':
    case 'Blocked':
    case 'Paused':
    case 'Suspended':
    case 'ShuttingDown':
      return true;
    case 'ShutOff':
    case 'Crashed':
    case 'Unknown':
      return false;
  }
}

/** What {@link isBooting} judges. Times are epoch milliseconds of the host's clock. */
export type BootEvidence = {
  readonly state: DomainState;
  /** When the guest last started or was reset, as far as the agent has heard; null: before the agent looked. */
  readonly bootedAtMs: number | null;
  /** When the agent first saw this run of the domain. */
  readonly firstSeenAtMs: number;
  /** When the guest last reported statistics; null: never. */
  readonly reportedAtMs: number | null;
};

/**
 * Whether the guest may still be booting: it has reported no statistics since it booted, and booted (or was first
 * seen) less than {@link bootWindowMs} ago. A paused guest isn't booting: it does nothing at all.
 */
export function isBooting(evidence: BootEvidence, nowMs: number): boolean {
  if (evidence.state !== 'Running' && evidence.state !== 'Blocked') return false;
  if (isReportOfThisBoot(evidence)) return false;
  return nowMs - (evidence.bootedAtMs ?? evidence.firstSeenAtMs) < bootWindowMs;
}

/**
 * Whether the guest has reported since it booted. When the agent didn't see the guest boot, only a report that was
 * fresh when the agent first saw the domain counts: a reset may have gone unnoticed before. libvirt gives whole
 * seconds, rounded down, so a report in the very second of the boot doesn't count either.
 */
export function isReportOfThisBoot(evidence: Omit<BootEvidence, 'state'>): boolean {
  const { bootedAtMs, firstSeenAtMs, reportedAtMs } = evidence;
  return reportedAtMs !== null && reportedAtMs >= (bootedAtMs ?? firstSeenAtMs - statisticsFreshMs);
}

/** Whether a report can be judged by: at most {@link statisticsFreshMs} old and from the present boot. */
export function isFreshReport(evidence: Omit<BootEvidence, 'state'>, nowMs: number): boolean {
  const { reportedAtMs } = evidence;
  return reportedAtMs !== null && isReportOfThisBoot(evidence) && nowMs - reportedAtMs <= statisticsFreshMs;
}

/** The domain must still be as it was when the change was planned. */
export function judgeRevision(observation: DomainObservation, revision: string): HostError | null {
  if (observation.revision === revision) return null;
  return hostError('stale-revision', `VM ${observation.name} has changed since it was observed; observe it again`);
}

/** A running domain that may be changed now, with its memory. */
function judgeChangeable(observation: DomainObservation): HostAnswer<MemoryLayout> {
  if (observation.layout === null || !isActiveState(observation.state)) {
    return refuse('not-running', `VM ${observation.name} is not running (${observation.state})`);
  }
  if (observation.migrating) return refuse('busy', `VM ${observation.name} is migrating; retry when it has arrived`);
  if (observation.booting) {
    return refuse('busy', `The guest of VM ${observation.name} is still booting; retry when it reports its memory`);
  }
  return succeed(observation.layout);
}

/** Sum of boot memory and modules. */
export const totalOf = (layout: {
  readonly boot: readonly NodeMemory[];
  readonly modules: readonly { readonly size: Bytes }[];
}): number =>
  layout.boot.reduce((sum, node) => sum + node.size, 0) + layout.modules.reduce((sum, module) => sum + module.size, 0);

/** Whether the module may be plugged as far as the domain is concerned; the host's memory is {@link judgeHostMemory}. */
export function judgePlug(observation: DomainObservation, request: PlugRequest): HostAnswer<MemoryLayout> {
  const changeable = judgeChangeable(observation);
  if (!changeable.ok) return changeable;
  const layout = changeable.value;
  if (layout.maxMemory === null || layout.hotplugProblem !== null) {
    return refuse('hotplug-unsupported', layout.hotplugProblem ?? 'The domain has no <maxMemory>');
  }
  if (request.slot >= layout.slots.total) {
    return refuse('rejected', `Slot ${request.slot} does not exist: the domain has ${layout.slots.total} slots`);
  }
  if (
    layout.modules.some((module) => module.slot === request.slot) ||
    layout.slots.usedByOthers.includes(request.slot)
  ) {
    return refuse('rejected', `Slot ${request.slot} is already in use`);
  }
  if (layout.slots.resting.includes(request.slot)) {
    return refuse('busy', `Slot ${request.slot} was emptied a moment ago and cannot be reused yet`);
  }
  if (!layout.boot.some((node) => node.node === request.node)) {
    return refuse('rejected', `The guest has no NUMA node ${request.node}`);
  }
  if (request.size === 0 || request.size % dimmUnit !== 0) {
    return refuse('rejected', `A module of ${formatQuantity(request.size)} is no positive multiple of 2Mi`);
  }
  if (totalOf(layout) + layout.otherBytes + request.size > layout.maxMemory) {
    return refuse(
      'rejected',
      `A module of ${formatQuantity(request.size)} would exceed the VM's maximum of ${formatQuantity(layout.maxMemory)}`,
    );
  }
  return changeable;
}

/** Whether the module may leave as far as the layout goes: at most one unplug is unsettled at a time (I3). */
export function judgeLeaving(observation: DomainObservation, slot: number): HostAnswer<ObservedModule> {
  const changeable = judgeChangeable(observation);
  if (!changeable.ok) return changeable;
  const { modules } = changeable.value;
  const module = modules.find((candidate) => candidate.slot === slot);
  if (module === undefined) return refuse('no-such-module', `There is no memory module in slot ${slot}`);

  const leaving = modules.find((other) => other.state === 'Leaving' && !isSameModule(other, module));
  if (leaving === undefined) return succeed(module);
  return refuse(
    'unplug-unsettled',
    `Module ${leaving.alias} in slot ${leaving.slot} is still leaving; one module may leave at a time`,
  );
}

/** Why nobody can say what the guest has: it never reported, or it is late. */
export function explainSilence({ guest, name, observedAtMs }: DomainObservation): HostError {
  if (guest?.ofThisBoot !== true) {
    return hostError(
      'guest-memory-unknown',
      `The guest of VM ${name} has not reported its memory since it booted; it needs a virtio memory balloon with its driver loaded`,
    );
  }
  const silentS = Math.max(0, Math.round((observedAtMs - guest.reportedAtMs) / 1000));
  return hostError(
    'guest-late',
    `The guest of VM ${name} does not answer; it last reported its memory ${silentS} s ago`,
  );
}

/**
 * Whether the guest may be asked for the module: {@link judgeLeaving}, and the guest keeps at least `minUsableAfter` by
 * what it reports (I10). How new that report is decides how safe the guest is: see the agent's questions.
 */
export function judgeUnplug(observation: DomainObservation, request: UnplugRequest): HostAnswer<ObservedModule> {
  const leaving = judgeLeaving(observation, request.slot);
  if (!leaving.ok || request.minUsableAfter === undefined) return leaving;
  const module = leaving.value;
  const { guest } = observation;
  if (guest?.fresh !== true) return fail(explainSilence(observation));
  if (guest.usable - module.size < request.minUsableAfter) {
    return refuse(
      'guest-memory-in-use',
      `The guest can spare ${formatMeasured(guest.usable)}; without ${module.alias} (${formatQuantity(module.size)}) ` +
        `it would have less than the ${formatNeeded(request.minUsableAfter)} that it must keep`,
    );
  }
  return leaving;
}

/** Whether the host can carry the module (docs/api.md: `memoryReserve`, `memoryOvercommit`). Null: it can. */
export function judgeHostMemory(
  host: Pick<HostFacts, 'memory' | 'nodes'>,
  request: PlugRequest,
  pageSize: Bytes | null,
): HostError | null {
  const { total, available, committed } = host.memory;
  const limit = Math.max(0, total - request.hostReserve) * request.hostOvercommit;
  if (committed + request.size > limit) {
    return hostError(
      'insufficient-host-memory',
      `VMs are promised ${formatQuantity(committed)} of the host's memory; ${formatQuantity(request.size)} more would ` +
        `exceed ${request.hostOvercommit} times (total ${formatQuantity(total)} - reserve ${formatQuantity(request.hostReserve)})`,
    );
  }
  const nodes = host.nodes.filter((node) => request.hostNodes?.includes(node.id) ?? true);
  if (request.hostNodes !== undefined && nodes.length !== new Set(request.hostNodes).size) {
    return hostError('rejected', `The host has no NUMA node ${request.hostNodes.join(' or ')}`);
  }
  if (pageSize !== null) return judgeHugepages(nodes, request.size, pageSize);

  const here = request.hostNodes === undefined ? available : nodes.reduce((sum, node) => sum + node.available, 0);
  const spare = Math.min(here, available - request.hostReserve);
  if (spare >= request.size) return null;
  return hostError(
    'insufficient-host-memory',
    `${formatQuantity(request.size)} is wanted, but the host has ${formatQuantity(available)} available and keeps ` +
      `${formatQuantity(request.hostReserve)} in reserve`,
  );
}

function judgeHugepages(nodes: readonly HostNode[], size: Bytes, pageSize: Bytes): HostError | null {
  let free = 0;
  for (const node of nodes) {
    for (const pool of node.hugepages) if (pool.pageSize === pageSize) free += pool.free * pool.pageSize;
  }
  if (size % pageSize !== 0) {
    return hostError('rejected', `${formatQuantity(size)} is no multiple of the page size ${formatQuantity(pageSize)}`);
  }
  if (free >= size) return null;
  return hostError(
    'hugepages-unavailable',
    `${formatQuantity(size)} in huge pages of ${formatQuantity(pageSize)} is wanted; ${free / MiB}Mi are free`,
  );
}
