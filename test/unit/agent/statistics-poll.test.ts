/** How guests are looked at: each at its own moments, whatever another one does. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunningDomains } from '../../../src/agent/domain/running-domains.ts';
import type { Driver, MemoryStatistics } from '../../../src/agent/driver.ts';
import { EventLog } from '../../../src/agent/event-log.ts';
import { StatisticsPoll } from '../../../src/agent/guest/statistics-poll.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const guests = ['a', 'b', 'c'] as const;

let clock: ManualClock;
let runs: RunningDomains;
let events: EventLog;
let poll: StatisticsPoll;
let isReady: boolean;
/** Looks that have begun, by guest. */
let looks: Record<string, number>;
/** Guests whose looks aren't answered until they are let go of. */
const hung = new Map<string, { readonly over: Promise<unknown>; readonly letGo: () => void }>();

const report = (): MemoryStatistics => ({
  ...{ available: mib(1500), usable: mib(800), unused: mib(600), balloon: null },
  lastUpdateMs: Math.floor(clock.now() / 2_000) * 2_000,
  report: `reported at ${Math.floor(clock.now() / 2_000)}`,
});

beforeEach(() => {
  clock = new ManualClock();
  runs = new RunningDomains();
  events = new EventLog('test');
  events.subscribe(() => undefined);
  isReady = true;
  looks = {};
  hung.clear();
  const driver = {
    async statistics(uuid: string): Promise<MemoryStatistics> {
      looks[uuid] = (looks[uuid] ?? 0) + 1;
      await hung.get(uuid)?.over;
      return report();
    },
  };
  for (const uuid of guests) runs.ensure(uuid, 'run', clock.now()).wasObserved(null, clock.now());
  poll = new StatisticsPoll({
    driver: driver as Partial<Driver> as Driver,
    runs,
    events,
    clock,
    isReady: () => isReady,
  });
  poll.start();
});
afterEach(() => poll.stop());

function hang(uuid: string): void {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  hung.set(uuid, { over: promise, letGo: () => resolve(null) });
}
const letGo = (uuid: string): void => {
  hung.get(uuid)?.letGo();
  hung.delete(uuid);
};

describe('the poll of all guests', () => {
  it('looks at each about every 2 s', async () => {
    await clock.advance(60_000);
    for (const uuid of guests) {
      expect(looks[uuid]).toBeGreaterThan(25);
      expect(looks[uuid]).toBeLessThan(35);
    }
  });

  it('one guest that hangs keeps no other from being looked at, is asked once, and is looked at again afterwards', async () => {
    await clock.advance(10_000);
    hang('b');
    await clock.advance(3_000);
    const before = { ...looks };
    await clock.advance(60_000);
    for (const uuid of ['a', 'c']) expect((looks[uuid] ?? 0) - (before[uuid] ?? 0), uuid).toBeGreaterThan(25);
    expect(looks['b']).toBe(before['b']);
    letGo('b');
    await clock.advance(10_000);
    expect((looks['b'] ?? 0) - (before['b'] ?? 0)).toBeGreaterThanOrEqual(4);
  });

  it('all hang at once: each is looked at again when it is let go of', async () => {
    for (const uuid of guests) hang(uuid);
    await clock.advance(20_000);
    expect(looks).toEqual({ a: 1, b: 1, c: 1 });
    letGo('c');
    await clock.advance(10_000);
    expect([looks['a'], looks['b']]).toEqual([1, 1]);
    expect(looks['c']).toBeGreaterThanOrEqual(4);
  });

  it('asks nobody while the hypervisor cannot be asked, nobody listens, or nobody has looked at the domain', async () => {
    isReady = false;
    await clock.advance(10_000);
    expect(looks).toEqual({});
    isReady = true;
    await clock.advance(600_000);
    const before = { ...looks };
    await clock.advance(60_000);
    expect(looks).toEqual(before);
  });

  it('ends with no timer left, also when a look is answered afterwards', async () => {
    hang('a');
    await clock.advance(2_100);
    poll.stop();
    expect(clock.pending).toBe(0);
    letGo('a');
    await clock.advance(10_000);
    expect(clock.pending).toBe(0);
    expect(looks['a']).toBe(1);
  });
});
