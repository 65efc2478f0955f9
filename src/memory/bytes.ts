/**
 * Sizes of memory: exact integers of bytes, branded so that a bare number can't be taken for one.
 * A double holds integers exactly up to 2^53 - 1 (8 PiB), far above QEMU's and Linux's limits, so no sum
 * of real sizes or addresses rounds; every constructor here checks it.
 */

declare const bytesBrand: unique symbol;

/** A whole, non-negative number of bytes, at most 2^53 - 1. */
export type Bytes = number & { readonly [bytesBrand]: 'bytes' };

/** 1 KiB, 1 MiB, 1 GiB and 1 TiB in bytes. */
export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;
export const TiB = 1024 * GiB;

/** No bytes at all. */
export const zeroBytes = 0 as Bytes;

/** Whether `value` is a whole, non-negative number that a double holds exactly. */
export function isBytes(value: unknown): value is Bytes {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * A size of `value` bytes.
 * @param value whole, 0 to 2^53 - 1
 * @throws RangeError that names `what` when the value is negative, fractional or too large
 */
export function bytes(value: number, what = 'size'): Bytes {
  if (!isBytes(value)) {
    throw new RangeError(`${what} must be a whole number of bytes between 0 and 2^53-1, not ${value}`);
  }
  return value;
}

/** `count` KiB. @throws RangeError as {@link bytes} */
export const kib = (count: number): Bytes => bytes(count * KiB);
/** `count` MiB. @throws RangeError as {@link bytes} */
export const mib = (count: number): Bytes => bytes(count * MiB);
/** `count` GiB. @throws RangeError as {@link bytes} */
export const gib = (count: number): Bytes => bytes(count * GiB);

/** The sum of all sizes. @throws RangeError when it passes 2^53 - 1 */
export function sumBytes(sizes: Iterable<Bytes>): Bytes {
  let sum = 0;
  for (const size of sizes) sum += size;
  return bytes(sum, 'sum of sizes');
}

/** `a - b`. @throws RangeError when `b` is larger */
export const subtractBytes = (a: Bytes, b: Bytes): Bytes => bytes(a - b, 'difference of sizes');

/** `size` rounded down to a multiple of `unit` (which is positive). */
export const floorTo = (size: Bytes, unit: Bytes): Bytes => (size - (size % unit)) as Bytes;

/** `size` rounded up to a multiple of `unit` (which is positive). @throws RangeError past 2^53 - 1 */
export const ceilTo = (size: Bytes, unit: Bytes): Bytes => bytes(Math.ceil(size / unit) * unit);

/** Whether `size` is a multiple of `unit` (which is positive). */
export const isMultipleOf = (size: Bytes, unit: Bytes): boolean => size % unit === 0;
