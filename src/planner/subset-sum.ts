/** Which sums the subsets of some modules have. */
import { sumSpaceOf } from './sum-space.ts';

/** The set of all sums of subsets; the empty subset's 0 is always one of them. */
export type SumSet = {
  /** The sum of everything. */
  readonly total: number;
  readonly has: (sum: number) => boolean;
  /** The largest sum at most `limit` (which is not negative). */
  readonly atMost: (limit: number) => number;
  /** The smallest sum at least `limit`; null: all are smaller. */
  readonly atLeast: (limit: number) => number | null;
};

/**
 * The sums of all subsets of `sizes` (positive, whole bytes).
 * @throws RangeError when they can't be tabulated; callers have asked {@link isTractable} before
 */
export function subsetSums(sizes: readonly number[]): SumSet {
  const space = sumSpaceOf(sizes);
  if (space === null) throw new RangeError('the sizes have too many different sums');
  return space.kind === 'table' ? bitTable(sizes, space.unit, space.width) : sortedList(sizes);
}

/** One bit a sum: `bits |= bits << size` for every module. */
function bitTable(sizes: readonly number[], unit: number, width: number): SumSet {
  const bits = new Uint32Array((width + 31) >>> 5);
  bits[0] = 1;
  let top = 0;
  for (const size of sizes) {
    const shift = size / unit;
    top += shift;
    orShifted(bits, shift, top);
  }
  const total = (width - 1) * unit;
  return {
    total,
    has: (sum) => sum >= 0 && sum <= total && sum % unit === 0 && isSet(bits, sum / unit),
    atMost: (limit) => previousSet(bits, Math.min(Math.floor(limit / unit), width - 1)) * unit,
    atLeast: (limit) => {
      const from = Math.max(0, Math.ceil(limit / unit));
      return from < width ? nextSet(bits, from) * unit : null;
    },
  };
}

/** `bits |= bits << shift`, of which only the bits up to `top` can be set afterwards. Descending, so that it works in place. */
function orShifted(bits: Uint32Array, shift: number, top: number): void {
  const words = shift >>> 5;
  const rest = shift & 31;
  if (rest === 0) {
    for (let word = top >>> 5; word >= words; word--) bits[word] = (bits[word] ?? 0) | (bits[word - words] ?? 0);
    return;
  }
  const carry = 32 - rest;
  for (let word = top >>> 5; word > words; word--) {
    const low = (bits[word - words - 1] ?? 0) >>> carry;
    bits[word] = (bits[word] ?? 0) | ((bits[word - words] ?? 0) << rest) | low;
  }
  bits[words] = (bits[words] ?? 0) | ((bits[0] ?? 0) << rest);
}

const isSet = (bits: Uint32Array, index: number): boolean => ((bits[index >>> 5] ?? 0) & (1 << (index & 31))) !== 0;

/** The highest set bit at or below `index`; bit 0 is always set. */
function previousSet(bits: Uint32Array, index: number): number {
  let word = index >>> 5;
  let found = (bits[word] ?? 0) & (0xffffffff >>> (31 - (index & 31)));
  while (found === 0) found = bits[--word] ?? 1;
  return (word << 5) + 31 - Math.clz32(found);
}

/** The lowest set bit at or above `index`, which is at most the highest one (set, as the sum of everything). */
function nextSet(bits: Uint32Array, index: number): number {
  let word = index >>> 5;
  let found = (bits[word] ?? 0) & (0xffffffff << (index & 31));
  while (found === 0) found = bits[++word] ?? 1;
  return (word << 5) + 31 - Math.clz32(found & -found);
}

/** Every sum that occurs, ascending. */
function sortedList(sizes: readonly number[]): SumSet {
  let sums = [0];
  for (const size of sizes) sums = mergeShifted(sums, size);
  const total = sums.at(-1) ?? 0;
  /** Index of the first sum at least `limit`. */
  const lowerBound = (limit: number): number => {
    let low = 0;
    let high = sums.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sums[middle] ?? 0) < limit) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    total,
    has: (sum) => sums[lowerBound(sum)] === sum,
    atMost: (limit) => {
      const index = lowerBound(limit);
      return sums[index] === limit ? limit : (sums[index - 1] ?? 0);
    },
    atLeast: (limit) => sums[lowerBound(limit)] ?? null,
  };
}

/** The ascending union of `sums` and of `sums`, each plus `size`. */
function mergeShifted(sums: readonly number[], size: number): number[] {
  const merged: number[] = [];
  let behind = 0;
  for (const sum of sums) {
    for (let shifted = (sums[behind] ?? 0) + size; shifted <= sum; shifted = (sums[++behind] ?? 0) + size) {
      if (shifted < sum) merged.push(shifted);
    }
    merged.push(sum);
  }
  for (; behind < sums.length; behind++) merged.push((sums[behind] ?? 0) + size);
  return merged;
}
