/** The names of the modules that the agent plugs, and of the memory backends that libvirt makes for them in QEMU. */
import { aliasOfSlot } from '../../memory/module.ts';

/**
 * The aliases to try for a slot. A libvirtd that is killed in the middle of an attach may leave the memory backend
 * behind in QEMU, where it holds the name `mem` + alias until it is deleted ("attempt to add duplicate property", seen
 * on libvirt 9.0 with QEMU 7.2). The slot alone keeps a lost plug and its twin from both succeeding.
 */
export const aliasesOfSlot = (slot: number): readonly string[] =>
  ['', '-2', '-3'].map((end) => `${aliasOfSlot(slot)}${end}`);

/** The slot of a module whose alias is exactly one that the agent gives; null: somebody else's. */
export function slotOfAlias(alias: string): number | null {
  const slot = Number(/^ua-dimmer-(\d{1,3})(?:-[23])?$/.exec(alias)?.[1] ?? NaN);
  return slot <= 255 && aliasesOfSlot(slot).includes(alias) ? slot : null;
}

/** The backend of a module: libvirt puts `mem` before the alias. */
export const backendOf = (alias: string): string => `mem${alias}`;

/** The alias of the module that a backend was made for; null: no backend of the agent's. */
export const aliasOfBackend = (name: string): string | null =>
  name.startsWith('mem') && slotOfAlias(name.slice(3)) !== null ? name.slice(3) : null;
