/**
 * Whether a guest has the modules that it was given, by its own total (MemTotal): nothing else says so (facts-libvirt,
 * section 5, pitfall 6). A kernel keeps a share of its boot memory for itself: its code, the map of its memory, bounce
 * buffers, memory for a crash kernel. What was plugged shows to the byte. Pure; see docs/adr/0033-what-is-not-judged.md.
 */
import { type Bytes, bytes, MiB } from '../../memory/bytes.ts';

/** What the guest was given, and what it says it has. Bytes. */
export type OwnTotal = {
  readonly boot: Bytes;
  /** Sum of all modules. */
  readonly modules: Bytes;
  /** What other devices count for in the total; how much of it the guest has isn't known. */
  readonly others: Bytes;
  /** By the guest's own report, with an empty balloon. */
  readonly total: Bytes;
  /** What that was in the same boot without any module; null: not known. */
  readonly withoutModules: Bytes | null;
  /** The guest's memory block: it takes memory up in whole ones. */
  readonly block: Bytes;
};

export type Shortfall =
  | { readonly kind: 'none' }
  /** At least a block of its modules is missing; all that is missing, where what it keeps for itself is known. */
  | { readonly kind: 'certain'; readonly missing: Bytes; readonly isExact: boolean }
  /** More than a kernel usually keeps, and less than one may keep. `missing`: from all that it was given. */
  | { readonly kind: 'possible'; readonly missing: Bytes };

/** The map of the memory that a module brings, 64 bytes for 4 KiB, which some kernels put into the module itself. */
const mapShare = 64;

/**
 * What a kernel usually keeps. Measured: 107 MiB of 512 (64 of them bounce buffers, as the guest may get memory above
 * 4 GiB), about 190 MiB of 4 GiB.
 */
export const usuallyKept = (boot: Bytes): Bytes => bytes(Math.ceil(boot / 32) + 128 * MiB);

/**
 * The most that a tidy kernel keeps, with the map of its modules. For a crash kernel distributions reserve up to 448 MiB of
 * 2 GiB (arm64), 768 MiB of 4 GiB (fadump on POWER) and 2 GiB of 64 GiB (kdump-lib.sh of Fedora; kdump-tools of Ubuntu).
 */
export const mostKept = (boot: Bytes, modules: Bytes): Bytes =>
  bytes(Math.ceil(boot / 4) + 256 * MiB + Math.ceil(modules / mapShare));

/** What the guest lacks of what it was given. */
export function judgeTotal({ boot, modules, others, total, withoutModules, block }: OwnTotal): Shortfall {
  if (modules === 0) return { kind: 'none' };
  if (withoutModules !== null) {
    const missing = withoutModules + modules - total;
    const isMap = Math.abs(missing - modules / mapShare) <= MiB;
    if (missing < block || isMap) return { kind: 'none' };
    return { kind: 'certain', missing: bytes(Math.min(missing, modules)), isExact: true };
  }
  const missing = boot + others + modules - total;
  if (missing <= usuallyKept(boot) + others) return { kind: 'none' };
  const isCertain = missing > mostKept(boot, modules) + others;
  return isCertain
    ? { kind: 'certain', missing: bytes(missing), isExact: false }
    : { kind: 'possible', missing: bytes(missing) };
}
