/**
 * What stands behind a domain's memory: page sizes by guest node, whether QEMU touches a new module at once, the host
 * nodes that it must come from, and who has to map it besides. As libvirt decides it for a new DIMM
 * (qemuBuildMemoryBackendProps in qemu_command.c).
 */
import { type Bytes, kib } from './bytes.ts';
import type { NodeMemory } from './module.ts';

/** Huge pages behind the domain's memory. */
export type HugePages = {
  /** null: the host's default huge page size. */
  readonly pageSize: Bytes | null;
  /** Guest nodes it is for; null: all others. */
  readonly nodes: readonly number[] | null;
};

/** A device whose backend, another process, has to map every memory region of the guest. */
export type SharedWith = 'virtiofs' | 'vhost-user';

/** What a domain says of what stands behind its memory. */
export type MemoryBacking = {
  readonly hugePages: readonly HugePages[];
  /** Whether QEMU touches, locks or pins all of a module when it is plugged, whatever its pages. */
  readonly preallocates: boolean;
  /**
   * Whether a device has all of it pinned (VFIO, vDPA). Then huge pages count against the limit of locked memory too, which
   * is `<hard_limit>` where that is set (libvirt's qemuDomainGetMemLockLimitBytes).
   */
  readonly pins: boolean;
  /** Host nodes that memory must come from (`strict`, `restrictive`): by guest node, and of all others. null: any. */
  readonly hostNodes: {
    readonly others: readonly number[] | null;
    readonly byNode: ReadonlyMap<number, readonly number[]>;
  };
  /** null: nobody but QEMU and the kernel. */
  readonly sharedWith: SharedWith | null;
};

/** What stands behind new modules of some guest nodes. */
export type NodeBacking = {
  /** Guest nodes, ascending; every guest node is in one group. */
  readonly nodes: readonly number[];
  /** Size of the host's huge pages; null: ordinary pages. */
  readonly pageSize: Bytes | null;
  /** Whether QEMU touches all of a module at once, and stands still meanwhile. */
  readonly preallocated: boolean;
  /** Host nodes that the memory must come from; null: any. */
  readonly hostNodes: readonly number[] | null;
};

/** The host's ordinary pages may be named like huge ones: then there are none for that node. */
const isOrdinary = (pageSize: Bytes, arch: string): boolean =>
  pageSize <= kib(4) || (arch.startsWith('ppc64') && pageSize === kib(64));

/**
 * What stands behind new modules of guest node `node`.
 * @param defaultHugePageSize of the host; null: it has none
 */
export function backingOfNode(
  { arch, backing }: { readonly arch: string; readonly backing: MemoryBacking },
  node: number,
  defaultHugePageSize: Bytes | null,
): Omit<NodeBacking, 'nodes'> {
  const { hugePages, hostNodes, preallocates } = backing;
  const pages =
    hugePages.find(({ nodes }) => nodes?.includes(node) === true) ?? hugePages.find(({ nodes }) => nodes === null);
  const named = pages === undefined ? null : (pages.pageSize ?? defaultHugePageSize);
  const pageSize = named === null || isOrdinary(named, arch) ? null : named;
  return {
    pageSize,
    preallocated: preallocates || pageSize !== null,
    hostNodes: hostNodes.byNode.get(node) ?? hostNodes.others,
  };
}

/** {@link backingOfNode} for all guest nodes, those with the same together. */
export function backingsOf(
  domain: { readonly arch: string; readonly backing: MemoryBacking; readonly boot: readonly NodeMemory[] },
  defaultHugePageSize: Bytes | null,
): NodeBacking[] {
  const groups = new Map<string, NodeBacking>();
  for (const { node } of domain.boot) {
    const backing = backingOfNode(domain, node, defaultHugePageSize);
    const key = JSON.stringify([backing.pageSize, backing.preallocated, backing.hostNodes]);
    groups.set(key, { ...backing, nodes: [...(groups.get(key)?.nodes ?? []), node] });
  }
  return [...groups.values()];
}

/** Regions that every vhost-user backend can map (QEMU, hw/virtio/vhost-user.c: VHOST_MEMORY_BASELINE_NREGIONS). */
const surelyMapped = 8;

type MappedMemory = {
  readonly boot: readonly NodeMemory[];
  readonly modules: readonly unknown[];
  readonly others: readonly unknown[];
};

/** Regions that a VM's memory has: boot memory takes one for each node and one more around the PCI hole. */
export const regionsOf = ({ boot, modules, others }: MappedMemory): number =>
  boot.filter(({ size }) => size > 0).length + 1 + modules.length + others.length;

/** How many more modules such a backend can surely map, at least 0; many can map more. null: there is no such backend. */
export function regionsLeft(
  domain: MappedMemory & { readonly backing: Pick<MemoryBacking, 'sharedWith'> },
): { readonly backend: SharedWith; readonly left: number } | null {
  const { sharedWith } = domain.backing;
  return sharedWith && { backend: sharedWith, left: Math.max(0, surelyMapped - regionsOf(domain)) };
}
