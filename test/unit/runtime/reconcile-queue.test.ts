import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { type Logger, silentLogger } from '../../../src/runtime/logger.ts';
import { createReconcileMetrics } from '../../../src/runtime/reconcile-metrics.ts';
import { type Attempt, createReconcileQueue, type Reconciled } from '../../../src/runtime/reconcile-queue.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const deadlineMs = 10_000;

function setup(reconcile: (key: string, attempt: Attempt, clock: ManualClock) => Promise<Reconciled>) {
  const clock = new ManualClock();
  const registry = new Registry();
  type Line = { readonly resource?: string; readonly message: string };
  const lines: Line[] = [];
  const quiet: Line[] = [];
  const loggerWith = (known: object): Logger => {
    const sayTo = (to: Line[]) => (fields: object, message: string) => void to.push({ ...known, ...fields, message });
    const say = sayTo(lines);
    return {
      ...silentLogger,
      info: say,
      error: say,
      debug: sayTo(quiet),
      child: (fields) => loggerWith({ ...known, ...fields }),
    };
  };
  const queue = createReconcileQueue({
    ...{ clock, logger: loggerWith({}), random: () => 0, concurrency: 4, kind: 'Thing', deadlineMs },
    retry: { initialMs: 1_000, maxMs: 60_000 },
    metrics: createReconcileMetrics(registry),
    reconcile: (key, attempt) => reconcile(key, attempt, clock),
  });
  queue.start();
  return { clock, queue, lines, quiet, metrics: () => registry.metrics() };
}

/** Resolves when the attempt is to end. */
const untilCut = ({ signal }: Attempt): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

describe('createReconcileQueue', () => {
  it('counts and logs what was concluded, under the kind', async () => {
    const { clock, queue, lines, metrics } = setup(() =>
      Promise.resolve({ kind: 'done', reason: 'Converged', said: { detail: 'all is well' } }),
    );
    queue.add('a');
    await clock.advance(0);
    expect(lines).toMatchObject([
      { kind: 'Thing', resource: 'a', reason: 'Converged', detail: 'all is well', tookMs: 0, message: 'reconciled' },
    ]);
    const text = await metrics();
    expect(text).toContain('dimmer_reconcile_duration_seconds_count{kind="Thing",reason="Converged"} 1');
    expect(text).toContain('dimmer_reconciles_total{kind="Thing",outcome="done"} 1');
  });

  it('ends all that is under way when it closes, and tells what has ended nothing', async () => {
    const cuts: string[] = [];
    const attempts = new Map<string, Attempt>();
    const { clock, queue } = setup(async (key, attempt) => {
      attempts.set(key, attempt);
      if (key !== 'quick') await untilCut(attempt);
      cuts.push(`${key} ${attempt.cut() ?? 'by itself'}`);
      return { kind: 'done' };
    });
    for (const key of ['a', 'quick', 'b']) queue.add(key);
    await clock.advance(0);
    const closed = queue.close(1_000);
    await clock.advance(0);
    expect(await closed).toBe(0);
    expect(cuts).toEqual(['quick by itself', 'a closing', 'b closing']);
    expect(attempts.get('quick')?.signal.aborted).toBe(false);
  });

  it('logs what has changed nothing for who wants to see all', async () => {
    const said = { detail: 'all is well' };
    const { clock, queue, lines, quiet } = setup((key) =>
      Promise.resolve({ kind: 'done', said, isRoutine: key === 'a' }),
    );
    queue.add('a');
    queue.add('b');
    await clock.advance(0);
    expect([lines, quiet].map((each) => each.map(({ resource }) => resource))).toEqual([['b'], ['a']]);
  });

  it('retries what throws, logs it with its id, and counts it as failed', async () => {
    let attempts = 0;
    const { clock, queue, lines, metrics } = setup(() => {
      attempts += 1;
      return attempts === 1 ? Promise.reject(new Error('on purpose')) : Promise.resolve({ kind: 'done' });
    });
    queue.add('a');
    await clock.advance(5_000);
    expect(attempts).toBe(2);
    expect(lines).toMatchObject([{ resource: 'a', reconcileId: '', message: 'reconcile failed unexpectedly' }]);
    expect(await metrics()).toContain('dimmer_reconciles_total{kind="Thing",outcome="failed"} 1');
  });

  it('tells a reconcile at its deadline to end; the time that it spent in line does not count', async () => {
    const endedMs: number[] = [];
    const { clock, queue, metrics } = setup(async (_key, attempt, time) => {
      const beganMs = time.now();
      await attempt.inLine(() => new Promise<void>((resolve) => time.after(60_000, resolve)));
      expect(attempt.cut()).toBeNull();
      await untilCut(attempt);
      endedMs.push(time.now() - beganMs);
      expect(attempt.cut()).toBe('overdue');
      return { kind: 'done' };
    });
    queue.add('a');
    await clock.advance(100_000);
    expect(endedMs).toEqual([60_000 + deadlineMs]);
    expect(await metrics()).toContain('dimmer_reconciles_total{kind="Thing",outcome="overdue"} 1');
    expect(clock.pending).toBe(0);
  });

  it('tells those under way to end when it closes, and says how many did not within the grace', async () => {
    const { clock, queue } = setup(async (key, attempt, time) => {
      await untilCut(attempt);
      expect(attempt.cut()).toBe('closing');
      if (key === 'stubborn') await new Promise<void>((resolve) => time.after(3_600_000, resolve));
      return { kind: 'after', ms: 0 };
    });
    for (const key of ['a', 'b', 'stubborn']) queue.add(key);
    await clock.advance(0);
    const closing = queue.close(5_000);
    await clock.advance(0);
    expect(queue.active).toBe(1);
    await clock.advance(5_000);
    expect(await closing).toBe(1);
  });

  it('shows how much there is to do, by kind', async () => {
    const { clock, queue, metrics } = setup(async (_key, attempt) => {
      await untilCut(attempt);
      return { kind: 'done' };
    });
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) queue.add(key);
    await clock.advance(0);
    const text = await metrics();
    // A quarter of the workers is kept for what users change.
    expect(text).toContain('controller_runtime_active_workers{controller="thing"} 3');
    expect(text).toContain('workqueue_depth{name="thing"} 3');
  });
});
