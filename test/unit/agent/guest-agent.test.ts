/** When the agents in the guests are asked. */
import { expect, test } from 'vitest';
import { EventLog } from '../../../src/agent/event-log.ts';
import { GuestAgentPoll } from '../../../src/agent/guest/guest-agent.ts';
import { RunningDomain } from '../../../src/agent/domain/running-domain.ts';
import { DriverError } from '../../../src/agent/driver-error.ts';
import { mib } from '../../../src/memory/bytes.ts';
import type { GuestAgentWord } from '../../../src/memory/guest-facts.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';

const well: GuestAgentWord = { blocks: { size: mib(128), online: 4, offline: 0 }, problem: null };
const short: GuestAgentWord = { blocks: { size: mib(128), online: 3, offline: 1 }, problem: null };

async function setUp(word: GuestAgentWord) {
  const clock = new ManualClock();
  const events = new EventLog('epoch');
  const run = new RunningDomain('uuid', 'boot/1/7', clock.now());
  const state = { asked: 0, told: 0, word: word as GuestAgentWord | 'hangs' | 'gone', runs: true };
  events.subscribe(() => {
    state.told += 1;
  });
  const memoryBlocks = (): Promise<GuestAgentWord> => {
    state.asked += 1;
    if (state.word === 'hangs') return new Promise(() => undefined);
    return state.word === 'gone' ? Promise.reject(new DriverError('Unreachable', 'gone')) : Promise.resolve(state.word);
  };
  const poll = new GuestAgentPoll({ driver: { memoryBlocks }, isRunning: () => state.runs, events, clock });
  const look = async (): Promise<void> => {
    run.wasObserved(null, clock.now());
    poll.looked(run);
    await settle();
  };
  const pass = async (ms: number): Promise<void> => {
    await clock.advance(ms);
    await settle();
  };
  await look();
  return { clock, run, state, look, pass, poll };
}

test('one that is well is asked once a minute, and watchers are told of news only', async () => {
  const { run, state, look, pass } = await setUp(well);
  await pass(59_000);
  await look();
  expect([state.asked, state.told, run.guestAgent?.word]).toEqual([1, 1, well]);
  await pass(1_000);
  expect([state.asked, state.told]).toEqual([2, 1]);
});

test('one whose guest lacks something is asked every 5 s, also when nobody looks meanwhile', async () => {
  const { state, pass } = await setUp(short);
  await pass(5_000);
  expect([state.asked, state.told]).toEqual([2, 1]);
  state.word = well;
  await pass(5_000);
  expect([state.asked, state.told]).toEqual([3, 2]);
});

test('what is said of other modules is told though it is the same', async () => {
  const { clock, run, state, pass } = await setUp(short);
  run.heardArrival('ua-new', clock.now() + 1_000);
  await pass(5_000);
  expect(state.told).toBe(2);
});

test('one that does not answer is asked after 20 s', async () => {
  const { state, pass } = await setUp({ blocks: null, problem: 'Silent' });
  await pass(19_000);
  expect(state.asked).toBe(1);
  await pass(1_000);
  expect(state.asked).toBe(2);
});

test('one that hangs is asked once, and a hypervisor that is away takes nothing back', async () => {
  const { run, state, look, pass } = await setUp(well);
  state.word = 'gone';
  await pass(60_000);
  expect([state.asked, run.guestAgent?.word]).toEqual([2, well]);
  state.word = 'hangs';
  await pass(60_000);
  await look();
  await pass(120_000);
  expect(state.asked).toBe(3);
});

test('nobody is asked that has stopped, that nobody looks at any more, or after the end', async () => {
  const { state, look, pass, poll } = await setUp(well);
  state.runs = false;
  await pass(60_000);
  expect(state.asked).toBe(1);
  state.runs = true;
  await look();
  await pass(20 * 60_000);
  expect(state.asked).toBeLessThanOrEqual(12);
  const { asked } = state;
  await pass(20 * 60_000);
  expect(state.asked).toBe(asked);
  await look();
  poll.stop();
  await pass(60_000);
  expect(state.asked).toBe(asked + 1);
});
