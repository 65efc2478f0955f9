import { once } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/runtime/clock.ts';

const warned = vi.fn();
afterEach(() => process.off('warning', warned));

test.each([-11, 2 ** 40])('a timer of %d ms is set without a word of Node on standard error', async (ms) => {
  process.on('warning', warned);
  const timer = systemClock.after(ms, () => undefined);
  process.emitWarning('the last one');
  await once(process, 'warning');
  timer.cancel();
  expect(warned.mock.calls.map(([warning]) => (warning as Error).message)).toEqual(['the last one']);
});

test('what is past is called', async () => {
  await new Promise<void>((resolve) => systemClock.after(-1, resolve));
});
