import { describe, expect, it } from 'vitest';
import { computeBackoffMs } from '../../../src/runtime/backoff.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { WorkQueue, type WorkResult } from '../../../src/runtime/work-queue.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const done: WorkResult = { kind: 'done' };

function setup(work: (key: string) => Promise<WorkResult>, concurrency = 2) {
  const clock = new ManualClock(0);
  const retry = { initialMs: 100, maxMs: 1_000 };
  const queue = new WorkQueue({ clock, logger: silentLogger, random: () => 0, concurrency, retry, work });
  queue.start();
  return { clock, queue };
}

describe('WorkQueue', () => {
  it('works on one key at a time, and once more when it was added meanwhile', async () => {
    const running = new Set<string>();
    const log: string[] = [];
    const { clock, queue } = setup(async (key) => {
      expect(running.has(key)).toBe(false);
      running.add(key);
      log.push(key);
      await new Promise<void>((resolve) => clock.after(10, resolve));
      running.delete(key);
      return done;
    });
    queue.add('a');
    queue.add('a');
    await clock.advance(5);
    queue.add('a');
    queue.add('a');
    await clock.advance(100);
    expect(log).toEqual(['a', 'a']);
  });

  it('keeps to its concurrency', async () => {
    let most = 0;
    let running = 0;
    const { clock, queue } = setup(async () => {
      most = Math.max(most, (running += 1));
      await new Promise<void>((resolve) => clock.after(10, resolve));
      running -= 1;
      return done;
    }, 3);
    for (let key = 0; key < 10; key += 1) queue.add(String(key));
    await clock.advance(1_000);
    expect(most).toBe(3);
  });

  it('comes back when the result says so, with growing delays after failures', async () => {
    const times: number[] = [];
    const { clock, queue } = setup(() => {
      times.push(clock.now());
      if (times.length <= 5) return Promise.resolve({ kind: 'retry', message: 'no' });
      return Promise.resolve(times.length === 6 ? { kind: 'after', ms: 7 } : done);
    });
    queue.add('a');
    await clock.advance(60_000);
    expect(times).toEqual([0, 100, 300, 700, 1_500, 2_500, 2_507]);
  });

  it('takes the earlier of two appointments', async () => {
    const times: number[] = [];
    const { clock, queue } = setup(() => {
      times.push(clock.now());
      return Promise.resolve(done);
    });
    queue.addAfter('a', 500);
    queue.addAfter('a', 200);
    queue.addAfter('a', 900);
    await clock.advance(2_000);
    expect(times).toEqual([200]);
  });

  it('retries work that throws', async () => {
    let calls = 0;
    const { clock, queue } = setup(() => {
      calls += 1;
      return calls === 1 ? Promise.reject(new Error('a bug')) : Promise.resolve(done);
    });
    queue.add('a');
    await clock.advance(1_000);
    expect(calls).toBe(2);
  });

  it('waits for what is under way when it closes, and takes no more', async () => {
    const log: string[] = [];
    const { clock, queue } = setup(async (key) => {
      await new Promise<void>((resolve) => clock.after(10, resolve));
      log.push(key);
      return { kind: 'after', ms: 1 };
    }, 1);
    queue.add('a');
    queue.add('b');
    await clock.advance(0);
    const closed = queue.close();
    await clock.advance(1_000);
    await closed;
    queue.add('c');
    await clock.advance(1_000);
    expect(log).toEqual(['a']);
  });
});

it('backoff doubles up to its limit, less up to a quarter', () => {
  const limits = { initialMs: 100, maxMs: 1_000 };
  expect([0, 1, 2, 3, 4, 1_000].map((attempt) => computeBackoffMs(attempt, limits, () => 0))).toEqual([
    100, 200, 400, 800, 1_000, 1_000,
  ]);
  expect(computeBackoffMs(0, limits, () => 0.999)).toBeGreaterThanOrEqual(75);
});
