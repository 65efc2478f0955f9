/** Small exact integer helpers of the planner. All arguments are whole numbers within 2^53 - 1. */

/** Greatest common divisor; `gcd(0, n)` is `n`. */
export function gcd(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** Least common multiple of two positive numbers; may pass 2^53 - 1, which the caller checks. */
export const lcm = (a: number, b: number): number => (a / gcd(a, b)) * b;

/** Whether `a / b < c / d` for non-negative numerators and positive denominators, compared exactly. */
export const isLessRatio = (a: number, b: number, c: number, d: number): boolean => {
  const left = a * d;
  const right = c * b;
  // Products of two 53-bit numbers don't fit a double; BigInt only where they don't.
  if (Number.isSafeInteger(left) && Number.isSafeInteger(right)) return left < right;
  return BigInt(a) * BigInt(d) < BigInt(c) * BigInt(b);
};
