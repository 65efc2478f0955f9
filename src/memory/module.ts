/** The vocabulary of memory modules (DIMMs) and of the state that Dimmer keeps with a virtual machine. */
import type { Bytes } from './bytes.ts';

/**
 * What identifies a module: its slot and base address. The alias is only the handle that detaching takes;
 * libvirt's automatic aliases are lost in a migration (facts-libvirt, section 8).
 */
export type ModuleIdentity = {
  /** DIMM slot number, 0 to 255. */
  readonly slot: number;
  /** Guest physical address of the first byte. */
  readonly base: Bytes;
};

/** `Leaving`: the guest was asked to give it up and hasn't answered yet. */
export const moduleStates = ['Plugged', 'Leaving'] as const;
export type ModuleState = (typeof moduleStates)[number];

/** Whether two identities name the same module. */
export const isSameModule = (a: ModuleIdentity, b: ModuleIdentity): boolean => a.slot === b.slot && a.base === b.base;

/** Memory of one guest NUMA node. */
export type NodeMemory = { readonly node: number; readonly size: Bytes };

/** The alias that Dimmer gives the module of a slot. libvirt keeps only aliases that start with `ua-`. */
export const aliasOfSlot = (slot: number): string => `ua-dimmer-${slot}`;

/** Whether libvirt keeps an alias, in a stored definition, too (virDomainDefCheckUserAlias and domaincommon.rng). */
export const isKeptAlias = (alias: string): boolean => /^ua-[a-zA-Z0-9_-]{1,60}$/.test(alias);

/** Whether Dimmer plugged the module that has this alias; one that had to be tried again there has a number behind it. */
export const isOwnAlias = (alias: string): boolean => /^ua-dimmer-\d{1,3}(-[23])?$/.test(alias);

/** QEMU's limit for DIMM slots (ACPI_MAX_RAM_SLOTS). */
export const maxSlots = 256;

/** Linux' memory map costs 16 MiB a GiB of boot memory: beyond 16 times its boot memory a guest may reboot. */
export const maxTotalPerBootMemory = 16;
