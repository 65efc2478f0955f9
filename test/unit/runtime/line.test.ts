import { describe, expect, it } from 'vitest';
import { type Leave, Line } from '../../../src/runtime/line.ts';
import type { Urgency } from '../../../src/runtime/urgency.ts';

/** Who has got a place, in order. */
function enter(line: Line, names: readonly string[], urgencyOf: (name: string) => Urgency = () => 'event') {
  const admitted: string[] = [];
  const leaves = new Map<string, Leave | null>();
  for (const name of names) {
    void line
      .take(() => urgencyOf(name))
      .then((leave) => {
        admitted.push(name);
        leaves.set(name, leave);
      });
  }
  const leave = async (name: string): Promise<void> => {
    leaves.get(name)?.();
    await settled();
  };
  return { admitted, leaves, leave };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('Line', () => {
  it('lets in as many as there are places, in order of arrival, and the next when one leaves', async () => {
    const line = new Line(() => 2);
    const { admitted, leave } = enter(line, ['a', 'b', 'c', 'd']);
    await settled();
    expect([admitted, line.waiting]).toEqual([['a', 'b'], 2]);
    await leave('b');
    expect(admitted).toEqual(['a', 'b', 'c']);
    await leave('b');
    expect(admitted).toEqual(['a', 'b', 'c']);
    await leave('a');
    expect(admitted).toEqual(['a', 'b', 'c', 'd']);
  });

  it('lets those step out whose signal is aborted; the place goes to the next', async () => {
    const line = new Line(() => 1);
    const { admitted, leave } = enter(line, ['first']);
    const ending = new AbortController();
    const waits = line.take(() => 'user', ending.signal);
    const { admitted: behind } = enter(line, ['next']);
    ending.abort();
    expect([await waits, line.waiting]).toEqual([null, 1]);
    expect(await line.take(() => 'user', ending.signal)).toBeNull();
    await leave('first');
    expect([admitted, behind]).toEqual([['first'], ['next']]);
  });

  it('lets in the most urgent first, by what is urgent when a place is free', async () => {
    const line = new Line(() => 1);
    const urgency: Record<string, Urgency> = { first: 'resync', r: 'resync', e: 'event', u: 'user', late: 'resync' };
    const { admitted, leave } = enter(line, Object.keys(urgency), (name) => urgency[name] ?? 'event');
    await settled();
    await leave('first');
    expect(admitted).toEqual(['first', 'u']);
    urgency['late'] = 'user';
    await leave('u');
    await leave('late');
    await leave('e');
    expect(admitted).toEqual(['first', 'u', 'late', 'e', 'r']);
  });

  it('lets nobody pass those that wait, and takes only what is free', async () => {
    const line = new Line(() => 1);
    const first = line.tryTake();
    const { admitted } = enter(line, ['waits']);
    expect(line.tryTake()).toBeNull();
    first?.();
    expect(line.tryTake()).toBeNull();
    await settled();
    expect(admitted).toEqual(['waits']);
  });

  it('uses places that are added, and lets no more in when some are taken away', async () => {
    let places = 1;
    const line = new Line(() => places);
    const { admitted, leave } = enter(line, ['a', 'b', 'c', 'd']);
    places = 3;
    line.admit();
    await settled();
    expect(admitted).toEqual(['a', 'b', 'c']);
    places = 1;
    await leave('a');
    await leave('b');
    expect(admitted).toEqual(['a', 'b', 'c']);
    await leave('c');
    expect(admitted).toEqual(['a', 'b', 'c', 'd']);
  });

  it('sends away all that wait when it closes, and all that come later', async () => {
    const line = new Line(() => 1);
    const { leaves } = enter(line, ['a', 'b']);
    line.close();
    expect([await line.take(() => 'user'), line.tryTake()]).toEqual([null, null]);
    expect([typeof leaves.get('a'), leaves.get('b')]).toEqual(['function', null]);
    leaves.get('a')?.();
  });
});
