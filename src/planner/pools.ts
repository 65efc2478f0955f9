/**
 * Where new modules may come from: guest nodes whose memory is backed alike are one pool. A growth goes to one pool, so
 * that what holds for its modules (page size, preallocation, host nodes) holds for all of them.
 */
import { type Bytes, bytes, floorTo, GiB, MiB } from '../memory/bytes.ts';
import { lcm } from './integers.ts';
import { emptiestFirst, nodeLoads } from './nodes.ts';
import type { Backing, PlannerObservation } from './types.ts';

/**
 * Touching a module stops the guest for a time in proportion to its size (measured: 0.2 to 6 s a GiB, by whether the host
 * has had that memory before), so preallocated modules are at most 1 GiB; see docs/adr/0034.
 */
const maxPreallocatedModule = bytes(GiB);
/** What they are if there are slots enough. Still smaller ones would make many steps of a growth, and of a shrink. */
const preferredModules = [256 * MiB, 512 * MiB];

export type Pool = Backing & {
  /** Every new module is a multiple of this: the granularity and the page size both divide it. */
  readonly unit: Bytes;
  /** Largest new module; Infinity but for preallocated memory. */
  readonly maxModule: number;
};

/** What stands behind new modules, by guest nodes; one for all nodes where the observation doesn't tell them apart. */
function backingsOf(observation: PlannerObservation): readonly Backing[] {
  const { backings = [], boot, pageSize, hostFree, hugepagesFree } = observation;
  if (backings.length > 0) return backings;
  const preallocated = observation.preallocated ?? pageSize !== null;
  const nodes = boot.map(({ node }) => node);
  return [{ nodes, pageSize, preallocated, hostFree, hugepagesFree, hostNodes: null }];
}

/** The pools, the one with the emptiest node first. At least one. */
export function poolsOf(observation: PlannerObservation): readonly [Pool, ...Pool[]] {
  const rank = new Map(emptiestFirst(nodeLoads(observation, () => true)).map((node, index) => [node, index]));
  const rankOf = ({ nodes }: Backing): number => Math.min(...nodes.map((node) => rank.get(node) ?? rank.size));
  const [first, ...others] = backingsOf(observation)
    .map((backing): Pool => {
      const unit = bytes(lcm(observation.granularity, backing.pageSize ?? 1));
      const maxModule = backing.preallocated ? Math.max(unit, floorTo(maxPreallocatedModule, unit)) : Infinity;
      return { ...backing, unit, maxModule };
    })
    .sort((a, b) => rankOf(a) - rankOf(b));
  if (first === undefined) throw new RangeError('a guest has at least one NUMA node');
  return [first, ...others];
}

/** Largest sizes below the pool's own that stop the guest for a shorter time, ascending; none where nothing is touched. */
export const shorterStops = ({ preallocated, unit, maxModule }: Pool): readonly number[] =>
  preallocated
    ? preferredModules.map((size) => floorTo(bytes(size), unit)).filter((size) => size > 0 && size < maxModule)
    : [];
