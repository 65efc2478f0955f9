/** Which leader a host goes by, and what a controller asks itself before it sends a change. */
import { expect, test } from 'vitest';
import { Leaders } from '../../../src/host/leaders.ts';
import { withLeadership } from '../../../src/host/leadership.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { formatLeader, parseLeader } from '../../../src/memory/leader.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { codeOf, leadershipOf, plugRequest, valueOf } from '../../contract/bench.ts';

test('a leader is read as it was written, and rubbish is none', () => {
  const leader = { election: '3f0c-aa/dimmer-system/dimmer-controller', epoch: 9_007_199_254_740_991 };
  expect(parseLeader(formatLeader(leader))).toEqual(leader);
  for (const text of ['', '#1', 'a#', 'a#0', 'a#01', 'a#1.5', 'a#9007199254740992', 'a b#1', 'a#1#1', 'a&b#1']) {
    expect(parseLeader(text), text).toBeNull();
  }
});

test('the newest leader of an election is known from any word of it, and never an older one', () => {
  const leaders = new Leaders();
  const admit = (epoch: number, election = 'a') => codeOf(leaders.admit({ election, epoch }));
  expect(admit(5)).toBe('ok');
  expect(admit(5)).toBe('ok');
  expect(admit(4)).toBe('not-leader');
  leaders.learn({ election: 'a', epoch: 3 });
  expect(admit(4)).toBe('not-leader');
  leaders.learn({ election: 'a', epoch: 8 });
  expect(leaders.admit({ election: 'a', epoch: 7 })).toMatchObject({ error: { newestEpoch: 8 } });
  expect(admit(1, 'b')).toBe('ok');
  expect(codeOf(leaders.admit(undefined))).toBe('ok');
  // Rubbish doesn't push out an election that is in use.
  for (let n = 0; n < 1_000; n += 1) {
    leaders.learn({ election: `rubbish-${n}`, epoch: 1 });
    if (n % 100 === 0) expect(admit(8)).toBe('ok');
  }
  expect(admit(7)).toBe('not-leader');
});

test('of controllers that share the hosts the one has a host that knows the newer version of its resource', () => {
  const leaders = new Leaders();
  const admit = (name: string, hostVersion: number, cluster = 'one') =>
    codeOf(leaders.admit({ election: `${cluster}/dimmer-system/${name}`, epoch: 1, hostVersion }));
  expect(admit('a', 10)).toBe('ok');
  expect(admit('b', 20)).toBe('ok');
  expect(admit('a', 15)).toBe('not-leader');
  // It isn't its lease that is another's.
  expect(leaders.admit({ election: 'one/dimmer-system/a', epoch: 1, hostVersion: 15 })).not.toMatchObject({
    error: { newestEpoch: expect.anything() as unknown },
  });
  // The one that has it may be told of late by its own watch.
  expect(admit('b', 18)).toBe('ok');
  expect(admit('a', 19)).toBe('not-leader');
  expect(admit('a', 20)).toBe('ok');
  // Versions of different clusters don't compare, and who says none is left to its epoch.
  expect(admit('a', 1, 'two')).toBe('ok');
  expect(codeOf(leaders.admit({ election: 'one/dimmer-system/b', epoch: 1 }))).toBe('ok');
});

test('a controller that shares the hosts sends no change to one that is not its own, and says by what it is', async () => {
  const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
  const host = createSimulatedHost({ clock: systemClock, domains: [{ uuid, name: 'db-1' }] });
  const leadership = leadershipOf(1, 'one/dimmer-system/a');
  let charge: { hostVersion: number } | null = null;
  const shared = withLeadership(host, leadership, () => charge);
  const { revision } = valueOf(await shared.observe(uuid));
  const plug = () => shared.plug(uuid, revision, plugRequest(0, mib(128)));
  expect(codeOf(await plug())).toBe('not-leader');
  expect(host.script.calls().plug).toBe(0);
  charge = { hostVersion: 4 };
  const other = { election: 'one/dimmer-system/b', epoch: 1, hostVersion: 5 };
  host.watch(() => undefined, { current: () => other, refused: () => undefined });
  await Promise.resolve();
  expect(codeOf(await plug())).toBe('not-leader');
  expect(leadership.refusedBy).toEqual([]);
  charge = { hostVersion: 6 };
  expect(codeOf(await plug())).toBe('ok');
});

test('a controller that may have lost its lease sends no change, and goes on looking', async () => {
  const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
  const host = createSimulatedHost({ clock: systemClock, domains: [{ uuid, name: 'db-1' }] });
  const former = withLeadership(host, { ...leadershipOf(1), current: () => null });
  const { revision } = valueOf(await former.observe(uuid));
  expect(codeOf(await former.plug(uuid, revision, plugRequest(0, mib(128))))).toBe('not-leader');
  expect(host.script.calls().plug).toBe(0);
});
