/** Hosts, their memory, and what waits for room on them. Pure. */
import { findCondition } from '../api/v1alpha1/conditions.ts';
import type { HypervisorHost } from '../api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import { parseQuantity } from '../memory/quantity.ts';
import { age, block, type Look, paintColumn, type Style, table, tableWithNames } from './layout.ts';
import { inPercent, namespaceUsesOf } from './namespace-uses.ts';
import { fullName, readinessOf } from './subject.ts';

/** What a resource waits with for its host. */
const roomReasons: ReadonlySet<string> = new Set([
  'InsufficientHostMemory',
  'HugepagesUnavailable',
  'NamespaceLimitReached',
  'HostCordoned',
  'HostBusy',
]);

/** Whether a resource waits for room, or for its turn, on its host. */
export const waits = (resource: VirtualMachineMemory): boolean => roomReasons.has(readinessOf(resource).reason);

const mib = 2 ** 20;
const gib = 2 ** 30;

/** A size in GiB with one decimal place, in MiB below one: hosts are compared, not computed with. */
function inGib(size: string | number | undefined): string {
  const parsed = size === undefined ? null : parseQuantity(String(size));
  if (parsed?.ok !== true) return '-';
  if (parsed.value > 0 && parsed.value < gib) return `${Math.floor(parsed.value / mib)}Mi`;
  const count = parsed.value / gib;
  return `${Number.isInteger(count) ? count : count.toFixed(1)}Gi`;
}

/** `resources`: those that are known; null: they can't be read. `wide`: with more columns, however long lines get. */
export function describeHosts(
  hosts: readonly HypervisorHost[],
  resources: readonly VirtualMachineMemory[] | null,
  look: Look,
  nowMs: number,
  wide: boolean,
): string {
  const waiting = (resources ?? []).filter(waits);
  const rows = [
    [
      ...['NAME', 'READY', 'TOTAL', 'FREE', 'COMMITTED', 'RESERVE', 'VMS', 'WAITING'],
      ...(wide ? ['OVERCOMMIT', 'PER-NAMESPACE', 'CORDONED', 'AGENT', 'ADDRESS', 'MESSAGE'] : []),
    ],
    ...hosts.map((host) => {
      const own = waiting.filter(({ status }) => status?.hostName === host.metadata.name);
      return cellsOf(host, resources === null ? '?' : String(own.length), wide);
    }),
  ];
  const rowsShown = wide ? table(rows, Infinity) : tableWithNames(rows, look.width);
  const queue = waiting.map((resource) => {
    const { reason, since } = readinessOf(resource);
    const { spec, status } = resource;
    const sizes = `${status?.memory?.current ?? '?'} to ${spec.memory ?? '?'}`;
    const forHowLong = since === null ? '' : age(nowMs - Date.parse(since));
    return [fullName(resource), sizes, reason, forHowLong, status?.hostName ?? '?'];
  });
  const lines = [
    ...paintColumn(look, rowsShown, 'READY', (index) => styleOfHost(hosts[index])),
    ...block(
      look,
      'Waiting for room',
      queue.length === 0 ? [] : tableWithNames(queue, wide ? Infinity : look.width - 2).map((line) => `  ${line}`),
    ),
    ...block(look, 'Namespaces, of what one may have of its host', describeUses(hosts, look, wide)),
  ];
  return `${lines.join('\n')}\n`;
}

/** So many namespaces are shown where nobody asked for a wide table: the fullest. */
const fullest = 8;

/** What namespaces have where they are limited, the fullest first. */
function describeUses(hosts: readonly HypervisorHost[], look: Look, wide: boolean): readonly string[] {
  const all = hosts
    .flatMap((host) => {
      const { limit, uses } = namespaceUsesOf(host) ?? { limit: 0, uses: [] };
      return uses.map((use) => ({ ...use, limit, host: host.metadata.name }));
    })
    .toSorted((a, b) => b.share - a.share);
  if (all.length === 0) return [];
  const rows = all
    .slice(0, wide ? all.length : fullest)
    .map(({ namespace, committed, limit, share, host }) => [
      ...[namespace, `${inGib(committed)} of ${inGib(limit)}`, inPercent(share), host],
    ]);
  const lines = tableWithNames(rows, wide ? Infinity : look.width - 2).map((line) => `  ${line}`);
  const left = all.length - rows.length;
  return left === 0 ? lines : [...lines, `  and ${left} that have less; -o wide shows them`];
}

function styleOfHost(host: HypervisorHost | undefined): Style {
  const status = findCondition(host?.status?.conditions, 'Ready')?.status;
  return status === 'True' ? 'green' : status === 'False' ? 'red' : 'yellow';
}

function cellsOf(host: HypervisorHost, waiting: string, wide: boolean): readonly string[] {
  const { metadata, spec, status } = host;
  const condition = findCondition(status?.conditions, 'Ready');
  const { memory } = status ?? {};
  const cells = [
    metadata.name,
    condition?.status ?? 'Unknown',
    inGib(memory?.total),
    inGib(memory?.available),
    inGib(memory?.committed),
    inGib(spec.memoryReserve ?? 0),
    String(status?.virtualMachines ?? '-'),
    waiting,
  ];
  if (!wide) return cells;
  const cordoned = spec.cordoned === true ? 'yes' : 'no';
  const { agentVersion = '-' } = status ?? {};
  const overcommit = spec.memoryOvercommit ?? '1.0';
  const limit = inGib(namespaceUsesOf(host)?.limit);
  return [...cells, overcommit, limit, cordoned, agentVersion, spec.address, condition?.message ?? '-'];
}
