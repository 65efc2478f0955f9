/** Hosts as shelves: how much stands on each, what is kept back, and what waits for room. Pure. */
import { findCondition } from '../../../api/v1alpha1/conditions.ts';
import type { HypervisorHost } from '../../../api/v1alpha1/hypervisor-host.ts';
import { parseQuantity } from '../../../memory/quantity.ts';
import { waits } from '../../../view/host-table.ts';
import { type NamespaceUses, namespaceUsesOf } from '../../../view/namespace-uses.ts';
import { sizeIn } from './board.ts';
import type { Row } from './list.ts';

export type Shelf = {
  readonly name: string;
  readonly ready: 'True' | 'False' | 'Unknown';
  readonly message: string;
  readonly cordoned: boolean;
  /** Bytes; null: nothing is known of its memory. */
  readonly memory: {
    readonly total: number;
    readonly available: number;
    readonly committed: number;
    readonly reserve: number;
    /** What may be committed: (total - reserve) times the overcommit. */
    readonly limit: number;
  } | null;
  readonly overcommit: string;
  readonly virtualMachines: number | null;
  /** VMs that are known here, largest first, each with its share of what may be committed. */
  readonly vms: readonly { readonly row: Row; readonly size: number }[];
  readonly waiting: readonly Row[];
  /** null: namespaces aren't limited there. */
  readonly namespaces: NamespaceUses | null;
};

export function shelfOf(host: HypervisorHost, rows: readonly Row[]): Shelf {
  const { metadata, spec, status } = host;
  const condition = findCondition(status?.conditions, 'Ready');
  const own = rows.filter((row) => row.host === metadata.name);
  const reserve = parseQuantity(String(spec.memoryReserve ?? 0));
  const kept = reserve.ok ? reserve.value : 0;
  const memory = status?.memory;
  const [total, available, committed] = [memory?.total, memory?.available, memory?.committed].map(sizeIn);
  const overcommit = spec.memoryOvercommit ?? '1.0';
  return {
    name: metadata.name,
    ready: condition?.status ?? 'Unknown',
    message: condition?.message ?? 'no controller has looked at it yet',
    cordoned: spec.cordoned === true,
    memory:
      memory === undefined || total === undefined || available === undefined || committed === undefined
        ? null
        : { total, available, committed, reserve: kept, limit: Math.max(0, total - kept) * Number(overcommit) },
    overcommit,
    virtualMachines: status?.virtualMachines ?? null,
    vms: own.map((row) => ({ row, size: sizeIn(row.current) })).sort((a, b) => b.size - a.size),
    waiting: own.filter(({ resource }) => waits(resource)),
    namespaces: namespaceUsesOf(host),
  };
}

const gib = 2 ** 30;
/** A size in GiB with at most one decimal place: shelves are compared, not computed with. */
export const inGib = (size: number): string =>
  size >= 1024 * gib ? `${trim(size / gib / 1024)} TiB` : `${trim(size / gib)} GiB`;
/** Exact, and hard to read: 372992Mi. */
export const isUnwieldy = (quantity: string): boolean => /^\d{5,}Mi$/.test(quantity);
const trim = (count: number): string => (Number.isInteger(count) ? String(count) : count.toFixed(1));
