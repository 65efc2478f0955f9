/** What messages say of points in time, as a person reads it. */
import { expect, test } from 'vitest';
import { age, tellTimes } from '../../../src/view/layout.ts';

const nowMs = Date.parse('2026-11-30T12:00:00Z');

test.each([
  ['slot 3, may be tried again at 2026-11-30T12:03:12Z, has it', 'slot 3, may be tried again in 3m12s, has it'],
  ['tried 3 times, again at 2026-11-30T11:59:59Z', 'tried 3 times, again by now'],
  ['(once, last at 2026-11-30T11:00:00.500Z): x', '(once, last 59m59s ago): x'],
  ['begins at 2026-12-02T12:00:00Z', 'begins in 2d'],
  ['what was plugged is taken out, until 2026-11-30T12:00:40Z', 'what was plugged is taken out, for another 40s'],
  ['was valid until 2026-11-30T11:59:00Z, at last', 'was valid until 1m ago, at last'],
  ['at 4Gi, until it reports; 2026-11-30T11:59:00Z', 'at 4Gi, until it reports; 2026-11-30T11:59:00Z'],
])('%s', (message, told) => {
  expect(tellTimes(message, nowMs)).toBe(told);
});

test('two in one message', () => {
  const text = 'again at 2026-11-30T12:00:01Z or again at 2026-11-30T13:00:00Z';
  expect(tellTimes(text, nowMs)).toBe(`again in ${age(1000)} or again in 1h`);
});
