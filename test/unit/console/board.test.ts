/** What the board remembers of what a person saw. */
import { expect, test } from 'vitest';
import { Board } from '../../../src/console/board.ts';
import type { ConsoleEvent } from '../../../src/console/wire.ts';
import { seenAt } from '../../support/console-bench.ts';

const make = () => new Board({ place: 'cluster', title: 'lab', canEdit: true, version: '0' });

test('before all is known nobody is told that there is nothing', () => {
  const board = make();
  const heard: string[] = [];
  board.subscribe(({ event }) => heard.push(event));
  board.put(seenAt('1'));
  expect(board.snapshot().map(({ event }: ConsoleEvent) => event)).not.toContain('resources');
  board.complete();
  expect(heard).toEqual(['resources']);
  board.replace([]);
  expect(heard).toEqual(['resources', 'gone']);
});

test('the last versions are known, and none of an earlier life of the name', () => {
  const board = make();
  for (let version = 1; version <= 20; version++) board.put(seenAt(String(version)));
  expect(board.findAt('t', 'db', '4')).toBeNull();
  expect(board.findAt('t', 'db', '5')).not.toBeNull();
  // What comes late, by another way, is no news.
  board.put(seenAt('19'));
  expect(board.find('t', 'db')?.resource.metadata.resourceVersion).toBe('20');
  const { resource, object } = seenAt('21');
  board.put({ resource: { ...resource, metadata: { ...resource.metadata, uid: 'v' } }, object });
  expect(board.findAt('t', 'db', '20')).toBeNull();
});
