/** The host's memory as the kernel tells it. */
import { readdirSync, readFileSync } from 'node:fs';
import type { HostMemoryReading } from '../../agent/driver.ts';
import type { HostNode, HugepagePool } from '../../host/port.ts';
import { type Bytes, bytes, isBytes, KiB, sumBytes, zeroBytes } from '../../memory/bytes.ts';

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
