/** What an observation becomes when a step is carried out: for tests, the preview and the simulated host alike. */
import { type Bytes, bytes, GiB, MiB } from '../memory/bytes.ts';
import { aliasOfSlot } from '../memory/module.ts';
import { memoryMapOf } from './guest-safety.ts';
import type { GuestReport, PlannerModule, PlannerObservation, PlanStep, PlugStep, UnplugStep } from './types.ts';

/** Boot memory that fits below the PCI hole of q35; of more, 2 GiB stay below it and the rest goes above 4 GiB (QEMU, pc_q35.c). */
const lowMemoryLimit = 2.75 * GiB;
const lowMemoryIfSplit = 2 * GiB;
const highMemoryStart = 4 * GiB;
/** QEMU aligns a module to the page that backs it: with transparent huge pages 2 MiB. */
const baseAlignment = 2 * MiB;

/**
 * The observation after `step`: the module is there or gone, and host memory and the guest's report follow. The
 * guest is taken to online and give up everything at once.
 * @throws RangeError when the step doesn't fit the observation (slot taken, no such module)
 */
export function applyStep(observation: PlannerObservation, step: PlanStep): PlannerObservation {
  switch (step.operation) {
    case 'plug':
      return applyPlug(observation, step);
    case 'unplug':
      return applyUnplug(observation, step);
    default:
      return step satisfies never;
  }
}

function applyPlug(observation: PlannerObservation, { slot, size, node }: PlugStep): PlannerObservation {
  const { modules, slots } = observation;
  if (slot >= slots.total || slots.usedByOthers.includes(slot) || modules.some((module) => module.slot === slot)) {
    throw new RangeError(`slot ${slot} is not free`);
  }
  const module: PlannerModule = {
    slot,
    alias: aliasOfSlot(slot),
    node,
    size,
    base: freeAddress(observation, size),
    state: 'Plugged',
    refusals: 0,
    quarantined: false,
    retryAfter: null,
  };
  return { ...shiftMemory(observation, size, node), modules: [...modules, module] };
}

function applyUnplug(observation: PlannerObservation, { slot, base, size, node }: UnplugStep): PlannerObservation {
  const modules = observation.modules.filter((module) => module.slot !== slot || module.base !== base);
  if (modules.length === observation.modules.length) throw new RangeError(`no module in slot ${slot} at ${base}`);
  return { ...shiftMemory(observation, 0 - size, node), modules };
}

/** The observation while the guest hasn't answered: the step's module is leaving. */
export function applyUnplugRequest(observation: PlannerObservation, step: UnplugStep): PlannerObservation {
  return changeModule(observation, step.slot, { state: 'Leaving' });
}

/** The observation after the guest refused to give up the module of `slot`; `retryAfter` is text to quote. */
export function applyRefusal(observation: PlannerObservation, slot: number, retryAfter: string): PlannerObservation {
  const refusals = (observation.modules.find((module) => module.slot === slot)?.refusals ?? 0) + 1;
  return changeModule(observation, slot, { state: 'Plugged', refusals, quarantined: true, retryAfter });
}

function changeModule(
  observation: PlannerObservation,
  slot: number,
  change: Partial<PlannerModule>,
): PlannerObservation {
  if (!observation.modules.some((module) => module.slot === slot)) throw new RangeError(`no module in slot ${slot}`);
  const modules = observation.modules.map((module) => (module.slot === slot ? { ...module, ...change } : module));
  return { ...observation, modules };
}

/** The first gap that is large enough, as QEMU chooses it. */
function freeAddress({ boot, modules, pageSize }: PlannerObservation, size: Bytes): Bytes {
  const alignment = Math.max(baseAlignment, pageSize ?? 0);
  const bootMemory = boot.reduce((sum, node) => sum + node.size, 0);
  const aboveLow = bootMemory < lowMemoryLimit ? 0 : bootMemory - lowMemoryIfSplit;
  let address = highMemoryStart + Math.ceil(aboveLow / GiB) * GiB;
  for (const module of [...modules].sort((a, b) => a.base - b.base)) {
    if (address + size <= module.base) break;
    address = Math.max(address, Math.ceil((module.base + module.size) / alignment) * alignment);
  }
  return Math.min(address, Number.MAX_SAFE_INTEGER) as Bytes;
}

/** `change` bytes more in the guest, and less on its host; what is known of them, that is. */
function shiftMemory(observation: PlannerObservation, change: number, node: number): PlannerObservation {
  const { hostFree, hugepagesFree, namespaceFree, pageSize, guest, backings } = observation;
  const pages = backings?.find(({ nodes }) => nodes.includes(node))?.pageSize;
  const plus = (value: Bytes, difference: number): Bytes => bytes(Math.max(0, value + difference));
  return {
    ...observation,
    hostFree: hostFree === null ? null : plus(hostFree, -change),
    hugepagesFree: hugepagesFree === null || pageSize === null ? hugepagesFree : plus(hugepagesFree, -change),
    ...(typeof namespaceFree === 'number' ? { namespaceFree: plus(namespaceFree, -change) } : {}),
    ...(backings === undefined
      ? {}
      : {
          backings: backings.map((backing) => ({
            ...backing,
            hostFree: backing.hostFree === null ? null : plus(backing.hostFree, -change),
            hugepagesFree:
              backing.hugepagesFree === null || backing.pageSize !== pages
                ? backing.hugepagesFree
                : plus(backing.hugepagesFree, -change),
          })),
        }),
    guest: guest === null ? null : shiftGuest(guest, change),
  };
}

/** What the guest reports then: it takes all that is plugged, and misses no more than it had taken. */
function shiftGuest(guest: GuestReport, change: number): GuestReport {
  const { takenOfModules: had = Infinity } = guest;
  const felt = Math.max(change, -had);
  const usable = felt - Math.sign(felt) * memoryMapOf(bytes(Math.abs(felt)));
  const plus = (value: Bytes, difference: number): Bytes => bytes(Math.max(0, value + difference));
  const shifted = { ...guest, total: plus(guest.total, felt), usable: plus(guest.usable, usable) };
  return had === Infinity ? shifted : { ...shifted, takenOfModules: bytes(had + felt) };
}
