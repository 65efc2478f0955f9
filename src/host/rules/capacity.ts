/**
 * What a host can carry: judged by the controller when it plans and by the agent, under the lock of the host, when it
 * acts. One set of rules for both, so that what was planned isn't refused for a reason that could have been known. Pure.
 */
import { type Bytes, bytes, MiB, sumBytes } from '../../memory/bytes.ts';
import { formatQuantity } from '../../memory/quantity.ts';
import { hostError, type HostError } from '../errors.ts';
import type { HostFacts, HostNode, PlugRequest } from '../port.ts';

/** What the cluster's admin allows on a host (HypervisorHost.spec). */
export type CapacityLimits = {
  /** Available memory that must remain. */
  readonly memoryReserve: Bytes;
  /** Committed guest memory may reach (total - reserve) times this; more than 0. */
  readonly memoryOvercommit: number;
};

type HostMemoryFacts = HostFacts['memory'];

/** What may still be promised to VMs, whatever it is backed by; negative where too much is promised already. */
const promisable = (
  { total, committed }: HostMemoryFacts,
  { memoryReserve, memoryOvercommit }: CapacityLimits,
): number => Math.floor(Math.max(0, total - memoryReserve) * memoryOvercommit) - committed;

/** What is available above the reserve; may be negative. */
const aboveReserve = ({ available }: HostMemoryFacts, { memoryReserve }: CapacityLimits): number =>
  available - memoryReserve;

/**
 * What may still be plugged on a host in pages of a size (null: ordinary ones), never negative. Huge pages were set
 * aside when the host booted: they are no part of its available memory, but are promised like any other.
 */
export function computeHostFree(facts: HostFacts, limits: CapacityLimits, pageSize: Bytes | null): Bytes {
  const byCommitment = promisable(facts.memory, limits);
  const free = pageSize === null ? Math.min(aboveReserve(facts.memory, limits), byCommitment) : byCommitment;
  return bytes(Math.max(0, free));
}

/** Free huge pages of a size on the nodes, in bytes. */
export function computeHugepagesFree(nodes: readonly Pick<HostNode, 'hugepages'>[], pageSize: Bytes): Bytes {
  const pools = nodes.flatMap(({ hugepages }) => hugepages).filter((pool) => pool.pageSize === pageSize);
  return sumBytes(pools.map(({ free }) => bytes(free * pageSize)));
}

/** Whether the host can carry the module (docs/api.md: `memoryReserve`, `memoryOvercommit`). Null: it can. */
export function judgeHostMemory(
  host: Pick<HostFacts, 'memory' | 'nodes'>,
  request: PlugRequest,
  pageSize: Bytes | null,
): HostError | null {
  const { total, available, committed } = host.memory;
  const limits = { memoryReserve: request.hostReserve, memoryOvercommit: request.hostOvercommit };
  if (request.size > promisable(host.memory, limits)) {
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
  const spare = Math.min(here, aboveReserve(host.memory, limits));
  if (spare >= request.size) return null;
  return hostError(
    'insufficient-host-memory',
    `${formatQuantity(request.size)} is wanted, but the host has ${formatQuantity(available)} available and keeps ` +
      `${formatQuantity(request.hostReserve)} in reserve`,
  );
}

function judgeHugepages(nodes: readonly HostNode[], size: Bytes, pageSize: Bytes): HostError | null {
  const free = computeHugepagesFree(nodes, pageSize);
  if (size % pageSize !== 0) {
    return hostError('rejected', `${formatQuantity(size)} is no multiple of the page size ${formatQuantity(pageSize)}`);
  }
  if (free >= size) return null;
  return hostError(
    'hugepages-unavailable',
    `${formatQuantity(size)} in huge pages of ${formatQuantity(pageSize)} is wanted; ${free / MiB}Mi are free`,
  );
}
