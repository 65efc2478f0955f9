import { describe, expect, it } from 'vitest';
import { computeBackoffMs } from '../../../src/runtime/backoff.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { Urgency } from '../../../src/runtime/urgency.ts';
import { type Turn, WorkQueue, type WorkResult } from '../../../src/runtime/work-queue.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const done: WorkResult = { kind: 'done' };

function setup(
  work: (key: string, turn: Turn) => Promise<WorkResult>,
  concurrency = 2,
  laneOf: (key: string) => string = () => '',
) {
  const clock = new ManualClock(0);
  const retry = { initialMs: 100, maxMs: 1_000 };
  const queue = new WorkQueue({ clock, logger: silentLogger, random: () => 0, concurrency, laneOf, retry, work });
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

  it.each<[string, Urgency, number]>([
    ['not once more for what was heard before it looked', 'event', 1],
    ['once more for what a user changed', 'user', 2],
  ])('works %s', async (_, urgency, times) => {
    const log: string[] = [];
    const { clock, queue } = setup(async (key, turn) => {
      log.push(key);
      await new Promise<void>((resolve) => clock.after(10, resolve));
      turn.looks();
      await new Promise<void>((resolve) => clock.after(10, resolve));
      return done;
    });
    queue.add('a');
    await clock.advance(5);
    queue.add('a', urgency);
    await clock.advance(100);
    expect(log).toHaveLength(times);
    queue.add('a');
    // After it has looked.
    await clock.advance(15);
    queue.add('a');
    await clock.advance(100);
    expect(log).toHaveLength(times + 2);
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

  it('never waits longer than the result allows, and begins anew when a user changes something', async () => {
    const times: number[] = [];
    const { clock, queue } = setup(() => {
      times.push(clock.now());
      return Promise.resolve({ kind: 'retry', message: 'busy', ...(times.length <= 5 ? { maxMs: 200 } : {}) });
    });
    queue.add('a');
    await clock.advance(700);
    expect(times).toEqual([0, 100, 300, 500, 700]);
    await clock.advance(1_200);
    expect(times).toEqual([0, 100, 300, 500, 700, 900, 1_900]);
    queue.add('a', 'user');
    await clock.advance(100);
    expect(times.slice(-2)).toEqual([1_900, 2_000]);
  });

  it('works on the most urgent first, and on equals in order; what waits may become more urgent', async () => {
    const log: string[] = [];
    const { clock, queue } = setup(async (key) => {
      log.push(key);
      await new Promise<void>((resolve) => clock.after(10, resolve));
      return done;
    }, 1);
    const keys: readonly (readonly [string, Urgency])[] = [
      ...([
        ['first', 'resync'],
        ['r1', 'resync'],
        ['r2', 'resync'],
        ['e1', 'event'],
        ['u1', 'user'],
      ] as const),
      ...([
        ['e2', 'event'],
        ['r2', 'user'],
        ['u1', 'resync'],
      ] as const),
    ];
    for (const [key, urgency] of keys) queue.add(key, urgency);
    await clock.advance(1_000);
    expect(log).toEqual(['first', 'u1', 'r2', 'e1', 'e2', 'r1']);
  });

  it('tells the work how urgent it has become', async () => {
    const seen: Urgency[] = [];
    const { clock, queue } = setup(async (_key, turn) => {
      seen.push(turn.urgency());
      await new Promise<void>((resolve) => clock.after(10, resolve));
      seen.push(turn.urgency());
      return done;
    });
    queue.add('a', 'resync');
    await clock.advance(5);
    queue.add('a', 'user');
    await clock.advance(100);
    expect(seen).toEqual(['resync', 'user', 'user', 'user']);
  });

  it('keeps a quarter of a lane for users', async () => {
    const running = new Set<string>();
    const { clock, queue } = setup(async (key) => {
      running.add(key);
      await new Promise<void>((resolve) => clock.after(100, resolve));
      running.delete(key);
      return done;
    }, 4);
    for (let key = 0; key < 10; key += 1) queue.add(`r${key}`, 'resync');
    expect(running.size).toBe(3);
    queue.add('u1', 'user');
    queue.add('u2', 'user');
    expect([...running]).toEqual(['r0', 'r1', 'r2', 'u1']);
    await clock.advance(1_000);
    expect(running.size).toBe(0);
  });

  it('lets no lane keep a worker from another', async () => {
    const log: string[] = [];
    const { clock, queue } = setup(
      async (key) => {
        log.push(key);
        await new Promise<void>((resolve) => clock.after(key.startsWith('slow') ? 60_000 : 10, resolve));
        return done;
      },
      2,
      (key) => key.split('/')[0] ?? '',
    );
    for (let key = 0; key < 10; key += 1) queue.add(`slow/${key}`);
    for (let key = 0; key < 3; key += 1) queue.add(`quick/${key}`);
    await clock.advance(20);
    expect(log).toEqual(['slow/0', 'slow/1', 'quick/0', 'quick/1', 'quick/2']);
    expect([queue.depth, queue.active]).toEqual([8, 2]);
  });

  it('gives the worker of what waits aside to another, and waits for it when it closes', async () => {
    const log: string[] = [];
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => (go = resolve));
    const { clock, queue } = setup(async (key, { aside }) => {
      if (key === 'a') await aside(() => gate);
      log.push(key);
      return done;
    }, 1);
    for (const key of ['a', 'b', 'c']) queue.add(key);
    await clock.advance(1);
    expect([log, queue.active]).toEqual([['b', 'c'], 1]);
    let closed = false;
    void queue.close(60_000).then(() => (closed = true));
    await clock.advance(1);
    expect(closed).toBe(false);
    go();
    await clock.advance(1);
    expect([log, closed]).toEqual([['b', 'c', 'a'], true]);
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
    const closed = queue.close(60_000);
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
