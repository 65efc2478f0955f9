/** What a guest has by the count of its host: by the table of memory devices (docs/adr/0031). Pure. */
import { type Bytes, bytes } from '../../memory/bytes.ts';
import { type MemoryDevice, sumOfDevices } from '../../memory/memory-devices.ts';
import type { NodeMemory } from '../../memory/module.ts';

type Parts = {
  readonly boot: readonly NodeMemory[];
  readonly modules: readonly { readonly size: Bytes }[];
};

const sumOf = ({ boot, modules }: Parts): number => [...boot, ...modules].reduce((sum, part) => sum + part.size, 0);

/** Sum of boot memory, modules and what other devices give. */
export const totalOf = (layout: Parts & { readonly otherTotal: Bytes }): number => sumOf(layout) + layout.otherTotal;

/** How much of the domain's maximum is taken, whether the guest has it now or not. */
export const takenOfMaximum = (layout: Parts & { readonly otherBytes: Bytes }): number =>
  sumOf(layout) + layout.otherBytes;

/**
 * Boot memory, modules, and of other devices what they count for: in what the host may have to provide (`promised`), or
 * against the domain's maximum.
 */
export const countedAs = (
  memory: Parts & { readonly others: readonly MemoryDevice[] },
  as: 'promised' | 'maximum',
): Bytes => bytes(sumOf(memory) + sumOfDevices(memory.others, as));
