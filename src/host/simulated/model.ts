/** The simulated host's own picture of a virtual machine. */
import type { SharedWith } from '../../memory/backing.ts';
import type { BalloonDevice, GuestAgentWord, GuestSystem } from '../../memory/guest-facts.ts';
import { type Bytes, bytes, GiB, MiB, sumBytes, zeroBytes } from '../../memory/bytes.ts';
import { keptAlias } from '../../memory/kept-text.ts';
import { aliasOfSlot, type NodeMemory } from '../../memory/module.ts';
import type { OperationState } from '../../memory/operation-state.ts';
import { isTakenAt, type PlacedDevice, type Region } from '../rules/addresses.ts';
import { settleMarks } from '../rules/marks.ts';
import { type GrowingVm, holderOf } from '../rules/namespace-limit.ts';
import type { DefinedModule } from '../rules/stored.ts';
import type { BareGuest, Uptake } from '../rules/uptake.ts';
import { totalOf } from '../rules/total.ts';
import type { Departure, ReportTime } from '../rules/report-correction.ts';
import type { DomainState, GuestStatistics, LayoutBacking, MemoryLayout } from '../port.ts';

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
  onlineAtMs: number;
  /** How much of it the guest onlines; it takes none of a module at an address that isn't a multiple of its block. */
  onlines: Bytes;
  refusedAtMs: number | null;
};

/** A report as the guest made it. */
export type SimulatedReport = Omit<GuestStatistics, 'fresh' | 'ofThisBoot' | 'takenOfModules' | 'totalWithoutModules'> &
  ReportTime & {
    /** When it was made, not rounded. */
    readonly madeAtMs: number;
  };

/** A stored definition. */
export type SimulatedStored = {
  readonly boot: readonly NodeMemory[];
  readonly maxMemory: Bytes | null;
  readonly slots: number;
  readonly modules: readonly DefinedModule[];
};

/** The mutable truth about a simulated virtual machine. */
export type SimulatedDomain = {
  readonly uuid: string;
  readonly name: string;
  state: DomainState;
  boot: readonly NodeMemory[];
  modules: readonly SimulatedModule[];
  slots: number;
  /** null: it is transient. */
  stored: SimulatedStored | null;
  slotsUsedByOthers: readonly number[];
  readonly slotsTakenUnseen: readonly number[];
  readonly others: readonly SimulatedDevice[];
  maxMemory: Bytes | null;
  readonly otherBytes: Bytes;
  readonly otherTotal: Bytes;
  readonly backings: readonly LayoutBacking[];
  readonly hardLimit: Bytes | null;
  readonly pinned: boolean;
  readonly sharedWith: { readonly backend: SharedWith; readonly regions: number } | null;
  readonly hotplugProblem: string | null;
  readonly guestSystem: GuestSystem | null;
  readonly balloonDevice: BalloonDevice;
  /** What the agent in the guest said last; null: nobody asks it. */
  guestAgent: GuestAgentWord | null;
  readonly architecture: string;
  readonly pageSize: Bytes | null;
  readonly granularity: Bytes | null;
  used: Bytes;
  readonly kept: Bytes | null;
  reports: boolean;
  /** Since when the guest neither reports nor answers, though it did before; null: it does. */
  silentSinceMs: number | null;
  /** What the guest said last; null: nothing since it booted. See guest.ts. */
  report: SimulatedReport | null;
  /** What the agent knows to have left and the guest may not have reported yet. */
  departures: readonly Departure[];
  ownerNamespace: string | null;
  /** What the agent knows the guest to have had before its modules; see host/rules/uptake.ts. */
  uptake: Uptake | null;
  bare: BareGuest | null;
  /** When the agent last saw the modules change; null: it never has. */
  modulesChangedAtMs: number | null;
  /** When the agent first saw the domain. */
  firstSeenAtMs: number;
  /** Whether the agent says since when nothing has changed. */
  saysSince: boolean;
  /** Whether the agent says what is stored. */
  saysStored: boolean;
  /** Memory that QEMU has and the agent knows to be hidden. */
  hidden: MemoryLayout['hidden'];
  /** What the balloon holds back. */
  inflated: Bytes;
  /** A plug came to lie where the guest takes nothing, and what was there then; null: none did. */
  misplaced: { readonly region: string; readonly problem: string } | null;
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
  /** How much the guest onlines of each module that is plugged from now on. */
  onlines: Bytes | 'all';
};

export type SimulatedDevice = PlacedDevice & { readonly at: Bytes };

/** Hotplugged memory begins above the 4 GiB hole. */
const firstBase = 4 * GiB;

/** QEMU aligns a module to 2 MiB. */
const baseUnit = 2 * MiB;

/** The lowest address at which `size` fits among what is there. */
export function nextBase({ modules, others }: Pick<SimulatedDomain, 'modules' | 'others'>, size: Bytes): Bytes {
  let base = firstBase;
  const there = [...modules, ...others.map((device) => ({ base: device.at, size: device.size }))];
  for (const device of there.toSorted((a, b) => a.base - b.base)) {
    if (device.base - base >= size) break;
    base = Math.ceil((device.base + device.size) / baseUnit) * baseUnit;
  }
  return bytes(base);
}

/** What decides on the place of a new module. */
export const regionOf = ({ architecture, boot, modules, others }: SimulatedDomain): Region => ({
  architecture,
  bootMemory: sumBytes(boot.map(({ size }) => size)),
  devices: [...others, ...modules.map(({ alias, base, size }) => ({ name: alias, base, size }))],
});

/** How much of a module the guest onlines when it meets it. */
export function onlinedOf(
  { architecture, onlines }: Pick<SimulatedDomain, 'architecture' | 'onlines'>,
  { base, size }: Pick<SimulatedModule, 'base' | 'size'>,
): Bytes {
  if (!isTakenAt(base, architecture) || !isTakenAt(size, architecture)) return zeroBytes;
  return onlines === 'all' ? size : bytes(Math.min(size, onlines));
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
    /** Absent: QEMU's choice. */
    readonly base?: Bytes | null;
  },
): SimulatedModule {
  const base = module.base ?? nextBase(domain, module.size);
  const added: SimulatedModule = {
    slot: module.slot,
    base,
    size: module.size,
    node: module.node,
    alias: module.alias ?? aliasOfSlot(module.slot),
    pageSize: module.pageSize ?? null,
    onlineAtMs: module.onlineAtMs,
    onlines: onlinedOf(domain, { base, size: module.size }),
    refusedAtMs: null,
  };
  domain.modules = [...domain.modules, added].toSorted((a, b) => a.slot - b.slot);
  return added;
}

/** What the guest of a running domain has, in bytes. */
export const simulatedTotal = (domain: SimulatedDomain): number => totalOf(domain);

/** What a running domain has, and whose it is. */
export const holdingOf = (domain: SimulatedDomain): GrowingVm => ({
  holder: holderOf({ claim: domain.operations.claim, ownerNamespace: domain.ownerNamespace }),
  committed: simulatedTotal(domain),
});

/** The marks that hold now. @param forgotAtMs when the guest forgot what it was asked; null: it didn't */
export function settledMarks(
  { operations, modules }: Pick<SimulatedDomain, 'operations' | 'modules'>,
  nowMs: number,
  forgotAtMs: number | null = null,
): OperationState['marks'] {
  const refused = modules.flatMap(({ alias, refusedAtMs }) =>
    refusedAtMs === null ? [] : [[keptAlias(alias), refusedAtMs] as const],
  );
  return settleMarks(operations.marks, modules, { refusals: new Map(refused), forgotAtMs }, nowMs);
}
