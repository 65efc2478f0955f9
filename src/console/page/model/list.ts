/** All VMs as rows: what a person looks for, and what needs one first. Pure. */
import { isReason, reasonTable } from '../../../api/v1alpha1/reasons.ts';
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import { fullName, machineOf, type Readiness, readinessOf } from '../../../view/subject.ts';
import { sizeIn } from './board.ts';
import type { Filter } from './route.ts';
import { isPaused } from './words.ts';

/** How it is with a VM, for colour, sign and order. */
export type Tone = 'danger' | 'warning' | 'moving' | 'paused' | 'unknown' | 'good';

/** What needs a human first. */
const rankOf: Readonly<Record<Tone, number>> = { danger: 0, warning: 1, unknown: 2, moving: 3, paused: 4, good: 5 };
const order = (Object.keys(rankOf) as Tone[]).sort((a, b) => rankOf[a] - rankOf[b]);

export type Row = {
  readonly key: string;
  readonly resource: VirtualMachineMemory;
  readonly namespace: string;
  readonly name: string;
  readonly machine: string;
  readonly host: string;
  readonly wanted: string;
  readonly current: string;
  readonly readiness: Readiness;
  readonly tone: Tone;
  readonly isPaused: boolean;
  /** What the search looks at. */
  readonly haystack: string;
};

function toneOf({ ready, reason }: Readiness): Tone {
  if (reason === 'Paused') return 'paused';
  if (ready === 'True') return 'good';
  if (!isReason(reason)) return 'unknown';
  const { stalled, warning } = reasonTable[reason];
  return stalled ? 'danger' : warning ? 'warning' : 'moving';
}

export function rowOf(resource: VirtualMachineMemory): Row {
  const { metadata, spec, status } = resource;
  const readiness = readinessOf(resource);
  const row = {
    ...{ key: fullName(resource), resource, readiness, tone: toneOf(readiness), isPaused: isPaused(resource) },
    ...{ namespace: metadata.namespace, name: metadata.name, machine: machineOf(resource) },
    host: status?.hostName ?? '',
    wanted: String(spec.memory ?? ''),
    current: status?.memory?.current ?? '',
  };
  const said = [row.key, row.machine, row.host, readiness.reason, spec.virtualMachine.uuid ?? ''];
  if (row.isPaused) said.push('paused');
  return { ...row, haystack: said.join(' ').toLowerCase() };
}

/** The rows that a filter lets through, in its order. */
export function filterRows(rows: readonly Row[], { text, namespace, host, reason, sort }: Filter): readonly Row[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const kept = rows.filter(
    (row) =>
      (namespace === '' || row.namespace === namespace) &&
      (host === '' || row.host === host) &&
      (reason === '' || row.readiness.reason === reason) &&
      words.every((word) => row.haystack.includes(word)),
  );
  const byName = (a: Row, b: Row): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
  switch (sort) {
    case 'attention':
      return kept.sort((a, b) => rankOf[a.tone] - rankOf[b.tone] || byName(a, b));
    case 'name':
      return kept.sort(byName);
    case 'size':
      return kept.sort((a, b) => sizeIn(b.current) - sizeIn(a.current) || byName(a, b));
    case 'since':
      return kept.sort((a, b) => sinceMs(b) - sinceMs(a) || byName(a, b));
    default:
      return sort satisfies never;
  }
}

const sinceMs = ({ readiness }: Row): number => (readiness.since === null ? Infinity : Date.parse(readiness.since));

/** What there is to choose from, each with how many rows have it, the most frequent first. */
export function choicesOf(rows: readonly Row[], of: (row: Row) => string): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(of(row), (counts.get(of(row)) ?? 0) + 1);
  counts.delete('');
  return [...counts].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
}

/** How many rows of each tone, those that need a human first; none of which there is none. */
export function countTones(rows: readonly Row[]): readonly (readonly [Tone, number])[] {
  return order
    .map((tone) => [tone, rows.filter((row) => row.tone === tone).length] as const)
    .filter(([, count]) => count > 0);
}
