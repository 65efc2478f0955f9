/** A simulated virtual machine to begin with: what may be said of it, and what it is where nothing is said. */
import type { SharedWith } from '../../memory/backing.ts';
import type { BalloonDevice, GuestSystem } from '../../memory/guest-facts.ts';
import { type Bytes, gib, mib, zeroBytes } from '../../memory/bytes.ts';
import type { NodeMemory } from '../../memory/module.ts';
import { emptyOperationState } from '../../memory/operation-state.ts';
import type { DomainState, LayoutBacking } from '../port.ts';
import {
  addModule,
  nextBase,
  type SimulatedDevice,
  type SimulatedDomain,
  type SimulatedStored,
  type UnplugBehaviour,
} from './model.ts';

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
  /** Slots that only QEMU knows to be taken, as by a device on its command line. */
  readonly slotsTakenUnseen?: readonly number[];
  /** Devices in the region of modules that are none, at its beginning; `isPlaced` false: libvirt shows no place. */
  readonly others?: readonly { readonly name: string; readonly size: Bytes; readonly isPlaced: boolean }[];
  readonly pageSize?: Bytes | null;
  /** Default: `pageSize` behind all nodes. */
  readonly backings?: readonly LayoutBacking[];
  readonly hardLimit?: Bytes | null;
  /** Whether a device has all of the memory pinned. Default false. */
  readonly pinned?: boolean;
  /** Another process that maps the memory, and how many regions of it QEMU may have before it refuses more. */
  readonly sharedWith?: { readonly backend: SharedWith; readonly regions: number } | null;
  /** Why no module can be plugged, ever. */
  readonly hotplugProblem?: string;
  /** Default `x86_64`. */
  readonly architecture?: string;
  readonly granularity?: Bytes | null;
  /** What the guest's processes use. Default 64 MiB. */
  readonly used?: Bytes;
  /** What the guest's kernel keeps of its boot memory for itself. Default 4 %. */
  readonly kept?: Bytes;
  /** By what it could report, as the definition says. Default: a balloon with statistics. */
  readonly balloonDevice?: BalloonDevice;
  /** False: the guest never reports. Default true. */
  readonly reports?: boolean;
  /** What its definition says runs in it. Default: nothing. */
  readonly guestSystem?: GuestSystem;
  /** How the guest answers when it is asked for a module. Default `accept`. */
  readonly unplugBehaviour?: UnplugBehaviour;
  /** Slots of modules that the guest never gives up, whatever it does about others. Default none. */
  readonly pinnedSlots?: readonly number[];
  readonly ownerNamespace?: string | null;
  /** What the VM would be started with. Default: as it is, without modules. null: it is transient. */
  readonly stored?: Partial<SimulatedStored> | null;
};

/** Devices from the beginning of the region on. */
function placeOthers(others: NonNullable<SimulatedDomainSpec['others']>): readonly SimulatedDevice[] {
  const placed: SimulatedDevice[] = [];
  for (const { name, size, isPlaced } of others) {
    const at = nextBase({ modules: [], others: placed }, size);
    placed.push({ name, size, at, base: isPlaced ? at : null });
  }
  return placed;
}

/** A virtual machine as `spec` says, booted an hour before `nowMs`. */
export function createSimulatedDomain(spec: SimulatedDomainSpec, nowMs: number): SimulatedDomain {
  const { boot: bootSpec = gib(1), slots = 16, maxMemory = gib(64) } = spec;
  const boot: readonly NodeMemory[] = typeof bootSpec === 'number' ? [{ node: 0, size: bootSpec }] : bootSpec;
  const domain: SimulatedDomain = {
    uuid: spec.uuid,
    name: spec.name,
    state: spec.state ?? 'Running',
    boot,
    modules: [],
    slots,
    stored: spec.stored === null ? null : { boot, maxMemory, slots, modules: [], ...spec.stored },
    slotsUsedByOthers: spec.slotsUsedByOthers ?? [],
    slotsTakenUnseen: spec.slotsTakenUnseen ?? [],
    others: placeOthers(spec.others ?? []),
    uptake: null,
    bare: null,
    modulesChangedAtMs: null,
    firstSeenAtMs: nowMs - 3_600_000,
    saysSince: true,
    saysStored: true,
    hidden: null,
    inflated: zeroBytes,
    misplaced: null,
    maxMemory,
    otherBytes: spec.otherBytes ?? zeroBytes,
    otherTotal: spec.otherTotal ?? zeroBytes,
    backings: spec.backings ?? [],
    hardLimit: spec.hardLimit ?? null,
    pinned: spec.pinned ?? false,
    sharedWith: spec.sharedWith ?? null,
    hotplugProblem: spec.hotplugProblem ?? null,
    guestSystem: spec.guestSystem ?? null,
    guestAgent: null,
    balloonDevice: spec.balloonDevice ?? 'StatisticsOn',
    architecture: spec.architecture ?? 'x86_64',
    pageSize: spec.pageSize ?? null,
    granularity: spec.granularity ?? null,
    used: spec.used ?? mib(64),
    kept: spec.kept ?? null,
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
    slotBehaviour: new Map((spec.pinnedSlots ?? []).map((slot) => [slot, { behaviour: 'refuse', times: Infinity }])),
    onlines: 'all',
  };
  for (const [index, module] of (spec.modules ?? []).entries()) {
    const slot = module.slot ?? index;
    addModule(domain, { slot, size: module.size, node: module.node ?? 0, alias: module.alias, onlineAtMs: 0 });
  }
  return domain;
}
