/**
 * Shards: several controllers, each elected by a Lease of its own and there for the hosts that its label selector matches.
 * Which there are says the set of their Leases. Pure (docs/adr/0041-shards.md).
 */
import type { HypervisorHost, LabelSelector } from './hypervisor-host.ts';
import { matchesSelector } from './selector.ts';
import { formatLabelSelector } from './selector-text.ts';

/** On the Lease of a controller that leads: it is one of those that share the hosts. Its value says nothing. */
export const shardLabel = 'dimmer.dev/shard';
/** Beside it: the selector, as text; empty: it matches every host. */
export const shardSelectorAnnotation = 'dimmer.dev/shard-selector';

/** A controller that is there for some of the hosts. */
export type Shard = {
  /** Of its Lease. */
  readonly name: string;
  readonly selector: LabelSelector;
  /** Somebody has the Lease, or had it and hasn't given it up: that one may yet act. */
  readonly isTaken: boolean;
  /** Somebody leads, as far as can be told: the Lease is renewed. */
  readonly isHeld: boolean;
};

/** Live: which shards there are. The set has been read since this process was elected, and so is every later one. */
export interface ShardSource {
  /** The name of this process' Lease. */
  readonly own: string;
  list(): readonly Shard[];
  /** For how long the set of those that are taken, with their selectors, has been what it is, ms. */
  unchangedMs(): number;
  /** Calls `listener` whenever {@link ShardSource.list} says something else, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

/** Whose a host is. */
export type HostShard =
  | { readonly kind: 'own' }
  | { readonly kind: 'other' }
  /** Several match it, so that none acts there. */
  | { readonly kind: 'conflict'; readonly shards: readonly Shard[] }
  /** None matches it. */
  | { readonly kind: 'none' };

/**
 * Whose the host is for the shard `own`, which leads. One that has given its Lease up acts on nothing and is in nobody's
 * way; one whose Lease has only run out may yet act.
 */
export function judgeHostShard(
  { metadata }: Pick<HypervisorHost, 'metadata'>,
  shards: readonly Shard[],
  own: string,
): HostShard {
  const [first, ...others] = shards
    .filter(({ name, isTaken }) => isTaken || name === own)
    .filter(({ selector }) => matchesSelector(selector, metadata.labels ?? {}))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (first === undefined) return { kind: 'none' };
  if (others.length > 0) return { kind: 'conflict', shards: [first, ...others] };
  return first.name === own ? { kind: 'own' } : { kind: 'other' };
}

/** Whether `own` is the one that speaks of what is on no host of anybody's: of those that are held the first by name. */
export const isFirstShard = (shards: readonly Shard[], own: string): boolean =>
  shards.filter(({ isHeld }) => isHeld).every(({ name }) => name >= own) &&
  shards.some(({ name, isHeld }) => isHeld && name === own);

/** A shard as an admin knows it. */
export const describeShard = ({ name, selector }: Shard): string =>
  `${name} (${formatLabelSelector(selector) || 'every host'})`;
