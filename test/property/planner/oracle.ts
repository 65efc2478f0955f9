/** Brute force, written from the contract alone: every subset is looked at. For at most about 14 modules. */
import type { PlannerModule } from '../../../src/planner/types.ts';

export type Subset = { readonly members: readonly PlannerModule[]; readonly sum: number };

export function allSubsets(modules: readonly PlannerModule[]): Subset[] {
  const subsets: Subset[] = [];
  for (let bits = 0; bits < 2 ** modules.length; bits++) {
    const members = modules.filter((_, index) => ((bits >> index) & 1) === 1);
    subsets.push({ members, sum: members.reduce((sum, module) => sum + module.size, 0) });
  }
  return subsets;
}

/** (boot + plugged) / boot as an exact fraction. */
type Node = { readonly node: number; readonly boot: bigint; readonly filled: bigint };

/** The order of candidates: fullest node, lower node id, highest base, alias. */
export function candidateOrder(
  modules: readonly PlannerModule[],
  boot: readonly { readonly node: number; readonly size: number }[],
): PlannerModule[] {
  const nodes = boot.map(({ node, size }): Node => {
    const plugged = modules.filter((module) => module.node === node).reduce((sum, module) => sum + module.size, 0);
    return { node, boot: BigInt(size), filled: BigInt(size) + BigInt(plugged) };
  });
  const nodeOf = (module: PlannerModule): Node | undefined => nodes.find(({ node }) => node === module.node);
  return [...modules].sort((a, b) => {
    const [left, right] = [nodeOf(a), nodeOf(b)];
    if (left === undefined || right === undefined) throw new Error('a module on a node that the guest lacks');
    const difference = right.filled * left.boot - left.filled * right.boot;
    if (difference !== 0n) return difference > 0n ? 1 : -1;
    if (a.node !== b.node) return a.node - b.node;
    if (a.base !== b.base) return b.base - a.base;
    return a.alias < b.alias ? -1 : 1;
  });
}

const refusers = ({ members }: Subset): number => members.filter((module) => module.refusals > 0).length;

/** Which of two subsets comes first, lexicographically by places in `order`. */
const lexicographic = (order: readonly PlannerModule[], a: Subset, b: Subset): number => {
  const places = ({ members }: Subset): number[] =>
    members.map((module) => order.indexOf(module)).sort((x, y) => x - y);
  const [left, right] = [places(a), places(b)];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
};

/** The exact set that the contract asks for; undefined: none. */
export const bestExact = (
  order: readonly PlannerModule[],
  subsets: readonly Subset[],
  amount: number,
): Subset | undefined =>
  subsets
    .filter(({ sum }) => sum === amount)
    .sort((a, b) => refusers(a) - refusers(b) || a.members.length - b.members.length || lexicographic(order, a, b))[0];

/** The set of a Replace: fewest modules, smallest sum, fewest refusers, lexicographically first. */
export const bestAbove = (
  order: readonly PlannerModule[],
  subsets: readonly Subset[],
  fits: (sum: number) => boolean,
): Subset | undefined =>
  subsets
    .filter(({ sum }) => fits(sum))
    .sort(
      (a, b) =>
        a.members.length - b.members.length || a.sum - b.sum || refusers(a) - refusers(b) || lexicographic(order, a, b),
    )[0];
