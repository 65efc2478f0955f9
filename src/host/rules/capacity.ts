/**
 * What a host can carry: judged by the controller when it plans and by the agent, under the lock of the host, when it
 * acts. One set of rules for both, so that what was planned isn't refused for a reason that could have been known. Pure.
 */
import { type Bytes, bytes, ceilTo, MiB } from '../../memory/bytes.ts';
import { formatQuantity } from '../../memory/quantity.ts';
import { hostError, type HostError } from '../errors.ts';
import type { HostFacts, HostNode, HugepagePool, PlugRequest } from '../port.ts';

/** What the cluster's admin allows on a host (HypervisorHost.spec). */
export type CapacityLimits = {
  /** Available memory that must remain. */
  readonly memoryReserve: Bytes;
  /** Committed guest memory may reach (total - reserve) times this; more than 0. */
  readonly memoryOvercommit: number;
};

type HostMemoryFacts = HostFacts['memory'];

/** What may be promised to VMs in all, bytes. */
export const computeCommittable = (
  { total }: Pick<HostMemoryFacts, 'total'>,
  { memoryReserve, memoryOvercommit }: CapacityLimits,
): number => Math.floor(Math.max(0, total - memoryReserve) * memoryOvercommit);

/** What may still be promised to VMs, whatever it is backed by; negative where too much is promised already. */
const promisable = (memory: HostMemoryFacts, limits: CapacityLimits): number =>
  computeCommittable(memory, limits) - memory.committed;

/** What is available above the reserve; may be negative. */
const aboveReserve = ({ available }: HostMemoryFacts, { memoryReserve }: CapacityLimits): number =>
  available - memoryReserve;

/**
 * What may still be plugged on a host in pages of a size (null: ordinary ones), never negative. Huge pages
 * in the pool are no part of the available memory, but are promised like any other; see {@link computeHugepagesFree}.
 * @param nodes those that it must come from; absent: any
 */
export function computeHostFree(
  host: Pick<HostFacts, 'memory' | 'nodes'>,
  limits: CapacityLimits,
  pageSize: Bytes | null,
  nodes: readonly HostNode[] = host.nodes,
): Bytes {
  const byCommitment = promisable(host.memory, limits);
  const free = pageSize === null ? Math.min(spareOn(host, limits, nodes), byCommitment) : byCommitment;
  return bytes(Math.max(0, free));
}

/** What capacity is judged from. */
export type HostCapacity = Pick<HostFacts, 'memory' | 'nodes' | 'hugepagePools'>;

const availableOn = (nodes: readonly HostNode[]): number => nodes.reduce((sum, node) => sum + node.available, 0);

/** Ordinary memory of the nodes that may be taken without touching the reserve; may be negative. */
const spareOn = (
  host: Pick<HostFacts, 'memory' | 'nodes'>,
  limits: CapacityLimits,
  nodes: readonly HostNode[],
): number => Math.min(nodes === host.nodes ? Infinity : availableOn(nodes), aboveReserve(host.memory, limits));

/**
 * What QEMU itself uses within a control group of that limit, besides the guest's memory: page tables for it (8 bytes
 * for every page of 4 KiB), and an amount for code, devices, vCPUs and displays that leaves room.
 */
export const qemuOverhead = (limit: Bytes): Bytes => ceilTo(bytes(256 * MiB + Math.ceil(limit / 512)), bytes(MiB));

const poolOf = ({ hugepagePools }: HostCapacity, pageSize: Bytes): HugepagePool =>
  hugepagePools.find((pool) => pool.pageSize === pageSize) ?? { pageSize, reserved: 0, onDemand: 0 };

/** Pages in the pools of the nodes that nobody was promised. The kernel counts promises for the whole host only. */
function pagesInPool(host: HostCapacity, pageSize: Bytes, nodes: readonly HostNode[]): number {
  const freeOf = (some: readonly HostNode[]): number =>
    some
      .flatMap(({ hugepages }) => hugepages)
      .filter((pool) => pool.pageSize === pageSize)
      .reduce((sum, { free }) => sum + free, 0);
  return Math.max(0, Math.min(freeOf(nodes), freeOf(host.nodes) - poolOf(host, pageSize).reserved));
}

/**
 * What can be had in huge pages of a size, in bytes: free pages that nobody was promised, and what the kernel makes on
 * demand (surplus pages, Documentation/admin-guide/mm/hugetlbpage.rst). The latter is ordinary memory, and judged so: by
 * what is available above the reserve.
 * @param nodes those that the pages must be on; absent: any
 */
export function computeHugepagesFree(
  host: HostCapacity,
  limits: CapacityLimits,
  pageSize: Bytes,
  nodes: readonly HostNode[] = host.nodes,
): Bytes {
  const spare = Math.max(0, spareOn(host, limits, nodes));
  const made = Math.min(poolOf(host, pageSize).onDemand, Math.floor(spare / pageSize));
  return bytes((pagesInPool(host, pageSize, nodes) + made) * pageSize);
}

/**
 * The host once `size` in pages of `pageSize` (null: ordinary ones) is promised: what a plug under way will take, and may
 * have taken in part.
 */
export function withPromised(host: HostCapacity, size: Bytes, pageSize: Bytes | null): HostCapacity {
  const { total, available, committed } = host.memory;
  const pages = pageSize === null ? 0 : Math.ceil(size / pageSize);
  const taken = pageSize === null ? 0 : Math.min(pages, pagesInPool(host, pageSize, host.nodes));
  const made = pages - taken;
  const ordinary = pageSize === null ? size : made * pageSize;
  const memory = { total, available: bytes(Math.max(0, available - ordinary)), committed: bytes(committed + size) };
  if (pageSize === null) return { ...host, memory };
  const { reserved, onDemand } = poolOf(host, pageSize);
  const pool = { pageSize, reserved: reserved + taken, onDemand: Math.max(0, onDemand - made) };
  const others = host.hugepagePools.filter((other) => other.pageSize !== pageSize);
  return { ...host, memory, hugepagePools: [...others, pool] };
}

/** Whether the host can carry the module (docs/api.md: `memoryReserve`, `memoryOvercommit`). Null: it can. */
export function judgeHostMemory(host: HostCapacity, request: PlugRequest, pageSize: Bytes | null): HostError | null {
  const { total, available, committed } = host.memory;
  const limits = { memoryReserve: request.hostReserve, memoryOvercommit: request.hostOvercommit };
  if (request.size > promisable(host.memory, limits)) {
    return hostError(
      'insufficient-host-memory',
      `VMs are promised ${formatQuantity(committed)} of the host's memory; ${formatQuantity(request.size)} more would ` +
        `exceed ${request.hostOvercommit} times (total ${formatQuantity(total)} - reserve ${formatQuantity(request.hostReserve)})`,
    );
  }
  const { hostNodes } = request;
  const nodes = hostNodes === undefined ? host.nodes : host.nodes.filter((node) => hostNodes.includes(node.id));
  if (hostNodes !== undefined && nodes.length !== new Set(hostNodes).size) {
    return hostError('rejected', `The host has no NUMA node ${hostNodes.join(' or ')}`);
  }
  if (pageSize !== null) return judgeHugepages(host, nodes, request.size, pageSize, limits);

  if (spareOn(host, limits, nodes) >= request.size) return null;
  const bound =
    hostNodes === undefined
      ? ''
      : `; the module must come from its nodes ${hostNodes.join(', ')}, which have ${formatQuantity(bytes(availableOn(nodes)))}`;
  return hostError(
    'insufficient-host-memory',
    `${formatQuantity(request.size)} is wanted, but the host has ${formatQuantity(available)} available and keeps ` +
      `${formatQuantity(request.hostReserve)} in reserve${bound}`,
  );
}

function judgeHugepages(
  host: HostCapacity,
  nodes: readonly HostNode[],
  size: Bytes,
  pageSize: Bytes,
  limits: CapacityLimits,
): HostError | null {
  if (size % pageSize !== 0) {
    return hostError('rejected', `${formatQuantity(size)} is no multiple of the page size ${formatQuantity(pageSize)}`);
  }
  const free = computeHugepagesFree(host, limits, pageSize, nodes);
  if (free >= size) return null;
  const { onDemand } = poolOf(host, pageSize);
  return hostError(
    'hugepages-unavailable',
    `${formatQuantity(size)} in huge pages of ${formatQuantity(pageSize)} is wanted; ${free / MiB}Mi are free` +
      (onDemand === 0 ? '' : ', those that the host can make of ordinary memory counted in'),
  );
}
