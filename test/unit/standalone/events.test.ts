/** The last events of a resource. */
import { expect, test } from 'vitest';
import { type KeptEvent, readEvents, withEvent } from '../../../src/standalone/event-files.ts';

const event = (message: string) => ({ type: 'Normal', reason: 'Converged', action: 'Resize', message }) as const;

test('one that comes again counts, and the last 50 are kept', () => {
  let events: readonly KeptEvent[] = [];
  for (let number = 0; number < 60; number += 1) events = withEvent(events, event(`n ${number}`), `t${number}`);
  events = withEvent(events, event('n 59'), 't60');
  expect([events.length, events[0]?.message]).toEqual([50, 'n 10']);
  expect(events.at(-1)).toEqual({ ...event('n 59'), count: 2, firstSeen: 't59', lastSeen: 't60' });
});

test.each([[null], ['{'], ['{}']])('a file of %j holds none', (text) => {
  expect(readEvents(text)).toEqual([]);
});
