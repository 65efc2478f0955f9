/** Guest NUMA nodes: which one has most plugged memory for its boot memory, and where new modules go. */
import { type Bytes, sumBytes, zeroBytes } from '../memory/bytes.ts';
import { isLessRatio } from './integers.ts';
import type { PlannerModule, PlannerObservation } from './types.ts';

/** What no plan takes: boot memory and what other devices give. */
export const baseOf = ({ boot, otherTotal = zeroBytes }: PlannerObservation): Bytes =>
  sumBytes([...boot.map(({ size }) => size), otherTotal]);

export type NodeLoad = { readonly node: number; readonly boot: number; plugged: number };

/** Boot and plugged memory of every guest node, modules filtered by `counts`; in order of node id. */
export function nodeLoads(
  observation: Pick<PlannerObservation, 'boot' | 'modules'>,
  counts: (module: PlannerModule) => boolean,
): NodeLoad[] {
  const loads = observation.boot
    .map(({ node, size }): NodeLoad => ({ node, boot: size, plugged: 0 }))
    .sort((a, b) => a.node - b.node);
  for (const module of observation.modules) {
    const load = loads.find(({ node }) => node === module.node);
    if (load !== undefined && counts(module)) load.plugged += module.size;
  }
  return loads;
}

/**
 * Whether (boot + plugged) / boot of `a` is less than that of `b`, compared exactly. A node without boot memory
 * counts as the fullest: memory goes there last and is taken from there first.
 */
function isLessLoaded(a: NodeLoad, b: NodeLoad): boolean {
  if (a.boot === 0) return false;
  if (b.boot === 0) return true;
  return isLessRatio(a.plugged, a.boot, b.plugged, b.boot);
}

/** Node ids, the fullest first; equally full: the lower id first. */
export function nodesByLoad(loads: readonly NodeLoad[]): number[] {
  const descending = (a: NodeLoad, b: NodeLoad): number => (isLessLoaded(b, a) ? -1 : isLessLoaded(a, b) ? 1 : 0);
  return [...loads].sort((a, b) => descending(a, b) || a.node - b.node).map(({ node }) => node);
}

/** Node ids, the emptiest first; equally full: the lower id first. */
export function emptiestFirst(loads: readonly NodeLoad[]): number[] {
  const ascending = (a: NodeLoad, b: NodeLoad): number => (isLessLoaded(a, b) ? -1 : isLessLoaded(b, a) ? 1 : 0);
  return [...loads].sort((a, b) => ascending(a, b) || a.node - b.node).map(({ node }) => node);
}

/** A new module and the node that it goes to. */
export type Placement = { readonly size: Bytes; readonly node: number };

/**
 * Where new modules go: largest first, each to the least loaded node (equal: the lower id), which counts what was
 * placed before. Answered in ascending order of size, then of node: the order in which they are plugged.
 * @param loads consumed: the placed sizes are added
 */
export function placeModules(sizes: readonly Bytes[], loads: readonly NodeLoad[]): Placement[] {
  const placements: Placement[] = [];
  for (const size of [...sizes].sort((a, b) => b - a)) {
    let target: NodeLoad | undefined;
    for (const load of loads) {
      if (target === undefined || isLessLoaded(load, target)) target = load;
    }
    if (target === undefined) throw new RangeError('a guest has at least one NUMA node');
    target.plugged += size;
    placements.push({ size, node: target.node });
  }
  return placements.sort((a, b) => a.size - b.size || a.node - b.node);
}
