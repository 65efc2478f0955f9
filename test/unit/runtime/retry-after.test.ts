import { expect, it } from 'vitest';
import { parseRetryAfter } from '../../../src/runtime/retry-after.ts';

it('Retry-After is seconds or a date; anything else says nothing', () => {
  const nowMs = Date.UTC(2026, 0, 1);
  const cases: readonly (readonly [string | string[] | undefined, number | null])[] = [
    ...([
      ['1', 1_000],
      ['0', 0],
      ['120', 120_000],
      ['Thu, 01 Jan 2026 00:00:05 GMT', 5_000],
    ] as const),
    ...([
      ['Wed, 31 Dec 2025 23:00:00 GMT', 0],
      ['soon', null],
      ['', null],
      [undefined, null],
      [['1', '2'], null],
    ] as const),
  ].map(([value, ms]) => [value as string | string[] | undefined, ms]);
  for (const [value, ms] of cases) expect([value, parseRetryAfter(value, nowMs)]).toEqual([value, ms]);
});
