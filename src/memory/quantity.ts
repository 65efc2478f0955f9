/**
 * Kubernetes quantities for sizes of memory.
 * Grammar: k8s.io/apimachinery/pkg/api/resource/quantity.go, `<signedNumber><suffix>`.
 */
import { fail, type Result, succeed } from './result.ts';
import { type Bytes, ceilTo, floorTo, GiB, isBytes, KiB, mib, MiB, TiB } from './bytes.ts';

const binary: Readonly<Record<string, number>> = {
  ...{ '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
};
/** Powers of ten of the decimal suffixes. */
const decimal: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

const quantityPattern = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:(Ki|Mi|Gi|Ti|Pi|Ei)|([numkMGTPE])|[eE]([+-]?\d{1,3}))?$/;

/**
 * The number of bytes that a quantity such as `1408Mi`, `1.5Gi` or `1e9` stands for, computed exactly.
 * Accepts what is a whole number of bytes between 0 and 2^53 - 1; anything else is an error in words
 * (without the name of the field, which only the caller knows).
 */
export function parseQuantity(text: string): Result<Bytes, string> {
  const match = text.length <= 64 ? quantityPattern.exec(text) : null;
  if (match === null) return fail(`'${text.slice(0, 64)}' is not a quantity (6Gi, 1536Mi)`);
  const [, sign = '', digits = '', binarySuffix, decimalSuffix, exponentText] = match;
  const unit = binary[binarySuffix ?? ''] ?? 1;
  if (sign === '' && decimalSuffix === undefined && exponentText === undefined && !digits.includes('.')) {
    // As nearly all are written. A product of whole numbers that is at most 2^53 - 1 is exact.
    const product = Number(digits) * unit;
    if (isBytes(product)) return succeed(product);
  }

  const [whole = '', fraction = ''] = digits.split('.');
  const significand = BigInt(whole + fraction);
  if (sign === '-' && significand !== 0n) return fail(`'${text}' is negative`);

  const exponent = exponentText !== undefined ? Number(exponentText) : (decimal[decimalSuffix ?? ''] ?? 0);
  const tens = (binarySuffix !== undefined ? 0 : exponent) - fraction.length;

  let value = significand * BigInt(unit);
  if (tens >= 0) {
    value *= 10n ** BigInt(tens);
  } else {
    const divisor = 10n ** BigInt(-tens);
    if (value % divisor !== 0n) return fail(`'${text}' is not a whole number of bytes`);
    value /= divisor;
  }
  const exact = Number(value);
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || !isBytes(exact)) return fail(`'${text}' is more than 2^53-1 bytes`);
  return succeed(exact);
}

const canonicalUnits: readonly (readonly [string, number])[] = [
  ['Ti', TiB],
  ['Gi', GiB],
  ['Mi', MiB],
  ['Ki', KiB],
];

/**
 * The one canonical text of a size: the largest binary unit that divides it (`1536Mi`, `2Gi`, `0`).
 * `kubectl wait --for=jsonpath` compares strings, so there must be exactly one.
 */
export function formatQuantity(size: Bytes): string {
  if (size === 0) return '0';
  for (const [suffix, unit] of canonicalUnits) {
    if (size % unit === 0) return `${size / unit}${suffix}`;
  }
  return String(size);
}

/** The canonical text of a size that was measured, rounded down to whole MiB: nobody reads 939280Ki. */
export const formatMeasured = (size: Bytes): string => formatQuantity(floorTo(size, mib(1)));

/** The canonical text of a size that is needed, rounded up to whole MiB: a margin of 5 % is seldom round. */
export const formatNeeded = (size: Bytes): string => formatQuantity(ceilTo(size, mib(1)));
