import { expect, test } from 'vitest';
import { HeldResources } from '../../../src/runtime/held-resources.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { Resource } from '../../../src/runtime/resources.ts';

const fails = (): never => {
  throw new Error('a fault of its own');
};
/** A source that is told what it holds. */
class Source extends HeldResources<Resource> {
  set(current: Resource | undefined): void {
    this.hold('db', current);
  }
  setSynced(): void {
    this.tellSynced();
  }
}
const db = (uid: string, resourceVersion = '1'): Resource => ({
  metadata: { name: 'db', namespace: 't', uid, resourceVersion, generation: 1 },
});

test('one that fails, at a change or at the first set, is not the others’ failure', () => {
  const source = new Source(silentLogger);
  const heard: string[] = [];
  source.onChange(fails);
  source.onChange(({ key }) => heard.push(key));
  source.onSynced(fails);
  source.onSynced(() => heard.push('synced'));
  source.set(db('a'));
  source.setSynced();
  source.onSynced(fails);
  expect(heard).toEqual(['db', 'synced']);
});

test('the first set is told once, and at once to who comes later', () => {
  const source = new Source(silentLogger);
  const heard: string[] = [];
  source.onSynced(() => heard.push('early'));
  expect([source.synced, heard]).toEqual([false, []]);
  source.setSynced();
  source.setSynced();
  source.onSynced(() => heard.push('late'));
  expect([source.synced, heard]).toEqual([true, ['early', 'late']]);
});

test('the same function may listen twice, and ends each by itself', () => {
  const source = new Source(silentLogger);
  let count = 0;
  const listen = (): void => void (count += 1);
  const end = source.onChange(listen);
  source.onChange(listen);
  source.set(db('a'));
  end();
  source.set(db('a'));
  expect(count).toBe(3);
});

test('what was deleted and made anew under one name between two looks is told as both', () => {
  const source = new Source(silentLogger);
  const heard: string[] = [];
  source.onChange(({ previous, current }) => heard.push(`${previous?.metadata.uid} to ${current?.metadata.uid}`));
  source.set(db('a'));
  source.set(db('a', '2'));
  source.set(db('b'));
  expect(source.list()).toEqual([db('b')]);
  source.set(undefined);
  source.set(undefined);
  expect(source.get('db')).toBeUndefined();
  expect(heard).toEqual(['undefined to a', 'a to a', 'a to undefined', 'undefined to b', 'b to undefined']);
});
