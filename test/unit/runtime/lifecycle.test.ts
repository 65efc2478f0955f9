import { describe, expect, it } from 'vitest';
import { Lifecycle, type Part } from '../../../src/runtime/lifecycle.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const never = new Promise<void>(() => undefined);

function setup() {
  const clock = new ManualClock();
  const said: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (fields: object) => said.push(JSON.stringify(fields)),
    error: (fields: object) => said.push((fields as { part: string }).part),
  };
  const lifecycle = new Lifecycle({ clock, logger });
  const log: string[] = [];
  const add = (name: string, group: Part['group'], more: Partial<Part> = {}): void =>
    lifecycle.add({
      ...{ name, group },
      start: () => void log.push(`+${name}`),
      stop: () => void log.push(`-${name}`),
      ...more,
    });
  const ending = new AbortController();
  return { clock, said, lifecycle, log, add, ending };
}

describe('Lifecycle', () => {
  it('starts by group and then in order, is ready while it waits to be elected, and stops in the opposite order', async () => {
    const { clock, lifecycle, log, add, ending } = setup();
    let open = (): void => undefined;
    add('controller', 'workers');
    add('lease', 'elected', { start: () => new Promise((resolve) => (open = resolve)) });
    add('probes', 'servers');
    add('API server', 'sources');
    add('metrics', 'servers');
    const running = lifecycle.run(ending.signal);
    await clock.advance(60_000);
    expect(log).toEqual(['+probes', '+metrics', '+API server']);
    // Whoever waits to be elected does all that it is there for.
    expect(lifecycle.ready).toBe(true);
    open();
    await clock.advance(0);
    expect(log.at(-1)).toBe('+controller');
    expect(lifecycle.ready).toBe(true);
    log.length = 0;
    ending.abort();
    await running;
    expect(lifecycle.ready).toBe(false);
    expect(log).toEqual(['-controller', '-lease', '-API server', '-metrics', '-probes']);
  });

  it('is not ready before its sources are, nor, where nobody is elected, before its workers', async () => {
    const { clock, lifecycle, add, ending } = setup();
    const opened = { sources: (): void => undefined, workers: (): void => undefined };
    const later = (group: 'sources' | 'workers') => ({
      start: () => new Promise<void>((resolve) => (opened[group] = resolve)),
    });
    add('API server', 'sources', later('sources'));
    add('controller', 'workers', later('workers'));
    void lifecycle.run(ending.signal);
    await clock.advance(0);
    expect(lifecycle.ready).toBe(false);
    opened.sources();
    await clock.advance(0);
    expect(lifecycle.ready).toBe(false);
    opened.workers();
    await clock.advance(0);
    expect(lifecycle.ready).toBe(true);
  });

  it('stops its parts and fails when one of them says that it cannot go on', async () => {
    const { clock, lifecycle, log, add, ending } = setup();
    add('lease', 'elected');
    add('controller', 'workers');
    const running = lifecycle.run(ending.signal);
    await clock.advance(0);
    lifecycle.fail(new Error('lost the lease'));
    await expect(running).rejects.toThrow('lost the lease');
    expect(lifecycle.ready).toBe(false);
    expect(log).toEqual(['+lease', '+controller', '-controller', '-lease']);
  });

  it('ends well when something breaks once it is to end', async () => {
    const { clock, lifecycle, log, add, ending } = setup();
    let stopped = (): void => undefined;
    add('lease', 'elected');
    add('controller', 'workers', { stop: () => new Promise<void>((resolve) => (stopped = resolve)) });
    const running = lifecycle.run(ending.signal);
    await clock.advance(0);
    ending.abort();
    await clock.advance(0);
    lifecycle.fail(new Error('lost the lease'));
    stopped();
    await running;
    expect(log.at(-1)).toBe('-lease');
  });

  it('is ready only while every part is', async () => {
    const { clock, lifecycle, add, ending } = setup();
    let isThere = false;
    add('API server', 'sources', { ready: () => isThere });
    void lifecycle.run(ending.signal);
    await clock.advance(0);
    expect(lifecycle.ready).toBe(false);
    isThere = true;
    expect(lifecycle.ready).toBe(true);
  });

  it('stops what was started when a part cannot start, that one too, and says why', async () => {
    const { lifecycle, log, add, ending } = setup();
    add('probes', 'servers');
    add('API server', 'sources', { start: () => Promise.reject(new Error('no kubeconfig')) });
    add('controller', 'workers');
    await expect(lifecycle.run(ending.signal)).rejects.toThrow('no kubeconfig');
    expect(log).toEqual(['+probes', '-API server', '-probes']);
  });

  it('starts nothing more once it is to end', async () => {
    const { clock, lifecycle, log, add, ending } = setup();
    const untilEnd = (signal: AbortSignal) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    add('API server', 'sources', { start: untilEnd });
    add('controller', 'workers');
    const running = lifecycle.run(ending.signal);
    await clock.advance(1_000);
    ending.abort();
    await running;
    expect(log).toEqual(['-API server']);
    await lifecycle.run(ending.signal);
    expect(log).toEqual(['-API server']);
  });

  it('waits for no part longer than its time, and a part that fails to stop keeps none from it', async () => {
    const { clock, said, lifecycle, log, add, ending } = setup();
    add('probes', 'servers');
    add('broken', 'sources', { stop: () => Promise.reject(new Error('on purpose')) });
    add('controller', 'workers', { stop: () => never, stopMs: 45_000 });
    let ended = false;
    void lifecycle.run(ending.signal).then(() => (ended = true));
    await clock.advance(0);
    ending.abort();
    await clock.advance(44_999);
    expect([ended, said]).toEqual([false, []]);
    await clock.advance(1);
    expect(ended).toBe(true);
    expect(said).toEqual(['{"part":"controller","stopMs":45000}', 'broken']);
    expect(log.at(-1)).toBe('-probes');
  });
});
