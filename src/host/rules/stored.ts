/**
 * The stored definition beside the running VM: whether the next start gives the modules that the VM has now, what would
 * have to be written for that, and what is in the way of it (docs/adr/0048-a-size-that-survives-a-restart.md). Pure: agent
 * and simulated host judge by it, and callers learn the outcome.
 */
import { type Bytes, bytes, sumBytes } from '../../memory/bytes.ts';
import { defaultGranularity, smallestGranularity } from '../../memory/granularity.ts';
import { type MemoryDevice, slotsOfDevices, sumOfDevices } from '../../memory/memory-devices.ts';
import { isKeptAlias, maxTotalPerBootMemory, type NodeMemory } from '../../memory/module.ts';
import { formatQuantity } from '../../memory/quantity.ts';
import type { StoredMemory } from '../port.ts';

/** A module, as far as a definition says it. */
export type DefinedModule = {
  /** null only in a stored definition whose author left it out. */
  readonly slot: number | null;
  /** Where it lies, or is to lie; not compared. null: a start places it. */
  readonly base: Bytes | null;
  readonly size: Bytes;
  readonly node: number;
  /** null, or one that libvirt gave it: no definition keeps that. */
  readonly alias: string | null;
  /** Size of the host pages behind it; null: as the VM's memory is backed. */
  readonly pageSize: Bytes | null;
  /** null: not bound. */
  readonly hostNodes: readonly number[] | null;
};

/** What a definition says of memory. */
export type Definition = {
  readonly arch: string;
  readonly boot: readonly NodeMemory[];
  readonly maxMemory: { readonly size: Bytes; readonly slots: number } | null;
  readonly modules: readonly DefinedModule[];
  readonly others: readonly MemoryDevice[];
  readonly otherTotal: Bytes;
  /** Why no module can be plugged into a VM that is so defined, in words; null: one can. */
  readonly hotplugProblem: string | null;
};

/** A VM as it runs: all its modules have slots. */
export type RunningDefinition = Omit<Definition, 'modules'> & {
  readonly name: string;
  readonly modules: readonly RunningModule[];
};

export type RunningModule = DefinedModule & { readonly slot: number };

export type Comparison = {
  /** The stored definition has the modules of the running VM, and no other. */
  readonly isSame: boolean;
  /** Why nothing may be written, or why a start would give another size all the same, with the way out; null: nothing. */
  readonly obstacle: string | null;
  /** What has left the running VM, or is another there. */
  readonly leaving: readonly DefinedModule[];
  /** What the definition lacks. */
  readonly missing: readonly RunningModule[];
};

const ownAlias = ({ alias }: DefinedModule): string | null => (alias !== null && isKeptAlias(alias) ? alias : null);

const isAlike = (a: DefinedModule, b: DefinedModule): boolean =>
  a.size === b.size &&
  a.node === b.node &&
  ownAlias(a) === ownAlias(b) &&
  a.pageSize === b.pageSize &&
  (a.hostNodes ?? []).join() === (b.hostNodes ?? []).join();

/** Compares the stored definition of a VM with the VM as it runs. Where modules lie is not compared: a start places them. */
export function compareStored(running: RunningDefinition, stored: Definition): Comparison {
  const leaving = new Set(stored.modules);
  // Those with a slot first: one without takes what is left.
  const withoutThose = (wanted: readonly RunningModule[], slotOf: (slot: number) => number | null) =>
    wanted.filter((module) => {
      const there = [...leaving].find((other) => other.slot === slotOf(module.slot) && isAlike(other, module));
      return there === undefined || !leaving.delete(there);
    });
  const missing = withoutThose(
    withoutThose(running.modules, (slot) => slot),
    () => null,
  );
  const isSame = leaving.size === 0 && missing.length === 0;
  return { isSame, obstacle: findObstacle(running, stored, [...leaving], isSame), leaving: [...leaving], missing };
}

const bootOf = ({ boot }: Pick<Definition, 'boot'>): Bytes => sumBytes(boot.map(({ size }) => size));

function findObstacle(
  running: RunningDefinition,
  stored: Definition,
  leaving: readonly DefinedModule[],
  isSame: boolean,
): string | null {
  return findDifference(running, stored) ?? findMisfit(running, stored) ?? (isSame ? null : findLeft(leaving));
}

/** In what the stored definition is another one than the running VM's, so that its modules mean nothing there. */
function findDifference(running: RunningDefinition, stored: Definition): string | null {
  const { modules } = running;
  const wayOut = `shut the VM down and start it, or set that back (virsh edit ${running.name})`;
  const differs = (what: string, there: string, here: string): string =>
    `the stored definition has ${what} of ${there} and the running VM of ${here}: ${wayOut}`;
  const [there, here] = [bootOf(stored), bootOf(running)];
  if (there !== here) return differs('boot memory', formatQuantity(there), formatQuantity(here));
  const cells = ({ boot }: Pick<Definition, 'boot'>): string =>
    boot.map(({ node, size }) => `${node}: ${formatQuantity(size)}`).join(', ');
  if (cells(stored) !== cells(running)) return differs('NUMA cells', cells(stored), cells(running));
  if (modules.length > 0 && stored.hotplugProblem !== null) {
    return `a start would give no modules: ${stored.hotplugProblem}`;
  }
  const [max, now] = [stored.maxMemory, running.maxMemory];
  const sizeOf = (maximum: Definition['maxMemory']): string =>
    maximum === null ? 'none' : formatQuantity(maximum.size);
  if (max?.size !== now?.size) return differs('a <maxMemory>', sizeOf(max), sizeOf(now));
  if (max?.slots !== now?.slots) return differs('slots', String(max?.slots ?? 0), String(now?.slots ?? 0));
  return null;
}

/** Why a start from the stored definition with the running VM's modules would fail, or the guest not take them. */
function findMisfit(running: RunningDefinition, stored: Definition): string | null {
  const { modules } = running;
  if (modules.length === 0) return null;
  const boot = bootOf(stored);
  const usual = defaultGranularity(stored.arch, boot);
  const block = modules.every(({ size }) => size % usual === 0) ? usual : smallestGranularity(stored.arch);
  const odd = [
    // Set aside by the host's firmware, and nowhere among the modules.
    ...stored.others.filter(({ model }) => model !== 'sgx-epc').map(({ model, size }) => ({ name: model, size })),
    ...modules.map(({ alias, size }) => ({ name: alias ?? 'dimm', size })),
  ].find(({ size }) => size % block !== 0);
  if (odd !== undefined) {
    return (
      `at a start QEMU would place modules behind ${odd.name} of ${formatQuantity(odd.size)}, which is no multiple of ` +
      `${formatQuantity(block)}, and the guest would not take them: make it one, or leave it out of the definition`
    );
  }
  const plugged = sumBytes(modules.map(({ size }) => size));
  const max = stored.maxMemory;
  const taken = boot + plugged + sumOfDevices(stored.others, 'maximum');
  if (max !== null && taken > max.size) {
    return `the definition would have ${formatQuantity(bytes(taken))}, more than its <maxMemory> of ${formatQuantity(max.size)}: raise that, or take out what else it has of memory`;
  }
  const { numbered, unnumbered } = slotsOfDevices(stored.others);
  const clash = modules.find((module) => numbered.includes(module.slot));
  if (clash !== undefined)
    return `another memory device of the definition holds slot ${clash.slot}: take it out, or give it another`;
  const slots = modules.length + numbered.length + unnumbered;
  if (max !== null && slots > max.slots) {
    return `the definition would take ${slots} slots of ${max.slots}: take out what else it has of memory`;
  }
  if (boot + plugged > boot * maxTotalPerBootMemory) {
    return `a start with ${formatQuantity(bytes(boot + plugged))} would be more than ${maxTotalPerBootMemory} times its boot memory of ${formatQuantity(boot)}, and the guest might not come up: raise its boot memory`;
  }
  return null;
}

/** A module that has left and that nothing names: libvirt would take any of the same size. */
function findLeft(leaving: readonly DefinedModule[]): string | null {
  const nameless = leaving.find((module) => module.slot === null && ownAlias(module) === null);
  return nameless === undefined
    ? null
    : `the stored definition has a module of ${formatQuantity(nameless.size)} with neither slot nor alias that the running VM does not have: take it out (virsh edit)`;
}

/** What the port says of a stored definition. */
export function toStoredMemory(running: RunningDefinition, stored: Definition): StoredMemory {
  const { isSame, obstacle } = compareStored(running, stored);
  const boot = bootOf(stored);
  return {
    memory: {
      boot,
      total: bytes(boot + sumBytes(stored.modules.map(({ size }) => size)) + stored.otherTotal),
      maxMemory: stored.maxMemory?.size ?? null,
      slots: stored.maxMemory?.slots ?? 0,
    },
    isTransient: false,
    isSame,
    obstacle,
  };
}

/** Of a VM that ends with its run. */
export const transientMemory = (name: string): StoredMemory => ({
  memory: null,
  isTransient: true,
  isSame: false,
  obstacle: `VM ${name} is transient: it has no stored definition and is gone when it stops; give it one (virsh dumpxml --inactive, then virsh define)`,
});

/** Of a VM whose stored definition can't be understood. */
export const unreadableMemory = (where: string): StoredMemory => ({
  memory: null,
  isTransient: false,
  isSame: false,
  obstacle: `the stored definition cannot be understood: ${where}`,
});
