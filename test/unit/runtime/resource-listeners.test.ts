import { expect, test } from 'vitest';
import { ResourceListeners } from '../../../src/runtime/resource-listeners.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { Resource } from '../../../src/runtime/resources.ts';

const fails = (): never => {
  throw new Error('a fault of its own');
};
const change = { key: 'db', previous: undefined, current: undefined };

test('one that fails, at a change or at the first set, is not the others’ failure', () => {
  const listeners = new ResourceListeners<Resource>(silentLogger);
  const heard: string[] = [];
  listeners.onChange(fails);
  listeners.onChange(({ key }) => heard.push(key));
  listeners.onSynced(fails);
  listeners.onSynced(() => heard.push('synced'));
  listeners.tell(change);
  listeners.tellSynced();
  listeners.onSynced(fails);
  expect(heard).toEqual(['db', 'synced']);
});

test('the first set is told once, and at once to who comes later', () => {
  const listeners = new ResourceListeners<Resource>(silentLogger);
  const heard: string[] = [];
  listeners.onSynced(() => heard.push('early'));
  expect([listeners.synced, heard]).toEqual([false, []]);
  listeners.tellSynced();
  listeners.tellSynced();
  listeners.onSynced(() => heard.push('late'));
  expect([listeners.synced, heard]).toEqual([true, ['early', 'late']]);
});

test('the same function may listen twice, and ends each by itself', () => {
  const listeners = new ResourceListeners<Resource>(silentLogger);
  let count = 0;
  const listen = (): void => void (count += 1);
  const end = listeners.onChange(listen);
  listeners.onChange(listen);
  listeners.tell(change);
  end();
  listeners.tell(change);
  expect(count).toBe(3);
});
