/** The simulated host's own picture of a virtual machine. */
import { type Bytes, bytes, GiB, gib, mib, zeroBytes } from '../../memory/bytes.ts';
import { aliasOfSlot, type NodeMemory } from '../../memory/module.ts';
import { emptyOperationState, type OperationState, restingMs } from '../../memory/operation-state.ts';
import { totalOf } from '../rules/total.ts';
import type { Departure, ReportTime } from '../rules/report-correction.ts';
import type { DomainState, GuestStatistics, LayoutBacking } from '../port.ts';

/** What a module does when the guest is asked for it. */
export type UnplugBehaviour = 'accept' | 'refuse' | 'silent';

export type SimulatedModule = {
  readonly slot: number;
  readonly base: Bytes;
  readonly size: Bytes;
  readonly node: number;
  readonly alias: string;
  readonly pageSize: Bytes | null;
  /** When the guest has onlined it, epoch milliseconds; Infinity: never. */
  readonly onlineAtMs: number;
  refusedAtMs: number | null;
};

/** A report as the guest made it. */
export type SimulatedReport = Omit<GuestStatistics, 'fresh' | 'ofThisBoot'> &
  ReportTime & {
    /** When it was made, not rounded. */
    readonly madeAtMs: number;
  };

/** A virtual machine to begin with. Everything but uuid and name has a sane value. */
export type SimulatedDomainSpec = {
  readonly uuid: string;
  readonly name: string;
  /** Default: Running, booted an hour ago. */
  readonly state?: DomainState;
  /** Boot memory, on node 0 or per guest node. Default 1 GiB. */
  readonly boot?: Bytes | readonly NodeMemory[];
  /** Modules in rising slots from 0, unless they say which. */
  readonly modules?: readonly {
    readonly size: Bytes;
    readonly slot?: number;
    readonly node?: number;
    readonly alias?: string;
  }[];
  /** Default 16. */
  readonly slots?: number;
  /** null: no hotplug. Default 64 GiB. */
  readonly maxMemory?: Bytes | null;
  readonly otherBytes?: Bytes;
  /** What other devices give the guest, of `otherBytes`. */
  readonly otherTotal?: Bytes;
  readonly slotsUsedByOthers?: readonly number[];
  readonly pageSize?: Bytes | null;
  /** Default: `pageSize` behind all nodes. */
  readonly backings?: readonly LayoutBacking[];
  readonly hardLimit?: Bytes | null;
  readonly granularity?: Bytes | null;
  /** What the guest's processes use. Default 64 MiB. */
  readonly used?: Bytes;
  /** False: no balloon, the guest never reports. Default true. */
  readonly reports?: boolean;
  /** How the guest answers when it is asked for a module. Default `accept`. */
  readonly unplugBehaviour?: UnplugBehaviour;
  readonly ownerNamespace?: string | null;
};

/** The mutable truth about a simulated virtual machine. */
export type SimulatedDomain = {
  readonly uuid: string;
  readonly name: string;
  state: DomainState;
  readonly boot: readonly NodeMemory[];
  modules: readonly SimulatedModule[];
  readonly slots: number;
  readonly slotsUsedByOthers: readonly number[];
  readonly maxMemory: Bytes | null;
  readonly otherBytes: Bytes;
  readonly otherTotal: Bytes;
  readonly backings: readonly LayoutBacking[];
  readonly hardLimit: Bytes | null;
  readonly pageSize: Bytes | null;
  readonly granularity: Bytes | null;
  used: Bytes;
  /** What the balloon holds back from the guest. */
  balloonHeld: Bytes;
  reports: boolean;
  /** Since when the guest neither reports nor answers, though it did before; null: it does. */
  silentSinceMs: number | null;
  /** What the guest said last; null: nothing since it booted. See guest.ts. */
  report: SimulatedReport | null;
  /** What the agent knows to have left and the guest may not have reported yet. */
  departures: readonly Departure[];
  ownerNamespace: string | null;
  /** Counts starts of the QEMU process. */
  run: number;
  bootedAtMs: number;
  /** Set while paused: statistics stand still. */
  pausedAtMs: number | null;
  migrating: boolean;
  operations: OperationState;
  behaviour: UnplugBehaviour;
  /** Behaviour of single slots; wins over `behaviour`. */
  readonly slotBehaviour: Map<number, { readonly behaviour: UnplugBehaviour; readonly times: number }>;
  /** False: modules plugged from now on are never onlined by the guest. */
  onlines: boolean;
};

/** Hotplugged memory begins above the 4 GiB hole. */
const firstBase = 4 * GiB;

/** The lowest address at which `size` fits among `modules`. */
function nextBase(modules: readonly SimulatedModule[], size: Bytes): Bytes {
  let base = firstBase;
  for (const module of modules.toSorted((a, b) => a.base - b.base)) {
    if (module.base - base >= size) break;
    base = module.base + module.size;
  }
  return bytes(base);
}

/** A virtual machine as `spec` says, booted an hour before `nowMs`. */
export function createSimulatedDomain(spec: SimulatedDomainSpec, nowMs: number): SimulatedDomain {
  const boot = spec.boot ?? gib(1);
  const domain: SimulatedDomain = {
    uuid: spec.uuid,
    name: spec.name,
    state: spec.state ?? 'Running',
    boot: typeof boot === 'number' ? [{ node: 0, size: boot }] : boot,
    modules: [],
    slots: spec.slots ?? 16,
    slotsUsedByOthers: spec.slotsUsedByOthers ?? [],
    maxMemory: spec.maxMemory === undefined ? gib(64) : spec.maxMemory,
    otherBytes: spec.otherBytes ?? zeroBytes,
    otherTotal: spec.otherTotal ?? zeroBytes,
    backings: spec.backings ?? [],
    hardLimit: spec.hardLimit ?? null,
    pageSize: spec.pageSize ?? null,
    granularity: spec.granularity ?? null,
    used: spec.used ?? mib(64),
    balloonHeld: zeroBytes,
    reports: spec.reports ?? true,
    silentSinceMs: null,
    report: null,
    departures: [],
    ownerNamespace: spec.ownerNamespace ?? null,
    run: 1,
    bootedAtMs: nowMs - 3_600_000,
    pausedAtMs: null,
    migrating: false,
    operations: emptyOperationState,
    behaviour: spec.unplugBehaviour ?? 'accept',
    slotBehaviour: new Map(),
    onlines: true,
  };
  for (const [index, module] of (spec.modules ?? []).entries()) {
    const slot = module.slot ?? index;
    addModule(domain, { slot, size: module.size, node: module.node ?? 0, alias: module.alias, onlineAtMs: 0 });
  }
  return domain;
}

/** Puts a module into the domain, whatever any guard would say. */
export function addModule(
  domain: SimulatedDomain,
  module: {
    readonly slot: number;
    readonly size: Bytes;
    readonly node: number;
    readonly alias?: string | undefined;
    readonly pageSize?: Bytes | null;
    readonly onlineAtMs: number;
  },
): void {
  const added: SimulatedModule = {
    slot: module.slot,
    base: nextBase(domain.modules, module.size),
    size: module.size,
    node: module.node,
    alias: module.alias ?? aliasOfSlot(module.slot),
    pageSize: module.pageSize ?? null,
    onlineAtMs: module.onlineAtMs,
    refusedAtMs: null,
  };
  domain.modules = [...domain.modules, added].toSorted((a, b) => a.slot - b.slot);
}

/** What the guest of a running domain has, in bytes. */
export const simulatedTotal = (domain: SimulatedDomain): number => totalOf(domain);

/** The marks that still count: resting ones end by themselves. */
export const liveMarks = (operations: OperationState, nowMs: number): OperationState['marks'] =>
  operations.marks.filter((mark) => mark.phase === 'leaving' || nowMs - mark.lastAskedAtMs < restingMs);
