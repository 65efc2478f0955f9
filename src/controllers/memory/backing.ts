/** What stands behind new modules of a VM: as its domain has it, unless the resource says which pages. Pure. */
import type { DesiredMemory } from '../../api/v1alpha1/spec.ts';
import type { LayoutBacking } from '../../host/port.ts';
import { computeHostFree, computeHugepagesFree } from '../../host/rules/capacity.ts';
import type { Bytes } from '../../memory/bytes.ts';
import type { Backing } from '../../planner/types.ts';
import type { Located } from './types.ts';

/** By guest node; an older agent knows of one page size for all. */
export function ownBackings({ boot, backings, pageSize }: Located['layout']): readonly LayoutBacking[] {
  const nodes = boot.map(({ node }) => node);
  return backings.length > 0 ? backings : [{ nodes, pageSize, preallocated: pageSize !== null, hostNodes: null }];
}

/** What stands behind new modules, by guest node, and what the host has left of it. */
export function computeBackings({ layout, facts, limits }: Located, desired: DesiredMemory): readonly Backing[] {
  return ownBackings(layout).map((own): Backing => {
    const pageSize = desired.pageSize ?? own.pageSize;
    const { hostNodes } = own;
    const bound = hostNodes === null ? facts?.nodes : facts?.nodes.filter(({ id }) => hostNodes.includes(id));
    return {
      ...own,
      pageSize,
      preallocated: own.preallocated || pageSize !== null,
      hostFree: facts === null ? null : computeHostFree(facts, limits, pageSize, bound),
      hugepagesFree: facts === null || pageSize === null ? null : computeHugepagesFree(facts, limits, pageSize, bound),
    };
  });
}

/** The huge pages behind a module for guest node `node`; null: ordinary pages. */
export const pageSizeOn = ({ layout }: Located, desired: DesiredMemory, node: number): Bytes | null =>
  desired.pageSize ?? ownBackings(layout).find(({ nodes }) => nodes.includes(node))?.pageSize ?? null;
