/** What the console shows now, and whoever looks at it. Holds; asks nobody. */
import { isDeepStrictEqual } from 'node:util';
import type { Seen } from '../operator/backend.ts';
import { findOtherWriters } from '../view/ownership.ts';
import type { ConsoleEvent, Item } from './wire.ts';

type DataOf<K extends ConsoleEvent['event']> = Extract<ConsoleEvent, { event: K }>['data'];

/**
 * So many versions of a resource are remembered: a person decides on what they saw, and a controller may have written a
 * status since, again and again.
 */
const rememberedVersions = 16;

const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`;

/** A resource for the page. */
export function itemOf({ object }: Seen): Item {
  const { metadata, ...rest } = object as { readonly metadata?: Readonly<Record<string, unknown>> };
  const { managedFields: _, ...shown } = metadata ?? {};
  return { object: { ...rest, metadata: shown }, writers: [...findOtherWriters(object)] };
}

/** Versions of one resource, the newest last. */
type Versions = { readonly uid: string; readonly seen: readonly Seen[] };

export class Board {
  readonly #versions = new Map<string, Versions>();
  readonly #listeners = new Set<(event: ConsoleEvent) => void>();
  #hello: DataOf<'hello'>;
  #hosts: DataOf<'hosts'> = { items: [] };
  #trouble: DataOf<'trouble'> = { problems: [], note: null };
  #connection: DataOf<'connection'> = { state: 'live', message: '' };
  /** Whether the first complete set is there: before, nobody is told that there is nothing. */
  #isComplete = false;

  constructor(hello: DataOf<'hello'>) {
    this.#hello = hello;
  }

  /** Calls `listener` for everything that is new from now on, until the returned function is called. */
  subscribe(listener: (event: ConsoleEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** All that is known, as events: what a page begins with. */
  snapshot(): readonly ConsoleEvent[] {
    return [
      { event: 'hello', data: this.#hello },
      { event: 'connection', data: this.#connection },
      ...(this.#isComplete ? [this.#resources()] : []),
      { event: 'hosts', data: this.#hosts },
      { event: 'trouble', data: this.#trouble },
    ];
  }

  /** A resource as it is known now; null: there is none. */
  find(namespace: string, name: string): Seen | null {
    return this.#versions.get(keyOf(namespace, name))?.seen.at(-1) ?? null;
  }

  /** The same as it was at a version that a person saw; null: that isn't known (any more). */
  findAt(namespace: string, name: string, resourceVersion: string): Seen | null {
    const versions = this.#versions.get(keyOf(namespace, name))?.seen ?? [];
    return versions.find(({ resource }) => resource.metadata.resourceVersion === resourceVersion) ?? null;
  }

  /** A resource is new, or another. */
  put(seen: Seen): void {
    const { namespace, name, uid, resourceVersion } = seen.resource.metadata;
    const key = keyOf(namespace, name);
    const before = this.#versions.get(key);
    const known = before?.uid === uid ? before.seen : [];
    if (known.some(({ resource }) => resource.metadata.resourceVersion === resourceVersion)) return;
    this.#versions.set(key, { uid, seen: [...known.slice(1 - rememberedVersions), seen] });
    if (this.#isComplete) this.#tell({ event: 'resource', data: { item: itemOf(seen) } });
  }

  /** A resource is gone. */
  remove(namespace: string, name: string): void {
    const key = keyOf(namespace, name);
    const gone = this.#versions.get(key);
    if (gone === undefined) return;
    this.#versions.delete(key);
    if (this.#isComplete) this.#tell({ event: 'gone', data: { namespace, name, uid: gone.uid } });
  }

  /** These are all that there are. */
  replace(all: readonly Seen[]): void {
    const present = new Set(all.map(({ resource: { metadata } }) => keyOf(metadata.namespace, metadata.name)));
    for (const [key, { seen }] of this.#versions) {
      const metadata = seen.at(-1)?.resource.metadata;
      if (metadata !== undefined && !present.has(key)) this.remove(metadata.namespace, metadata.name);
    }
    for (const seen of all) this.put(seen);
    this.complete();
  }

  /** All that there are have been put here. */
  complete(): void {
    if (this.#isComplete) return;
    this.#isComplete = true;
    this.#tell(this.#resources());
  }

  setHello(hello: Partial<DataOf<'hello'>>): void {
    const next = { ...this.#hello, ...hello };
    if (isDeepStrictEqual(next, this.#hello)) return;
    this.#hello = next;
    this.#tell({ event: 'hello', data: next });
  }

  /** null: they may not be read. */
  setHosts(items: readonly object[] | null): void {
    if (isDeepStrictEqual(items, this.#hosts.items)) return;
    this.#hosts = { items };
    this.#tell({ event: 'hosts', data: this.#hosts });
  }

  setTrouble(trouble: DataOf<'trouble'>): void {
    if (isDeepStrictEqual(trouble, this.#trouble)) return;
    this.#trouble = trouble;
    this.#tell({ event: 'trouble', data: trouble });
  }

  /** @param message why it isn't live */
  setConnection(state: DataOf<'connection'>['state'], message = ''): void {
    const next = { state, message };
    if (isDeepStrictEqual(next, this.#connection)) return;
    this.#connection = next;
    this.#tell({ event: 'connection', data: next });
  }

  #resources(): ConsoleEvent {
    const now = [...this.#versions.values()].flatMap(({ seen }) => seen.slice(-1));
    return { event: 'resources', data: { items: now.map(itemOf) } };
  }

  #tell(event: ConsoleEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}
