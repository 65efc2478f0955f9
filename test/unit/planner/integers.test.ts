import { expect, test } from 'vitest';
import { gcd, isLessRatio, lcm } from '../../../src/planner/integers.ts';

test('gcd and lcm', () => {
  expect(gcd(0, 6)).toBe(6);
  expect(gcd(384, 256)).toBe(128);
  expect(lcm(128, 2)).toBe(128);
  expect(lcm(128, 96)).toBe(384);
});

test('ratios are compared exactly, also where doubles are equal', () => {
  expect(isLessRatio(1, 3, 1, 2)).toBe(true);
  expect(isLessRatio(1, 2, 2, 4)).toBe(false);
  const large = 2 ** 53 - 1;
  expect((large - 1) / large).toBe((large - 2) / (large - 1));
  expect(isLessRatio(large - 2, large - 1, large - 1, large)).toBe(true);
  expect(isLessRatio(large - 1, large, large - 2, large - 1)).toBe(false);
});
