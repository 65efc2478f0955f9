import { describe, expect, test } from 'vitest';
import { LibvirtDisconnectedError } from '../../../src/libvirt/domain/errors.ts';
import type { DomainEvent } from '../../../src/libvirt/domain/events.ts';
import { connectGetHostname } from '../../../src/libvirt/domain/connect-procedures.ts';
import { type ConnectionChange, Session } from '../../../src/libvirt/rpc/session.ts';
import { FakeDaemon } from './support/fake-daemon.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';
import { wire } from './support/wire.ts';

const uuid = '468daee6-16e2-4de6-9ed4-c7547e69f756';

function setUp() {
  const clock = new ManualClock();
  const daemon = new FakeDaemon();
  const faults: unknown[] = [];
  const session = new Session({
    endpoint: { transport: 'unix', sockets: ['/nowhere'], openUri: 'qemu:///system' },
    dial: daemon.dial,
    clock,
    random: () => 0,
    onListenerFault: (fault) => faults.push(fault),
  });
  const changes: ConnectionChange[] = [];
  const events: DomainEvent[] = [];
  session.onConnection((change) => void changes.push(change));
  session.onEvent((event) => events.push(event));
  const kinds = (): string[] => changes.map((change) => change.kind);
  return { clock, daemon, session, changes, kinds, events, faults };
}

/** A promise to be settled by hand. */
function gate() {
  let open = (): void => undefined;
  let fail = (_error: unknown): void => undefined;
  const promise = new Promise<void>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { promise, open, fail };
}

describe('the handshake', () => {
  test('comes in the order that libvirt insists on, events last', async () => {
    const { daemon, session, kinds } = setUp();
    session.start();
    await settle();
    expect(kinds()).toEqual(['connected']);
    expect(daemon.peer.calls.map((call) => call.procedure)).toEqual([
      ...[66, 60, 1, 60, 60, 360],
      ...[316, 316, 316, 316, 316, 316, 316],
    ]);
    const arguments_ = daemon.peer.calls.map((call) => call.payload);
    expect([arguments_[1], arguments_[3], arguments_[4]].map((payload) => payload?.readInt32BE())).toEqual([
      10, 14, 15,
    ]);
    expect(arguments_[2]?.toString()).toContain('qemu:///system');
    expect(arguments_.slice(6).map((payload) => payload.readInt32BE())).toEqual([0, 1, 13, 15, 19, 22, 23]);
  });

  test('goes through polkit when the daemon asks for it', async () => {
    const { daemon, session, kinds } = setUp();
    daemon.handlers.set(66, () => Buffer.concat([wire.int(1), wire.int(2)]));
    daemon.handlers.set(70, () => wire.int(1));
    session.start();
    await settle();
    expect(daemon.peer.calls.slice(0, 3).map((call) => call.procedure)).toEqual([66, 70, 60]);
    expect(kinds()).toEqual(['connected']);
  });

  test.each([
    ['polkit says no', 70, { code: 1, domain: 47, text: 'authentication failed' }, 'Forbidden'],
    ['the daemon wants SASL', 66, Buffer.concat([wire.int(1), wire.int(1)]), 'HandshakeFailed'],
    ['the URI is refused', 1, { code: 38, domain: 7, text: 'no connection driver' }, 'HandshakeFailed'],
    ['an event is refused', 316, { code: 3, domain: 0, text: 'not supported' }, 'HandshakeFailed'],
  ] as const)('fails when %s, says why and tries again', async (_name, procedure, answer, reason) => {
    const { daemon, session, changes, clock } = setUp();
    if (procedure === 70) daemon.handlers.set(66, () => Buffer.concat([wire.int(1), wire.int(2)]));
    daemon.handlers.set(procedure, () => answer);
    session.start();
    await settle();
    expect(changes).toEqual([{ kind: 'disconnected', reason, message: expect.any(String) as string, retryInMs: 100 }]);
    expect(daemon.peer.ended).toBe(true);
    expect(session.connected).toBe(false);
    daemon.handlers.clear();
    await clock.advance(100);
    expect(changes.at(-1)).toEqual({ kind: 'connected' });
  });

  test('goes on without the close callback where a driver has none', async () => {
    const { daemon, session, kinds } = setUp();
    daemon.handlers.set(360, () => ({ code: 3, domain: 0, text: 'not supported' }));
    session.start();
    await settle();
    expect(kinds()).toEqual(['connected']);
  });

  test('gives up on a daemon that accepts and says nothing', async () => {
    const { daemon, session, changes, clock } = setUp();
    daemon.handlers.set(66, () => 'silence');
    session.start();
    await clock.advance(10_000);
    expect(changes).toMatchObject([{ kind: 'disconnected', reason: 'HandshakeFailed' }]);
    expect(daemon.peer.ended).toBe(true);
    await session.close();
  });
});

describe('events', () => {
  test('that arrive while the owner lists come after it, in order, then live', async () => {
    const { daemon, session, events } = setUp();
    const listing = gate();
    session.onConnection((change) => (change.kind === 'connected' ? listing.promise : undefined));
    session.start();
    await settle();
    daemon.peer.event(354, uuid, wire.string('memua-dimmer-0'));
    daemon.peer.event(333, uuid, wire.string('ua-dimmer-0'));
    await settle();
    expect(events).toEqual([]);
    listing.open();
    await settle();
    expect(events.map((event) => event.kind)).toEqual(['deviceAdded', 'deviceRemoved']);
    daemon.peer.event(367, uuid, wire.string('ua-dimmer-1'));
    await settle();
    expect(events.map((event) => event.kind)).toEqual(['deviceAdded', 'deviceRemoved', 'deviceRemovalFailed']);
  });

  test("of metadata say whose, where it is somebody's", async () => {
    const { daemon, session, events } = setUp();
    session.start();
    await settle();
    const uri = 'https://dimmer.dev/xmlns/owner/1';
    daemon.peer.event(379, uuid, Buffer.concat([wire.int(2), wire.int(1), wire.string(uri)]));
    daemon.peer.event(379, uuid, Buffer.concat([wire.int(0), wire.int(0)]));
    await settle();
    expect(events).toMatchObject([
      { kind: 'metadata', domain: { uuid }, namespaceUri: uri },
      { kind: 'metadata', domain: { uuid }, namespaceUri: null },
    ]);
  });

  test('of a connection that was lost while listing are dropped: the next listing sees their effect', async () => {
    const { daemon, session, events, clock } = setUp();
    const first = gate();
    let connects = 0;
    session.onConnection((change) => (change.kind === 'connected' && connects++ === 0 ? first.promise : undefined));
    session.start();
    await settle();
    daemon.peer.event(319, uuid);
    await settle();
    daemon.peer.kill();
    await settle();
    await clock.advance(200);
    daemon.peer.event(333, uuid, wire.string('ua-dimmer-0'));
    await settle();
    first.open();
    await settle();
    expect(connects).toBe(2);
    expect(events.map((event) => event.kind)).toEqual(['deviceRemoved']);
  });

  test('too many of them while listing: it starts afresh instead of growing', async () => {
    const { daemon, session, kinds } = setUp();
    const listing = gate();
    session.onConnection((change) => (change.kind === 'connected' ? listing.promise : undefined));
    session.start();
    await settle();
    for (let count = 0; count < 10_001; count++) daemon.peer.event(319, uuid);
    await settle();
    expect(kinds()).toEqual(['connected', 'disconnected']);
    await session.close();
  });

  test('reach every listener, although one of them throws', async () => {
    const { daemon, session, events, faults, kinds } = setUp();
    const fault = new Error('a fault of ours');
    session.onEvent(() => {
      throw fault;
    });
    const remove = session.onEvent((event) => events.push(event));
    session.start();
    await settle();
    daemon.peer.event(319, uuid);
    await settle();
    remove();
    daemon.peer.event(319, uuid);
    await settle();
    expect(events).toHaveLength(3);
    expect(faults).toEqual([fault, fault]);
    expect(kinds()).toEqual(['connected']);
  });
});

describe('reconnecting', () => {
  test('goes on as long as nobody listens, and starts anew with short delays after a success', async () => {
    const { daemon, session, changes, clock } = setUp();
    daemon.listening = false;
    session.start();
    await clock.advance(30_000);
    const delays = changes.flatMap((change) => (change.kind === 'disconnected' ? [change.retryInMs] : []));
    expect(delays.slice(0, 8)).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    expect(changes[0]).toMatchObject({ reason: 'NoDaemon', message: 'nobody listens' });
    daemon.listening = true;
    await clock.advance(5_000);
    expect(changes.at(-1)).toEqual({ kind: 'connected' });
    daemon.peer.kill();
    await settle();
    expect(changes.at(-1)).toMatchObject({ kind: 'disconnected', reason: 'Lost', retryInMs: 100 });
  });

  test('rejects what was sent as unknown, refuses calls meanwhile, registers and lists again', async () => {
    const { daemon, session, kinds, clock } = setUp();
    daemon.handlers.set(59, () => 'silence');
    session.start();
    await settle();
    const pending = session.call(connectGetHostname, undefined, 10_000);
    await settle();
    daemon.peer.kill();
    await expect(pending).rejects.toMatchObject({ kind: 'disconnected', sent: true });
    expect(session.connected).toBe(false);
    await expect(session.call(connectGetHostname, undefined, 10_000)).rejects.toMatchObject({
      kind: 'disconnected',
      sent: false,
    });
    await clock.advance(100);
    expect(kinds()).toEqual(['connected', 'disconnected', 'connected']);
    expect(daemon.peers).toHaveLength(2);
    expect(daemon.peer.calls.filter((call) => call.procedure === 316)).toHaveLength(7);
  });

  test('is what a failed listing leads to, with growing delay', async () => {
    const { daemon, session, changes, clock, faults } = setUp();
    session.onConnection((change) => {
      if (change.kind === 'connected') throw new LibvirtDisconnectedError('X', true, 'gone');
    });
    session.start();
    await clock.advance(1_000);
    const delays = changes.flatMap((change) => (change.kind === 'disconnected' ? [change.retryInMs] : []));
    expect(delays).toEqual([100, 200, 400, 800]);
    expect(daemon.peers.slice(0, -1).every((peer) => peer.ended)).toBe(true);
    expect(faults).toEqual([]); // a LibvirtError is no fault of ours
    await session.close();
  });
});

describe('closing', () => {
  test('says good-bye, ends calls and never comes back', async () => {
    const { daemon, session, kinds, clock } = setUp();
    session.start();
    await settle();
    await session.close();
    await settle();
    expect(daemon.peer.calls.at(-1)?.procedure).toBe(2);
    expect(daemon.peer.ended).toBe(true);
    await clock.advance(60_000);
    expect(daemon.peers).toHaveLength(1);
    expect(kinds()).toEqual(['connected']);
    expect(clock.pending).toBe(0);
    await expect(session.call(connectGetHostname, undefined, 1_000)).rejects.toMatchObject({ kind: 'disconnected' });
  });

  test('works in the middle of a handshake and between attempts', async () => {
    const middle = setUp();
    middle.daemon.handlers.set(1, () => 'silence');
    middle.session.start();
    await settle();
    await middle.session.close();
    await settle();
    expect(middle.daemon.peer.ended).toBe(true);
    expect(middle.clock.pending).toBe(0);

    const between = setUp();
    between.daemon.listening = false;
    between.session.start();
    await settle();
    await between.session.close();
    expect(between.clock.pending).toBe(0);
    expect(between.kinds()).toEqual(['disconnected']);
  });
});
