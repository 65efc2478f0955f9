/** The host's memory as the kernel tells it, and what VMs have been promised of it. */
import { readdirSync, readFileSync } from 'node:fs';
import type { HostError } from '../host/errors.ts';
import { type HostCapacity, judgeHostMemory, withPromised } from '../host/rules/capacity.ts';
import type { HostNode, HugepagePool, PlugRequest } from '../host/port.ts';
import { type Bytes, bytes, isBytes, KiB, sumBytes, zeroBytes } from '../memory/bytes.ts';

export type HostMemoryReading = {
  readonly total: Bytes;
  readonly available: Bytes;
  readonly nodes: readonly HostNode[];
  readonly hugepagePools: readonly HugepagePool[];
  readonly defaultHugePageSize: Bytes | null;
};

/** `Name:   123 kB` lines, also with a leading `Node 0`. Amounts in bytes. */
export function parseMeminfo(text: string): ReadonlyMap<string, Bytes> {
  const values = new Map<string, Bytes>();
  for (const line of text.split('\n')) {
    const match = /^(?:Node \d+ )?([A-Za-z_()0-9]+):\s+(\d{1,15}) kB$/.exec(line.trim());
    const size = Number(match?.[2] ?? NaN) * KiB;
    if (match?.[1] !== undefined && isBytes(size)) values.set(match[1], size);
  }
  return values;
}

const list = (path: string, pattern: RegExp): readonly RegExpExecArray[] => {
  try {
    return readdirSync(path)
      .map((name) => pattern.exec(name))
      .filter((match) => match !== null);
  } catch {
    return [];
  }
};

const readCount = (path: string): number => {
  try {
    const count = Number(readFileSync(path, 'utf8').trim());
    return isBytes(count) ? count : 0;
  } catch {
    return 0;
  }
};

function readHugepages(nodePath: string): HostNode['hugepages'] {
  return list(`${nodePath}/hugepages`, /^hugepages-(\d{1,10})kB$/).map((match) => {
    const path = `${nodePath}/hugepages/${match[0]}`;
    return {
      pageSize: bytes(Number(match[1]) * KiB),
      total: readCount(`${path}/nr_hugepages`),
      free: readCount(`${path}/free_hugepages`),
    };
  });
}

/** Reservations and surplus pages, which the kernel shows for the whole host only. */
function readHugepagePools(sys: string): HugepagePool[] {
  const pools = `${sys}/kernel/mm/hugepages`;
  return list(pools, /^hugepages-(\d{1,10})kB$/).map((match) => {
    const count = (name: string): number => readCount(`${pools}/${match[0]}/${name}`);
    const onDemand = Math.max(0, count('nr_overcommit_hugepages') - count('surplus_hugepages'));
    return { pageSize: bytes(Number(match[1]) * KiB), reserved: count('resv_hugepages'), onDemand };
  });
}

function readNodes(sys: string): HostNode[] {
  const nodes = list(`${sys}/devices/system/node`, /^node(\d{1,4})$/).map((match): HostNode => {
    const path = `${sys}/devices/system/node/${match[0]}`;
    const meminfo = parseMeminfo(readFileSync(`${path}/meminfo`, 'utf8'));
    const amount = (name: string): Bytes => meminfo.get(name) ?? zeroBytes;
    return {
      id: Number(match[1]),
      total: amount('MemTotal'),
      // The kernel has no MemAvailable for a node: what is free or quickly reclaimed, judged with care.
      available: sumBytes([amount('MemFree'), amount('Inactive(file)'), amount('SReclaimable')]),
      hugepages: readHugepages(path),
    };
  });
  return nodes.toSorted((a, b) => a.id - b.id);
}

/** Reads /proc/meminfo and the nodes under /sys. @throws Error when the kernel doesn't show its memory */
export function readHostMemory(proc = '/proc', sys = '/sys'): HostMemoryReading {
  const meminfo = parseMeminfo(readFileSync(`${proc}/meminfo`, 'utf8'));
  const total = meminfo.get('MemTotal');
  const available = meminfo.get('MemAvailable');
  if (total === undefined || available === undefined) throw new Error(`${proc}/meminfo names no memory`);
  const nodes = readNodes(sys);
  const [only] = nodes;
  const node = { id: 0, total, hugepages: [], ...only, available };
  return {
    total,
    available,
    nodes: nodes.length > 1 ? nodes : [node],
    hugepagePools: readHugepagePools(sys),
    defaultHugePageSize: meminfo.get('Hugepagesize') ?? null,
  };
}

/** Gives a reservation back. */
export type EndReservation = () => void;

/**
 * The host-wide guard. Judging and reserving happen in one go without waiting in between, so that of two plugs at the
 * same time the second sees what the first was promised: the lock of the host.
 */
export class HostMemory {
  readonly #read: () => HostMemoryReading;
  readonly #committed = new Map<string, Bytes>();
  readonly #reserved = new Set<{ readonly size: Bytes; readonly pageSize: Bytes | null }>();

  /** Page size behind "huge pages" that name none; null: the host has none. */
  readonly defaultHugePageSize: Bytes | null;

  constructor(read: () => HostMemoryReading) {
    this.#read = read;
    this.defaultHugePageSize = read().defaultHugePageSize;
  }

  /** What the running domain `uuid` has been promised; 0 for one that no longer runs. */
  setCommitted(uuid: string, size: Bytes): void {
    if (size === 0) this.#committed.delete(uuid);
    else this.#committed.set(uuid, size);
  }

  /** Forgets all domains, before they are listed anew. */
  clear(): void {
    this.#committed.clear();
  }

  /** The host as it is now, less what is being plugged. */
  facts(): HostCapacity {
    const { total, available, nodes, hugepagePools } = this.#read();
    const committed = sumBytes([...this.#committed.values()]);
    const now: HostCapacity = { memory: { total, available, committed }, nodes, hugepagePools };
    return [...this.#reserved].reduce((host, { size, pageSize }) => withPromised(host, size, pageSize), now);
  }

  /** Reserves the module's memory until it is counted as committed, or says why the host can't carry it. */
  reserve(
    request: PlugRequest,
    pageSize: Bytes | null,
  ): { readonly ok: true; readonly end: EndReservation } | { readonly ok: false; readonly error: HostError } {
    const error = judgeHostMemory(this.facts(), request, pageSize);
    if (error !== null) return { ok: false, error };
    const entry = { size: request.size, pageSize };
    this.#reserved.add(entry);
    return { ok: true, end: () => this.#reserved.delete(entry) };
  }
}
