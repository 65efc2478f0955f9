/**
 * What a killed libvirtd left behind in QEMU, told from what QEMU has and what libvirt shows, and when it may be taken
 * away. Pure. See docs/adr/0006-memory-that-libvirt-forgot.md.
 */
import type { DomainObservation } from '../../host/port.ts';
import { totalOf } from '../../host/rules/total.ts';
import { type Bytes, bytes, MiB } from '../../memory/bytes.ts';
import { unplugMargin } from '../../memory/guest-margin.ts';
import type { ModuleIdentity } from '../../memory/module.ts';
import { formatQuantity } from '../../memory/quantity.ts';
import { aliasOfBackend, slotOfAlias } from '../change/aliases.ts';
import type { DomainDescription } from '../domain/description.ts';
import type { MonitorDevice, MonitorMemory } from '../driver.ts';

/** A module that the agent plugged, that QEMU has and that libvirt doesn't know of. */
export type Orphan = ModuleIdentity & { readonly alias: string; readonly size: Bytes };

export type RepairFindings = {
  readonly orphans: readonly Orphan[];
  /** Names of memory backends of ours without a module: they hold their name, and huge pages. */
  readonly backends: readonly string[];
  /** Whether QEMU has memory besides that libvirt doesn't know of and that isn't certainly ours: never touched (I6). */
  readonly foreign: boolean;
};

/**
 * What is left behind, given what QEMU had and the XML read *after* that. The order is what makes it safe. libvirt runs a
 * monitor command under the domain's job, which an attach or a detach holds from its first word to QEMU until the
 * domain's definition says so: QEMU is never seen in the middle of one. Whatever QEMU had then was therefore in the
 * definition, unless it was forgotten, and is in the XML read later, unless it left in between: then asking for it is
 * answered with DeviceNotFound and does nothing. A module plugged in between is in the XML only.
 */
export function computeFindings(
  qemu: MonitorMemory,
  xml: Pick<DomainDescription, 'modules' | 'others'>,
): RepairFindings {
  const onCommandLine = xml.others.filter(({ model }) => model === 'pc-dimm');
  const isKnown = (device: MonitorDevice): boolean =>
    xml.modules.some(({ alias }) => alias !== null && alias === device.id) ||
    [...xml.modules, ...onCommandLine].some(({ slot }) => slot !== null && slot === device.slot) ||
    xml.modules.some(({ base }) => base !== null && base === device.base);
  const dimms = qemu.devices.filter(({ kind }) => kind === 'dimm');
  const unknown = dimms.filter((device) => !isKnown(device));
  const orphans = unknown.flatMap(({ id, slot, base, size }): readonly Orphan[] =>
    // The agent has always put a module into the slot that its alias names.
    id !== null && slot !== null && slotOfAlias(id) === slot ? [{ alias: id, slot, base, size }] : [],
  );
  const used = new Set([...dimms.map(({ id }) => id), ...xml.modules.map(({ alias }) => alias)]);
  return {
    orphans,
    backends: qemu.backends.filter((name) => {
      const alias = aliasOfBackend(name);
      return alias !== null && !used.has(alias);
    }),
    foreign:
      unknown.length > orphans.length || qemu.devices.length - dimms.length > xml.others.length - onCommandLine.length,
  };
}

/** Why the guest can't be asked for `orphan` now; null: it can. The guards are those of any unplug. */
export function judgeRemoval(orphan: Orphan, observation: DomainObservation): string | null {
  const { layout, guest } = observation;
  if (layout === null) return 'the VM is not running';
  if (observation.migrating) return 'the VM is migrating';
  if (observation.booting) return 'the guest is booting';
  const leaving = layout.modules.find(({ state }) => state === 'Leaving');
  if (leaving !== undefined) return `module ${leaving.alias} is still leaving`;
  if (guest?.fresh !== true) return 'the guest has not reported its memory in the last 10 s';
  const least = unplugMargin(bytes(totalOf(layout) + orphan.size));
  if (guest.usable - orphan.size >= least) return null;
  return (
    `the guest can spare ${formatQuantity(guest.usable)} and must keep ${Math.ceil(least / MiB)}Mi: ` +
    `it is using the memory`
  );
}

/** When the guest was asked for the first orphan, and how often. */
export type Asked = { readonly alias: string; readonly atMs: number; readonly attempts: number };

/** What was left behind and is being taken away. */
export type Repair = {
  readonly findings: RepairFindings;
  /** When they were found, epoch milliseconds. */
  readonly sinceMs: number;
  readonly asked: Asked | null;
  /** What keeps it from going on, for people; null: nothing. */
  readonly problem: string | null;
};

/** How long to wait before looking again whether it has gone: most guests need less than a quarter of a second. */
export const lookAgainMs = (waitedMs: number): number => Math.min(5_000, Math.max(50, Math.ceil(waitedMs / 4)));

/** A repair that takes longer is said to everybody, not only to those who want to change something. */
const patienceMs = 60_000;

export const isOverdue = (repair: Repair, nowMs: number): boolean => nowMs - repair.sinceMs >= patienceMs;

/** What is being repaired and what it waits for, for people. */
export function describeRepair({ findings, problem }: Repair): string {
  const modules = findings.orphans.map(({ alias, size }) => `module ${alias} (${formatQuantity(size)})`);
  const names = [...modules, ...findings.backends.map((name) => `memory backend ${name}`)];
  return (
    `libvirtd was killed in the middle of a plug: QEMU has ${names.join(', ')}, which libvirt does not know of. ` +
    `The agent is taking that out${problem === null ? '' : ` and waits: ${problem}`}`
  );
}
