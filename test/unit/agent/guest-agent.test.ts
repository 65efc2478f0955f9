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

function setUp() {
  const clock = new ManualClock();
  const events = new EventLog('epoch');
  const run = new RunningDomain('uuid', 'boot/1/7', clock.now());
  const state = { asked: 0, told: 0, word: well as GuestAgentWord | 'hangs' | 'gone' };
  events.subscribe(() => {
    state.told += 1;
  });
  const memoryBlocks = (): Promise<GuestAgentWord> => {
    state.asked += 1;
    if (state.word === 'hangs') return new Promise(() => undefined);
    return state.word === 'gone' ? Promise.reject(new DriverError('Unreachable', 'gone')) : Promise.resolve(state.word);
  };
  const poll = new GuestAgentPoll({ driver: { memoryBlocks }, events, clock });
  const look = async (afterMs: number): Promise<void> => {
    await clock.advance(afterMs);
    poll.looked(run);
    await settle();
  };
  return { run, state, look };
}

test('one that is well is asked once a minute, and watchers are told of news only', async () => {
  const { run, state, look } = setUp();
  await look(0);
  await look(30_000);
  expect([state.asked, state.told, run.guestAgent?.word]).toEqual([1, 1, well]);
  await look(30_000);
  expect([state.asked, state.told]).toEqual([2, 1]);
});

test('one whose guest lacks something, or has got something, is asked after 5 s', async () => {
  const { run, state, look } = setUp();
  state.word = short;
  await look(0);
  await look(5_000);
  state.word = well;
  await look(5_000);
  expect([state.asked, state.told]).toEqual([3, 2]);
  // A module comes a second after it was asked.
  run.heardArrival('ua-new', (run.guestAgent?.askedAtMs ?? 0) + 1_000);
  await look(5_000);
  expect(state.asked).toBe(4);
});

test('one that does not answer is asked after 20 s', async () => {
  const { state, look } = setUp();
  state.word = { blocks: null, problem: 'Silent' };
  await look(0);
  await look(15_000);
  expect(state.asked).toBe(1);
  await look(5_000);
  expect(state.asked).toBe(2);
});

test('one that hangs is asked once, and a hypervisor that is away takes nothing back', async () => {
  const { run, state, look } = setUp();
  await look(0);
  state.word = 'gone';
  await look(60_000);
  expect([state.asked, run.guestAgent?.word]).toEqual([2, well]);
  state.word = 'hangs';
  await look(60_000);
  await look(60_000);
  expect(state.asked).toBe(3);
});
