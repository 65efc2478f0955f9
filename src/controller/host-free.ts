/** What a host can still give. Pure; the agent judges the same again when it acts. */
import type { HostLimits } from '../api/v1alpha1/spec.ts';
import type { HostFacts } from '../host/port.ts';
import { type Bytes, bytes, sumBytes } from '../memory/bytes.ts';

/**
 * What may still be plugged on a host: what is available above the reserve, and what the overcommit leaves of the
 * commitment, whichever is less; never negative.
 */
export function computeHostFree(facts: HostFacts, limits: HostLimits): Bytes {
  const { total, available, committed } = facts.memory;
  const byAvailable = available - limits.memoryReserve;
  const byCommitment = Math.floor((total - limits.memoryReserve) * limits.memoryOvercommit) - committed;
  return bytes(Math.max(0, Math.min(byAvailable, byCommitment)));
}

/** Free huge pages of a size on all nodes, in bytes. */
export function computeHugepagesFree(facts: HostFacts, pageSize: Bytes): Bytes {
  const pools = facts.nodes.flatMap(({ hugepages }) => hugepages).filter((pool) => pool.pageSize === pageSize);
  return sumBytes(pools.map(({ free }) => bytes(free * pageSize)));
}
