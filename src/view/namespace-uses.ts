/** What namespaces have of a host that limits them (HypervisorHost.spec.namespaceLimit), as its status tells it. Pure. */
import type { HypervisorHost } from '../api/v1alpha1/hypervisor-host.ts';
import { type Bytes, bytes } from '../memory/bytes.ts';
import { parseQuantity } from '../memory/quantity.ts';

export type NamespaceUse = {
  readonly namespace: string;
  /** What its running VMs have of the host. */
  readonly committed: Bytes;
  /** Of the limit, 0 to 1, and more where there was more before there was a limit. */
  readonly share: number;
};

export type NamespaceUses = {
  /** What one namespace may have. */
  readonly limit: Bytes;
  /** The largest that are told of, the one with most first. */
  readonly uses: readonly NamespaceUse[];
};

/** Null where the host has no limit, or none that can be read. */
export function namespaceUsesOf({ spec, status }: HypervisorHost): NamespaceUses | null {
  if (spec.namespaceLimit === undefined) return null;
  const read = parseQuantity(String(spec.namespaceLimit));
  if (!read.ok) return null;
  const limit = read.value;
  const uses = (status?.namespaces ?? []).flatMap(({ namespace, committed: text }): NamespaceUse[] => {
    const committed = parseQuantity(text);
    if (!committed.ok) return [];
    // Nothing may be had: whatever there is fills it.
    const share = limit === 0 ? 1 : committed.value / limit;
    return [{ namespace, committed: bytes(committed.value), share }];
  });
  return { limit, uses: uses.toSorted((a, b) => b.committed - a.committed) };
}

/** A share in whole percent: 100 only where nothing is left. */
export const inPercent = (share: number): string => `${Math.floor(share * 100)}%`;
