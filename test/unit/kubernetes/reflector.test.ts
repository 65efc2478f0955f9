import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { Reflector, type ReflectorOptions } from '../../../src/kubernetes/reflector.ts';
import { virtualMachineMemories } from '../../../src/kubernetes/resource-kind.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { ResourceChange } from '../../../src/runtime/resources.ts';
import { FakeApiServer } from './support/fake-api-server.ts';
import { bookmark, listOf, page, quiet, rawMemory, status } from './support/objects.ts';

let server: FakeApiServer;
let reflector: Reflector<VirtualMachineMemory>;
let changes: string[];

beforeEach(async () => {
  server = await FakeApiServer.start();
  changes = [];
});
afterEach(async () => {
  await reflector.close();
  await server.close();
});

const describeChange = ({ key, previous, current }: ResourceChange<VirtualMachineMemory>): string => {
  const word = previous === undefined ? 'new' : current === undefined ? 'gone' : 'changed';
  return `${word} ${key}${current === undefined ? '' : ` ${String(current.spec.memory)}`}`;
};

function start(options: Partial<ReflectorOptions<VirtualMachineMemory>> = {}): void {
  reflector = new Reflector({
    client: server.client(),
    kind: virtualMachineMemories,
    clock: systemClock,
    logger: silentLogger,
    random: () => 0,
    backoff: { initialMs: 5, maxMs: 20 },
    ...options,
  });
  reflector.source.onChange((change) => changes.push(describeChange(change)));
  reflector.start();
}

const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 5_000, interval: 5 });
const memoryOf = (key: string): unknown => reflector.source.get(key)?.spec.memory;

describe('Reflector', () => {
  it('lists in pages, then watches from where the list stood', async () => {
    server.lists.push(
      ({ reply }) => reply(200, page('100', [rawMemory('a', '10')], 'more')),
      listOf('100', rawMemory('b', '20')),
    );
    server.watches.push(({ event }) => {
      event('ADDED', rawMemory('c', '101'));
      event('MODIFIED', rawMemory('a', '102', '7Gi'));
      event('DELETED', rawMemory('b', '103'));
    });
    start({ pageSize: 1 });
    await eventually(() => expect(changes).toHaveLength(5));
    expect(changes).toEqual(['new t/a 6Gi', 'new t/b 6Gi', 'new t/c 6Gi', 'changed t/a 7Gi', 'gone t/b']);
    expect(server.listed.map(({ path, query }) => [path, query.get('limit'), query.get('continue')])).toEqual([
      ['/apis/dimmer.dev/v1alpha1/virtualmachinememories', '1', null],
      ['/apis/dimmer.dev/v1alpha1/virtualmachinememories', '1', 'more'],
    ]);
    expect(server.watched[0]?.query.get('resourceVersion')).toBe('100');
    expect(server.watched[0]?.query.get('allowWatchBookmarks')).toBe('true');
    expect(server.watched[0]?.query.get('timeoutSeconds')).toBe('300');
  });

  it('is synced only when the last page is in, and says so once', async () => {
    let second: (() => void) | undefined;
    server.lists.push(
      ({ reply }) => reply(200, page('100', [rawMemory('a', '10')], 'more')),
      ({ reply }) => {
        second = () => reply(200, page('100', [rawMemory('b', '20')]));
      },
    );
    server.watches.push(quiet);
    start();
    let synced = 0;
    reflector.source.onSynced(() => (synced += 1));
    await eventually(() => expect(second).toBeDefined());
    expect(reflector.source.synced).toBe(false);
    expect(reflector.source.list()).toEqual([]);
    second?.();
    await eventually(() => expect(synced).toBe(1));
    expect(reflector.source.list().map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
    reflector.source.onSynced(() => (synced += 1));
    expect(synced).toBe(2);
  });

  it('goes on from the last bookmark after a watch that the server ended', async () => {
    server.lists.push(listOf('100'));
    server.watches.push(({ event, end }) => {
      event('BOOKMARK', bookmark('150'));
      end();
    }, quiet);
    start();
    await eventually(() => expect(server.watched).toHaveLength(2));
    expect(server.watched[1]?.query.get('resourceVersion')).toBe('150');
    expect(server.listed).toHaveLength(1);
  });

  describe('of what was written by us', () => {
    const line = (type: string, name: string, version: string, uid = `uid-${name}`, rest = '') =>
      `{"type":"${type}","object":{"metadata":{"generation":2,"name":"${name}","namespace":"t","resourceVersion":"${version}","uid":"${uid}"},"spec":{"memory":"9Gi","virtualMachine":{}}}${rest}}\n`;
    /** Of what was read. */
    let read: string[];
    const kind: typeof virtualMachineMemories = {
      ...virtualMachineMemories,
      decode(raw) {
        const object = virtualMachineMemories.decode(raw);
        if (object.ok) read.push(object.value.metadata.uid);
        return object;
      },
    };
    const learn = (name: string, version: string): void => {
      const written = virtualMachineMemories.decode(rawMemory(name, version, '7Gi'));
      if (written.ok) reflector.learn(written.value);
    };
    /** Writes `lines` when this side has written version 101 of `a`; `b` at the end says that all were read. */
    async function tell(...lines: readonly string[]): Promise<void> {
      server.lists.push(listOf('100', rawMemory('a', '10')));
      let write: (text: string) => void = () => undefined;
      server.watches.push((exchange) => (write = exchange.write));
      read = [];
      start({ kind });
      await eventually(() => expect(server.watched).toHaveLength(1));
      learn('a', '101');
      write([...lines, line('ADDED', 'b', '109')].join(''));
      await eventually(() => expect(reflector.source.get('t/b')).toBeDefined());
    }

    it('reads no line of the watch', async () => {
      // It couldn't be: a list would follow.
      await tell(line('MODIFIED', 'a', '101', 'uid-a', '!'));
      expect(changes).toEqual(['new t/a 6Gi', 'changed t/a 7Gi', 'new t/b 9Gi']);
      expect(server.listed).toHaveLength(1);
    });

    it.each([
      ['what somebody else has written', line('MODIFIED', 'a', '102'), 'changed t/a 9Gi'],
      ['a deletion', line('DELETED', 'a', '101'), 'gone t/a'],
    ])('reads %s', async (_, told, expected) => {
      await tell(told);
      expect(changes).toContain(expected);
    });

    it('reads what has the same version and is of another life', async () => {
      await tell(line('MODIFIED', 'a', '101', 'another'));
      expect(read).toEqual(['uid-a', 'another', 'uid-b']);
    });

    it('goes on from there when the watch ends', async () => {
      server.lists.push(listOf('100', rawMemory('a', '10')));
      let watch: { write: (text: string) => void; end: () => void } | undefined;
      server.watches.push((exchange) => (watch = exchange), quiet);
      start();
      await eventually(() => expect(server.watched).toHaveLength(1));
      learn('a', '101');
      watch?.write(line('MODIFIED', 'a', '101'));
      watch?.end();
      await eventually(() => expect(server.watched).toHaveLength(2));
      expect(server.watched[1]?.query.get('resourceVersion')).toBe('101');
    });

    it('reads what says so of a version that is in a text only', async () => {
      const text = JSON.stringify('{"resourceVersion":"101","uid":"uid-a"}');
      await tell(
        `{"type":"MODIFIED","object":{"metadata":{"annotations":{"x":${text}},"generation":2,"name":"a","namespace":"t","resourceVersion":"105","uid":"uid-a"},"spec":{"memory":"9Gi","virtualMachine":{}}}}\n`,
      );
      expect(changes).toContain('changed t/a 9Gi');
    });
  });

  it('loses nothing when the connection breaks in the middle of an event', async () => {
    server.lists.push(listOf('100', rawMemory('a', '10')));
    server.watches.push(
      ({ event, write, cut }) => {
        event('MODIFIED', rawMemory('a', '101', '7Gi'));
        write(JSON.stringify({ type: 'MODIFIED', object: rawMemory('a', '102', '8Gi') }).slice(0, 150));
        setTimeout(cut, 20);
      },
      ({ event }) => event('MODIFIED', rawMemory('a', '102', '8Gi')),
    );
    start();
    await eventually(() => expect(memoryOf('t/a')).toBe('8Gi'));
    expect(server.watched[1]?.query.get('resourceVersion')).toBe('101');
    expect(changes).toEqual(['new t/a 6Gi', 'changed t/a 7Gi', 'changed t/a 8Gi']);
  });

  it.each<[string, (exchange: FakeApiServer['exchanges'][number]) => void]>([
    ['an ERROR event', ({ event }) => event('ERROR', status(410, 'Expired'))],
    ['the status of the answer', ({ refuse }) => refuse(410, 'Gone')],
    ['a resource version of the future', ({ refuse }) => refuse(504, 'Timeout')],
  ])('lists again when the version has expired (%s), and finds what was deleted meanwhile', async (_, expire) => {
    server.lists.push(
      listOf('100', rawMemory('a', '10'), rawMemory('b', '20')),
      listOf('200', rawMemory('b', '150', '9Gi')),
    );
    server.watches.push(expire, quiet);
    start();
    await eventually(() => expect(server.watched).toHaveLength(2));
    expect(changes).toEqual(['new t/a 6Gi', 'new t/b 6Gi', 'changed t/b 9Gi', 'gone t/a']);
    expect(server.watched[1]?.query.get('resourceVersion')).toBe('200');
  });

  it('lists again after an event that it cannot read', async () => {
    server.lists.push(listOf('100'), listOf('101', rawMemory('a', '101')));
    server.watches.push(({ write }) => write('{"type":"ADDED","object":{"metadata":{}}\n'), quiet);
    start();
    await eventually(() => expect(changes).toEqual(['new t/a 6Gi']));
  });

  it('passes over a malformed object and goes on with the rest', async () => {
    const nameless = { ...rawMemory('x', '101'), metadata: { resourceVersion: '101' } };
    server.lists.push(listOf('100', { metadata: null }, 'nonsense', rawMemory('a', '10')));
    server.watches.push(({ event }) => {
      event('ADDED', nameless);
      event('ADDED', { ...rawMemory('b', '102'), spec: 'nonsense', status: [] });
      event('ADDED', rawMemory('c', '103'));
    });
    start();
    await eventually(() => expect(changes).toEqual(['new t/a 6Gi', 'new t/b undefined', 'new t/c 6Gi']));
    expect(server.listed).toHaveLength(1);
  });

  it('tries again after failures, with growing pauses', async () => {
    const at: number[] = [];
    server.lists.push(
      ...[500, 503, 403].map((code) => ({ refuse }: { refuse: (code: number, reason: string) => void }) => {
        at.push(performance.now());
        refuse(code, 'Trouble');
      }),
      listOf('100', rawMemory('a', '10')),
    );
    server.watches.push(quiet);
    start({ backoff: { initialMs: 20, maxMs: 1_000 } });
    await eventually(() => expect(changes).toEqual(['new t/a 6Gi']));
    expect((at[2] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(58);
  });

  it('does not storm a server that ends every watch at once', async () => {
    server.lists.push(listOf('100'));
    server.watches.push(({ end }) => end());
    start({ backoff: { initialMs: 10, maxMs: 40 } });
    await eventually(() => expect(server.watched.length).toBeGreaterThan(2));
    const before = server.watched.length;
    const from = performance.now();
    await eventually(() => expect(server.watched.length).toBeGreaterThan(before + 3));
    expect(performance.now() - from).toBeGreaterThan(100);
  });

  it('does not storm a server whose every version has expired', async () => {
    server.lists.push(listOf('100'));
    server.watches.push(({ event }) => event('ERROR', status(410, 'Expired')));
    start({ backoff: { initialMs: 10, maxMs: 40 } });
    await eventually(() => expect(server.listed.length).toBeGreaterThan(4));
    const before = server.listed.length;
    const from = performance.now();
    await eventually(() => expect(server.listed.length).toBeGreaterThan(before + 3));
    expect(performance.now() - from).toBeGreaterThan(100);
  });

  it.each([
    ['in seconds', () => '1', 990],
    // Dates are whole seconds.
    ['by a date, as a load balancer may', () => new Date(Date.now() + 2_000).toUTCString(), 990],
  ])('waits as long as the server asks for, %s', async (_, retryAfter, leastMs) => {
    const at: number[] = [];
    server.lists.push(({ refuse }) => {
      at.push(performance.now());
      refuse(429, 'TooManyRequests', { 'retry-after': retryAfter() });
    }, listOf('100'));
    server.watches.push(() => at.push(performance.now()));
    start();
    await eventually(() => expect(at).toHaveLength(2));
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(leastMs);
  });

  it('asks again with fresh credentials when the present ones are turned down', async () => {
    server.lists.push(({ refuse }) => refuse(401, 'Unauthorized'), listOf('100', rawMemory('a', '10')));
    server.watches.push(quiet);
    start({ backoff: { initialMs: 60_000, maxMs: 60_000 } });
    await eventually(() => expect(changes).toEqual(['new t/a 6Gi']));
    expect(server.listed.map(({ headers }) => headers.authorization)).toEqual(['Bearer first', 'Bearer fresh']);
  });

  it('goes on where it stood after an error that the server tells in a watch', async () => {
    server.lists.push(listOf('100'));
    server.watches.push(({ event }) => {
      event('ADDED', rawMemory('a', '101'));
      event('ERROR', status(500, 'InternalError'));
    }, quiet);
    start();
    await eventually(() => expect(server.watched).toHaveLength(2));
    expect(server.watched[1]?.query.get('resourceVersion')).toBe('101');
    expect([server.listed.length, changes]).toEqual([1, ['new t/a 6Gi']]);
  });

  it('begins a list anew whose continuation has expired, and shows nothing of the half', async () => {
    server.lists.push(
      ({ reply }) => reply(200, page('100', [rawMemory('a', '10')], 'more')),
      ({ refuse }) => refuse(410, 'Expired'),
      listOf('300', rawMemory('b', '250')),
    );
    server.watches.push(quiet);
    start({ pageSize: 1 });
    await eventually(() => expect(server.watched).toHaveLength(1));
    expect(server.listed.map(({ query }) => query.get('continue'))).toEqual([null, 'more', null]);
    expect(server.watched[0]?.query.get('resourceVersion')).toBe('300');
    expect(changes).toEqual(['new t/b 6Gi']);
  });

  it('leaves a server alone whose watch says when to come again', async () => {
    const at: number[] = [];
    server.lists.push(listOf('100'));
    server.watches.push(
      ({ refuse }) => {
        at.push(performance.now());
        refuse(503, 'ServiceUnavailable', { 'retry-after': '1' });
      },
      () => at.push(performance.now()),
    );
    start();
    await eventually(() => expect(at).toHaveLength(2));
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(990);
    expect(server.listed).toHaveLength(1);
  });

  it.each<[string, () => void]>([
    ['list', () => server.lists.push(() => undefined)],
    [
      'watch',
      () => {
        server.lists.push(listOf('100'));
        server.watches.push(() => undefined);
      },
    ],
  ])('ends at once while a server takes its time over a %s', async (_, prepare) => {
    prepare();
    start();
    await eventually(() => expect(server.exchanges.length).toBeGreaterThan(0));
    const from = performance.now();
    await reflector.close();
    // A request is waited for 30 s and more.
    expect(performance.now() - from).toBeLessThan(5_000);
    expect(changes).toEqual([]);
  });

  it('opens another watch when one has gone silent', async () => {
    server.lists.push(listOf('100'));
    server.watches.push(quiet, ({ event }) => event('ADDED', rawMemory('a', '101')));
    start({ maxSilenceMs: 50 });
    await eventually(() => expect(changes).toEqual(['new t/a 6Gi']));
    expect(server.listed).toHaveLength(1);
  });

  it('believes a server whose history went back, as after a restored backup', async () => {
    server.lists.push(
      listOf('500', rawMemory('a', '400', '9Gi'), rawMemory('b', '450')),
      listOf('300', rawMemory('a', '200')),
    );
    server.watches.push(({ refuse }) => refuse(410, 'Gone'), quiet);
    start();
    await eventually(() => expect(changes).toEqual(['new t/a 9Gi', 'new t/b 6Gi', 'changed t/a 6Gi', 'gone t/b']));
    await eventually(() => expect(server.watched[1]?.query.get('resourceVersion')).toBe('300'));
  });

  it('reads a single object afresh, and ignores what the watch says of it from before', async () => {
    let late: ((type: string, object: unknown) => void) | undefined;
    server.lists.push(listOf('100', rawMemory('a', '10')), listOf('120', rawMemory('a', '110', '8Gi')));
    server.watches.push(({ event }) => (late = event));
    start();
    await eventually(() => expect(late).toBeDefined());
    reflector.source.refresh('t/a');
    reflector.source.refresh('t/a');
    await eventually(() => expect(memoryOf('t/a')).toBe('8Gi'));
    const [, read] = server.listed;
    expect(server.listed).toHaveLength(2);
    expect(read?.path).toBe('/apis/dimmer.dev/v1alpha1/namespaces/t/virtualmachinememories');
    expect(read?.query.get('fieldSelector')).toBe('metadata.name=a');
    late?.('MODIFIED', rawMemory('a', '105', '7Gi'));
    late?.('MODIFIED', rawMemory('a', '110', '8Gi'));
    late?.('MODIFIED', rawMemory('a', '111', '9Gi'));
    await eventually(() => expect(memoryOf('t/a')).toBe('9Gi'));
    expect(changes).toEqual(['new t/a 6Gi', 'changed t/a 8Gi', 'changed t/a 9Gi']);
  });

  it('learns by a fresh look that an object is gone, and lets no older event bring it back', async () => {
    let late: ((type: string, object: unknown) => void) | undefined;
    server.lists.push(listOf('100', rawMemory('a', '10')), listOf('120'));
    server.watches.push(({ event }) => (late = event));
    start();
    await eventually(() => expect(late).toBeDefined());
    reflector.source.refresh('t/a');
    await eventually(() => expect(changes).toEqual(['new t/a 6Gi', 'gone t/a']));
    late?.('MODIFIED', rawMemory('a', '110', '7Gi'));
    late?.('DELETED', rawMemory('a', '115', '7Gi'));
    late?.('ADDED', rawMemory('a', '130', '1Gi', 'another'));
    await eventually(() => expect(changes).toEqual(['new t/a 6Gi', 'gone t/a', 'new t/a 1Gi']));
  });

  it('shows an object that was deleted and made anew as two', async () => {
    server.lists.push(listOf('100', rawMemory('a', '10')), listOf('200', rawMemory('a', '150', '1Gi', 'another')));
    server.watches.push(({ refuse }) => refuse(410, 'Gone'), quiet);
    start();
    await eventually(() => expect(changes).toEqual(['new t/a 6Gi', 'gone t/a', 'new t/a 1Gi']));
  });

  it('keeps what it knows while the server is gone', async () => {
    server.lists.push(listOf('100', rawMemory('a', '10')), ({ refuse }) => refuse(404, 'NotFound'));
    server.watches.push(({ refuse }) => refuse(410, 'Gone'));
    start();
    await eventually(() => expect(server.listed.length).toBeGreaterThan(3));
    expect(memoryOf('t/a')).toBe('6Gi');
    expect(changes).toEqual(['new t/a 6Gi']);
  });

  it('delivers to every listener, whatever one of them does', async () => {
    server.lists.push(listOf('100', rawMemory('a', '10')));
    server.watches.push(quiet);
    start();
    const heard: string[] = [];
    reflector.source.onChange(() => {
      throw new Error('broken listener');
    });
    reflector.source.onSynced(() => {
      throw new Error('broken listener');
    });
    const unsubscribe = reflector.source.onChange(({ key }) => heard.push(key));
    reflector.source.onSynced(() => heard.push('synced'));
    await eventually(() => expect(heard).toEqual(['t/a', 'synced']));
    unsubscribe();
    const held = reflector.source.get('t/a');
    if (held === undefined) throw new Error('not there');
    reflector.learn({ ...held, metadata: { ...held.metadata, resourceVersion: '11' } });
    expect(changes).toEqual(['new t/a 6Gi', 'changed t/a 6Gi']);
    expect(heard).toEqual(['t/a', 'synced']);
  });

  it('ends its watch when it is closed', async () => {
    server.lists.push(listOf('100'));
    server.watches.push(quiet);
    start();
    await eventually(() => expect(server.watched).toHaveLength(1));
    await reflector.close();
    expect(server.watched).toHaveLength(1);
  });
});
