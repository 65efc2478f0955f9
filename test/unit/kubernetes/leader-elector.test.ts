import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findTimesProblem } from '../../../src/kubernetes/election.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { ElectedProcess, LeaseServer, times } from './support/lease-server.ts';

let clock: ManualClock;
let server: LeaseServer;
let processes: ElectedProcess[];

beforeEach(() => {
  clock = new ManualClock();
  server = new LeaseServer();
  processes = [];
});
afterEach(() => {
  for (const each of processes) each.kill();
});

const start = async (name: string, options?: { skewMs?: number }): Promise<ElectedProcess> => {
  const made = new ElectedProcess(name, server, clock, options);
  processes.push(made);
  await clock.advance(0);
  return made;
};
/** How long it takes until `made` leads, ms. */
async function untilLeads(made: ElectedProcess): Promise<number> {
  const fromMs = clock.now();
  await clock.until('it leads', () => made.epoch !== null, 60_000);
  return clock.now() - fromMs;
}
const spec = () => server.lease?.spec ?? {};

describe('a leader', () => {
  it('makes the Lease, and renews it every retry period', async () => {
    const a = await start('a');
    expect([a.isElected, a.epoch]).toEqual([true, 101]);
    const at = '2026-01-01T00:00:00.000000Z';
    expect(server.lease).toMatchObject({
      metadata: { name: 'dimmer-controller', namespace: 'dimmer-system' },
      spec: { holderIdentity: 'a', leaseDurationSeconds: 12, acquireTime: at, renewTime: at, leaseTransitions: 0 },
    });
    await clock.advance(60_000);
    expect(spec()).toMatchObject({ acquireTime: at, renewTime: '2026-01-01T00:01:00.000000Z', leaseTransitions: 0 });
    expect(server.writes).toHaveLength(31);
    expect([a.epoch, a.log]).toEqual([101, []]);
  });

  it('keeps what else stands in the Lease', async () => {
    const a = await start('a');
    server.edit({ preferredHolder: 'b' }, { labels: { team: 'x' }, annotations: { note: 'y' } });
    await clock.advance(10_000);
    expect(server.lease).toMatchObject({
      metadata: { labels: { team: 'x' }, annotations: { note: 'y' } },
      spec: { preferredHolder: 'b' },
    });
    expect([a.epoch, a.log]).toEqual([101, []]);
  });

  it('says in the Lease which hosts it is there for, also over one that said otherwise', async () => {
    const said = { labels: { 'dimmer.dev/shard': 'true' }, annotations: { 'dimmer.dev/shard-selector': '' } };
    const a = await start('a');
    expect(server.lease).toMatchObject({ metadata: said });
    server.edit({}, { labels: {}, annotations: { 'dimmer.dev/shard-selector': 'zone=a' } });
    await clock.advance(2_500);
    expect(server.lease).toMatchObject({ metadata: said });
    expect([a.epoch, a.log]).toEqual([101, []]);
  });

  it('gets over errors and answers that are lost, for less than the deadline', async () => {
    const a = await start('a');
    await clock.advance(2_000);
    server.faults.push(500, 429);
    await clock.advance(8_000);
    expect([a.epoch, a.log]).toEqual([101, []]);
    server.faults.push('lose-answer');
    await clock.advance(8_000);
    expect([a.epoch, a.log]).toEqual([101, []]);
    // Its own write, whose answer it never got, is the Lease that it goes on from.
    expect(server.writes.map(({ answer }) => answer).join(' ')).toMatch(/^ok ok 500 429 ok .*lose-answer ok/);
  });

  it('does not lead any more 8 s after the last renewal that arrived was sent, and says why', async () => {
    const a = await start('a');
    // Sent after 2 s, answered after 5.
    server.faults.push('late-answer');
    await clock.advance(2_500);
    a.isCutOff = true;
    await clock.advance(7_499);
    expect(a.epoch).toBe(101);
    await clock.advance(1);
    expect([a.epoch, a.log]).toEqual([null, ['the lease could not be renewed for 8 s']]);
    a.isCutOff = false;
    await clock.advance(60_000);
    // It is to end: another life may be elected, this one not.
    expect(a.epoch).toBeNull();
  });

  it('that was frozen knows at once that it may not lead any more', async () => {
    const a = await start('a');
    a.freeze();
    await clock.advance(8_000);
    expect(a.epoch).toBeNull();
    await clock.advance(30_000);
    a.thaw();
    expect(a.epoch).toBeNull();
    await clock.advance(0);
    expect(a.log).toEqual(['the lease could not be renewed for 38 s']);
    expect(server.writes.filter(({ answer }) => answer === 'ok')).toHaveLength(1);
  });

  it('stops leading as soon as it sees that another holds the Lease, even while a renewal is not answered', async () => {
    const a = await start('a');
    server.faults.push('lose-request');
    await clock.advance(2_500);
    server.edit({ holderIdentity: 'somebody', leaseTransitions: 1 });
    await clock.advance(0);
    expect([a.epoch, a.log]).toEqual([null, ['somebody holds the lease']]);
  });

  it('whose Lease was deleted does not lead until it has made it anew, with a larger epoch', async () => {
    const a = await start('a');
    await clock.advance(5_000);
    server.faults.push(500);
    server.delete();
    await clock.advance(0);
    expect(a.epoch).toBeNull();
    await clock.advance(2_500);
    expect(a.epoch).toBeGreaterThan(101);
    expect(a.log).toEqual([]);
    // Those that were there before are counted.
    expect(spec()).toMatchObject({ holderIdentity: 'a', leaseTransitions: 1 });
  });

  it('goes on when somebody else has edited its Lease', async () => {
    const a = await start('a');
    server.cutWatches();
    server.edit({ renewTime: '2020-01-01T00:00:00.000000Z' });
    await clock.advance(2_500);
    expect(server.writes.map(({ answer }) => answer)).toEqual(['ok', '409', 'ok']);
    expect([a.epoch, a.log]).toEqual([101, []]);
  });

  it('gives the Lease up when it ends, and never one that it has lost', async () => {
    const a = await start('a');
    await a.end();
    expect(spec()).toMatchObject({ leaseDurationSeconds: 1, leaseTransitions: 0 });
    expect(spec()).not.toHaveProperty('holderIdentity');
    const b = await start('b');
    server.edit({ holderIdentity: 'somebody' });
    await b.end();
    expect(spec()).toMatchObject({ holderIdentity: 'somebody' });
  });

  it('refused for a newer one makes sure that it holds the Lease, and if so takes an epoch above', async () => {
    const a = await start('a');
    a.elector.refused(5_000);
    expect(a.epoch).toBe(101);
    await clock.advance(0);
    expect([a.epoch, server.writes.length]).toEqual([5_001, 2]);
    // What was on its way meanwhile is answered in the same way, and means nothing any more.
    a.elector.refused(5_000);
    await clock.advance(0);
    expect([a.epoch, server.writes.length]).toEqual([5_001, 2]);

    server.cutWatches();
    server.edit({ holderIdentity: 'b', leaseTransitions: 1 });
    a.elector.refused(6_000);
    await clock.advance(0);
    expect([a.epoch, a.log]).toEqual([null, ['b holds the lease']]);
  });
});

describe('those that wait', () => {
  it('take over when they have seen the Lease unchanged for as long as it says, whatever the clocks are', async () => {
    const a = await start('a', { skewMs: -86_400_000 });
    const b = await start('b', { skewMs: 86_400_000 });
    await clock.advance(31_000);
    expect([a.epoch, b.epoch]).toEqual([101, null]);
    a.kill();
    // It was renewed a second ago.
    expect(await untilLeads(b)).toBe(11_000);
    expect(b.epoch).toBeGreaterThan(101);
    expect(spec()).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  it('take over at once from one that has ended, or whose Lease was deleted', async () => {
    const a = await start('a');
    const b = await start('b');
    await a.end();
    await clock.advance(0);
    expect(b.epoch).toBeGreaterThan(101);
    const c = await start('c');
    b.kill();
    server.delete();
    await clock.advance(0);
    expect(c.epoch).toBeGreaterThan(103);
    expect(spec()).toMatchObject({ holderIdentity: 'c', leaseTransitions: 2 });
  });

  it('wait for one that they find, however old its Lease seems to be', async () => {
    server.lease = {
      metadata: { name: 'dimmer-controller', namespace: 'dimmer-system', uid: 'old', resourceVersion: '90' },
      spec: {
        holderIdentity: 'z',
        leaseDurationSeconds: 12,
        renewTime: '2001-01-01T00:00:00.000000Z',
        leaseTransitions: 7,
      },
    };
    const a = await start('a');
    expect(await untilLeads(a)).toBe(12_000);
    expect(spec()).toMatchObject({ holderIdentity: 'a', leaseTransitions: 8 });
  });

  it('are but one when several try at once', async () => {
    const a = await start('a');
    const others = [await start('b'), await start('c'), await start('d')];
    a.kill();
    await clock.advance(20_000);
    expect(others.filter(({ epoch }) => epoch !== null)).toHaveLength(1);
    expect(others.flatMap(({ log }) => log)).toEqual([]);
  });

  it('learn from their next look that they lead, when the answer was lost', async () => {
    const a = await start('a');
    const b = await start('b');
    a.kill();
    server.faults.push('lose-answer');
    await clock.advance(14_000);
    expect(spec()).toMatchObject({ holderIdentity: 'b' });
    const atVersion = server.version;
    await clock.until('b leads', () => b.epoch !== null, 10_000);
    expect(b.epoch).toBeGreaterThan(atVersion);
    expect(spec()).toMatchObject({ leaseTransitions: 1 });
  });

  it('whose watch is dead take nothing that was renewed meanwhile', async () => {
    const a = await start('a');
    const b = await start('b');
    server.watches.clear();
    await clock.advance(13_500);
    expect([a.epoch, b.epoch]).toEqual([101, null]);
    expect(server.writes.filter(({ by }) => by === 'b').map(({ answer }) => answer)).toEqual(['409']);
    await clock.advance(60_000);
    expect([a.epoch, b.epoch, a.log]).toEqual([101, null, []]);
  });

  it('go on trying while the API server fails', async () => {
    server.faults.push(500, 403, 429, 500);
    const a = await start('a');
    expect(await untilLeads(a)).toBeLessThan(4 * times.retryMs + 100);
  });
});

it('the times go together as client-go wants it', () => {
  expect(findTimesProblem(times)).toBeNull();
  expect(findTimesProblem({ ...times, deadlineMs: 12_000 })).toMatch(/^--leader-elect-lease-duration must be more/);
  expect(findTimesProblem({ ...times, retryMs: 7_000 })).toMatch(/^--leader-elect-renew-deadline must be more/);
});
