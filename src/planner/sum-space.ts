/**
 * How sums of modules are tabulated. Sizes are divided by their greatest common divisor first; 16 TiB in
 * blocks of 128 MiB is then a table of 131,072 cells. Where a few odd sizes make that table too wide, the sums
 * that really occur are listed instead; they are few when the modules are few or many of them are alike.
 * Both ways are exact. What neither can hold is refused before planning starts ({@link isTractable}).
 */
import { gcd } from './integers.ts';

/** Widest table, in cells (one Int32 each: 64 MiB). */
const maxTableWidth = 2 ** 24;
/** Most cells visited while a table is filled, width x modules: half a second. */
const maxTableArea = 2 ** 30;
/** Most sums listed x modules. */
const maxListedSums = 2 ** 25;

export type SumSpace =
  { readonly kind: 'table'; readonly unit: number; readonly width: number } | { readonly kind: 'list' };

/** How the sums of `sizes` (positive, whole) are best tabulated; null when neither way can hold them. */
export function sumSpaceOf(sizes: readonly number[]): SumSpace | null {
  let unit = 0;
  let total = 0;
  for (const size of sizes) {
    unit = gcd(unit, size);
    total += size;
  }
  if (unit === 0) return { kind: 'table', unit: 1, width: 1 };
  const width = total / unit + 1;
  if (width <= maxTableWidth && width * sizes.length <= maxTableArea) return { kind: 'table', unit, width };
  return boundOfDistinctSums(sizes) * sizes.length <= maxListedSums ? { kind: 'list' } : null;
}

/** Whether the sums of all subsets of `sizes` can be tabulated; then so can those of any part of them. */
export const isTractable = (sizes: readonly number[]): boolean => sumSpaceOf(sizes) !== null;

/** At most so many different sums: n equal sizes have only n + 1. */
function boundOfDistinctSums(sizes: readonly number[]): number {
  const copies = new Map<number, number>();
  for (const size of sizes) copies.set(size, (copies.get(size) ?? 0) + 1);
  let bound = 1;
  for (const count of copies.values()) bound *= count + 1;
  return bound;
}
