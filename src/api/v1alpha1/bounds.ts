/**
 * The bounds of the schema for what a status takes from outside: names, aliases and lists of hosts and VMs, values of
 * annotations. What is longer is cut where a status is derived, so that no name can make one unwritable. The same bounds
 * stand in crds/; test/unit/kubernetes/bounds.test.ts holds the two together.
 */
import { digest } from '../../memory/kept-text.ts';
import type { HypervisorHostStatus } from './hypervisor-host.ts';
import type { VirtualMachineMemoryStatus } from './virtual-machine-memory.ts';

/** The most characters of a text; a whole number of 32 bits; the most elements of a list, and theirs; by member. */
type Bounds = number | 'int32' | readonly [number, Bounds] | { readonly [member: string]: Bounds };

/** For a VirtualMachineMemory. What isn't named here has a form of its own: a size, a time, one of some words. */
export const memoryStatusBounds = {
  hostName: 253,
  virtualMachine: { uuid: 64, name: 255, state: 64, runtimeId: 512 },
  slots: { total: 'int32', used: 'int32' },
  modules: [256, { slot: 'int32', alias: 255, node: 'int32', refusals: 'int32' }],
  plan: { steps: [512, { node: 'int32', slot: 'int32' }], message: 32_768 },
  reachable: { ranges: [16, {}] },
  planning: {
    boot: [256, { node: 'int32' }],
    slots: { usedByOthers: [256, 'int32'], resting: [256, 'int32'], unnumbered: 'int32' },
    sharedWith: { backend: 64, left: 'int32' },
    hotplugProblem: 4096,
    backings: [256, { nodes: [256, 'int32'] }],
  },
  notOnlined: { times: 'int32' },
  replacement: { slot: 'int32' },
  drift: { runtimeId: 512, corrections: [3, {}] },
  lastHandledReconcileAt: 1024,
  lastHandledObserveAt: 1024,
} as const satisfies Bounds;

/** For a HypervisorHost. */
const hostStatusBounds = {
  agentVersion: 128,
  libvirtVersion: 128,
  hypervisorVersion: 128,
  nodes: [256, { id: 'int32', hugepages: [16, {}] }],
  virtualMachines: 'int32',
  namespaces: [16, { namespace: 63 }],
} as const satisfies Bounds;

const maxInt32 = 2 ** 31 - 1;

/**
 * At most `max` (10 or more) characters of a text, counted as the API server does: by code points. What is cut ends with a
 * digest of the whole, so that two that begin alike still differ.
 */
export function cutText(text: string, max: number): string {
  if (text.length <= max) return text;
  const characters = Array.from(text);
  return characters.length <= max ? text : `${characters.slice(0, max - 9).join('')}…${digest(text)}`;
}

/** `value` within `bounds`; itself where it is already. */
function within(value: unknown, bounds: Bounds): unknown {
  if (typeof bounds === 'number') return typeof value === 'string' ? cutText(value, bounds) : value;
  if (bounds === 'int32') return typeof value === 'number' ? Math.min(value, maxInt32) : value;
  if (isList(bounds)) {
    if (!Array.isArray(value)) return value;
    const [maxItems, ofItem] = bounds;
    const items = value.slice(0, maxItems).map((item: unknown) => within(item, ofItem));
    return items.length === value.length && items.every((item, index) => item === value[index]) ? value : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  const members = value as Readonly<Record<string, unknown>>;
  let bounded = members;
  // In place of Object.entries: every status passes here, and hardly any is changed.
  for (const name in bounds) {
    const ofMember = bounds[name];
    if (ofMember === undefined) continue;
    const member = within(members[name], ofMember);
    if (member !== members[name]) bounded = { ...bounded, [name]: member };
  }
  return bounded;
}

const isList = (bounds: Bounds): bounds is readonly [number, Bounds] => Array.isArray(bounds);

/** A status that its schema takes. Planning that would be cut is left out: a plan made from half of it would be another. */
export function boundMemoryStatus(status: VirtualMachineMemoryStatus): VirtualMachineMemoryStatus {
  const bounded = within(status, memoryStatusBounds) as VirtualMachineMemoryStatus;
  if (bounded.planning === status.planning && bounded.modules?.length === status.modules?.length) return bounded;
  const { planning: _, ...rest } = bounded;
  return rest;
}

/** A status that its schema takes. */
export function boundHostStatus(status: HypervisorHostStatus): HypervisorHostStatus {
  const bounded = within(status, hostStatusBounds) as HypervisorHostStatus;
  const { nodes } = bounded;
  if (nodes === undefined) return bounded;
  // The schema takes a list of them by their ids.
  const distinct = nodes.filter(({ id }, index) => nodes.findIndex((other) => other.id === id) === index);
  return distinct.length === nodes.length ? bounded : { ...bounded, nodes: distinct };
}
