/**
 * The state of all resources, for Prometheus: how many say what, how much memory is wanted and there, and for how long
 * somebody has not had what was asked for. Read from what is cached, at every scrape.
 */
import { Gauge, type Registry } from 'prom-client';
import { findCondition } from '../../api/v1alpha1/conditions.ts';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { Bytes } from '../../memory/bytes.ts';
import { sizeIn } from './resize.ts';

/** Namespaces beyond so many, those with the most memory first, are told as one. */
export const mostNamespaces = 100;
/** No namespace is called so. */
const otherNamespaces = '_other';

type Memory = { wanted: number; current: number };

export type Fleet = {
  /** Resources by the reason of Ready; those that have none yet have an empty one. */
  readonly byReason: ReadonlyMap<string, number>;
  /** For how long the one has been not Ready that has been so longest, seconds, by reason. */
  readonly longestUnready: ReadonlyMap<string, number>;
  /** Bytes, by namespace. */
  readonly memory: ReadonlyMap<string, Readonly<Memory>>;
};

/** Counts. Pure. */
export function countFleet(resources: readonly VirtualMachineMemory[], nowMs: number): Fleet {
  const byReason = new Map<string, number>();
  const longestUnready = new Map<string, number>();
  const memory = new Map<string, Memory>();
  // Fifty thousand resources have few sizes among them, and each would be parsed at every scrape.
  const sizes = new Map<string, Bytes | null>();
  const read = (text: string | undefined): Bytes | null => {
    if (text === undefined) return null;
    let size = sizes.get(text);
    if (size === undefined) sizes.set(text, (size = sizeIn(text)));
    return size;
  };
  for (const { metadata, spec, status } of resources) {
    const ready = findCondition(status?.conditions, 'Ready');
    const reason = ready?.reason ?? '';
    byReason.set(reason, (byReason.get(reason) ?? 0) + 1);
    if (ready?.status !== 'True') {
      const sinceMs = Date.parse(ready?.lastTransitionTime ?? metadata.creationTimestamp);
      const seconds = Number.isNaN(sinceMs) ? 0 : Math.max(0, (nowMs - sinceMs) / 1000);
      longestUnready.set(reason, Math.max(seconds, longestUnready.get(reason) ?? 0));
    }
    const current = read(status?.memory?.current) ?? 0;
    const sum = memory.get(metadata.namespace) ?? { wanted: 0, current: 0 };
    sum.current += current;
    // Without a wish it is to stay as it is.
    sum.wanted += (spec.memory === undefined ? null : read(String(spec.memory))) ?? current;
    memory.set(metadata.namespace, sum);
  }
  return { byReason, longestUnready, memory: bounded(memory) };
}

function bounded(memory: ReadonlyMap<string, Memory>): ReadonlyMap<string, Memory> {
  if (memory.size <= mostNamespaces) return memory;
  const sorted = [...memory].toSorted(([, a], [, b]) => b.wanted + b.current - (a.wanted + a.current));
  const others: Memory = { wanted: 0, current: 0 };
  for (const [, { wanted, current }] of sorted.slice(mostNamespaces)) {
    others.wanted += wanted;
    others.current += current;
  }
  return new Map([...sorted.slice(0, mostNamespaces), [otherNamespaces, others]]);
}

/** Declares the metrics in `registry`; `read` is asked once at every scrape. */
export function declareFleetMetrics(registry: Registry, read: () => Fleet): void {
  const bound = `; the ${mostNamespaces} largest namespaces, ${otherNamespaces} for the rest.`;
  let fleet: Fleet | null = null;
  const declare = (
    name: string,
    help: string,
    label: 'reason' | 'namespace',
    values: (fleet: Fleet) => Iterable<readonly [string, number]>,
  ): void => {
    new Gauge({
      ...{ name, help, labelNames: [label], registers: [registry] },
      collect() {
        // A scrape collects all of them in one turn of the event loop: they are of one moment, and counted once.
        if (fleet === null) queueMicrotask(() => (fleet = null));
        fleet ??= read();
        this.reset();
        for (const [key, value] of values(fleet)) this.set({ [label]: key }, value);
      },
    });
  };
  declare(
    'dimmer_resources',
    'Resources by the reason of Ready; an empty one: they have none yet.',
    'reason',
    (all) => all.byReason,
  );
  declare(
    'dimmer_longest_unready_seconds',
    'For how long the resource has been not Ready that has been so longest, by the reason of Ready.',
    'reason',
    (all) => all.longestUnready,
  );
  const sums = (what: keyof Memory) => (all: Fleet) =>
    [...all.memory].map(([namespace, sum]): [string, number] => [namespace, sum[what]]);
  declare('dimmer_memory_wanted_bytes', `Memory that resources ask for${bound}`, 'namespace', sums('wanted'));
  declare('dimmer_memory_current_bytes', `Memory that their VMs have${bound}`, 'namespace', sums('current'));
}
