/** Where an operator's commands look and what they change: the state directory of a standalone, or a cluster. */
import type { HypervisorHost } from '../api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import type { Bytes } from '../memory/bytes.ts';
import type { ShrinkPolicy } from '../memory/policies.ts';
import type { ShownEvent } from '../view/events.ts';
import type { OtherWriter } from '../view/ownership.ts';

/** Whose resources: those of `dimmer standalone`, or those of a cluster. */
export type Place = 'standalone' | 'cluster';

/** A resource, and the object that it was read from, as programs get it. */
export type Seen<T = VirtualMachineMemory> = { readonly resource: T; readonly object: object };

/** Something that is wrong besides: a manifest that doesn't count, a process that isn't there. */
export type Trouble = {
  /** In lines of their own, each beginning with its place. */
  readonly problems: readonly string[];
  /** null: nothing else. */
  readonly note: string | null;
};

/** What a resource is to want. */
export type SizeWish = {
  readonly memory: Bytes;
  /** Written together with the size, so that neither stands without the other; absent: what the spec says stays. */
  readonly shrinkPolicy?: ShrinkPolicy | undefined;
};

export type SizeSet =
  /** It stands there; `by` says where, for people. */
  | { readonly outcome: 'set'; readonly by: string }
  /** The resource isn't what was shown any more. */
  | { readonly outcome: 'changed' }
  /** It is refused, in the words of who refuses it: that size can't be had. */
  | { readonly outcome: 'refused'; readonly message: string };

/** As {@link SizeSet}, of what is no size. */
export type WishSet = { readonly outcome: 'set' } | Exclude<SizeSet, { readonly outcome: 'set' }>;

export interface Backend {
  readonly place: Place;
  /** All resources in sight, by name. @throws Error in words for people where nothing can be read */
  list(): Promise<readonly Seen[]>;
  /** One of them. @throws Error where there is none of that name, or several */
  get(name: string): Promise<Seen>;
  /** The same with its events, the newest last. @throws as {@link get} */
  look(name: string): Promise<{ readonly seen: Seen; readonly events: readonly ShownEvent[] }>;
  /** The events of one, the newest last. */
  events(resource: VirtualMachineMemory): Promise<readonly ShownEvent[]>;
  /** The hosts, and the resources that may wait for them; null: those can't be read. */
  hosts(): Promise<{ readonly hosts: readonly Seen<HypervisorHost>[]; readonly resources: readonly Seen[] | null }>;
  /** What is wrong besides, with one of them or with any. */
  trouble(resource: VirtualMachineMemory | null): Trouble;
  /** Who else writes the size of a resource; empty: nobody. */
  writers(seen: Seen): readonly OtherWriter[];
  /** Writes the size, onto what was seen and nothing else. @throws Error where it can't be written */
  setMemory(seen: Seen, wish: SizeWish): Promise<SizeSet>;
  /**
   * Asks for another try, or for another look, without a size or a policy of it changing. @param at RFC 3339
   * @throws Error where it can't be asked
   */
  ask(seen: Seen, what: 'retry' | 'observe', at: string): Promise<WishSet>;
  /** What is there now, and again after every change of it, until `signal`; of one, or of all. */
  follow(name: string | null, signal: AbortSignal): AsyncIterable<readonly Seen[]>;
}
