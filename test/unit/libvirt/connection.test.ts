import { duplexPair } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { type CallObservation, maxInFlight, maxQueued } from '../../../src/libvirt/rpc/call-table.ts';
import { Connection } from '../../../src/libvirt/rpc/connection.ts';
import { LibvirtCallError, type LibvirtError } from '../../../src/libvirt/domain/errors.ts';
import type { DomainEvent } from '../../../src/libvirt/domain/events.ts';
import { connectGetHostname, connectListAllDomains } from '../../../src/libvirt/domain/connect-procedures.ts';
import { domainAttachDevice, domainGetXmlDesc } from '../../../src/libvirt/domain/domain-procedures.ts';
import { FakeDaemon, FakePeer } from './support/fake-daemon.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';
import { frameBytes, wire } from './support/wire.ts';

const uuid = '468daee6-16e2-4de6-9ed4-c7547e69f756';

function setUp() {
  const clock = new ManualClock();
  const daemon = new FakeDaemon();
  const [client, server] = duplexPair();
  server.once('close', () => client.destroy());
  client.once('close', () => server.destroy());
  const peer = new FakePeer(daemon, server);
  const events: DomainEvent[] = [];
  const closed: string[] = [];
  const observed: CallObservation[] = [];
  const connection = new Connection(client, {
    clock,
    keepalive: { intervalMs: 5_000, count: 3 },
    onEvent: (event) => events.push(event),
    onClose: (reason) => closed.push(reason),
    onCall: (observation) => observed.push(observation),
  });
  const hostname = (deadlineMs = 1_000): Promise<string> => connection.call(connectGetHostname, undefined, deadlineMs);
  return { clock, daemon, peer, connection, events, closed, observed, hostname };
}

/** The failure of a promise that must fail. */
const failureOf = (promise: Promise<unknown>): Promise<LibvirtError> =>
  promise.then(
    (value) => expect.fail(`resolved with ${String(value)}`),
    (error: unknown) => error as LibvirtError,
  );

describe('calls', () => {
  test('take their results from replies in any order', async () => {
    const { daemon, peer, connection } = setUp();
    daemon.handlers.set(14, () => 'silence');
    const results = ['a', 'b', 'c', 'd'].map(() => connection.call(domainGetXmlDesc, { uuid }, 1_000));
    await settle();
    for (const index of [2, 0, 3, 1]) {
      const call = peer.calls[index];
      if (call !== undefined) peer.answer(call, wire.string(`xml ${index}`));
    }
    expect(await Promise.all(results)).toEqual(['xml 0', 'xml 1', 'xml 2', 'xml 3']);
  });

  test('fail with what the daemon says, class included', async () => {
    const { daemon, connection, observed } = setUp();
    daemon.handlers.set(160, () => ({ code: 67, domain: 20, text: 'non unique alias' }));
    const error = await failureOf(connection.call(domainAttachDevice, { uuid, xml: '<x/>' }, 1_000));
    expect(error).toBeInstanceOf(LibvirtCallError);
    expect(error).toMatchObject({
      kind: 'call',
      code: 67,
      domain: 20,
      text: 'non unique alias',
      class: 'Rejected',
      procedure: 'DOMAIN_ATTACH_DEVICE_FLAGS',
    });
    expect(observed).toEqual([{ procedure: 'DOMAIN_ATTACH_DEVICE_FLAGS', durationMs: 0, outcome: 'call' }]);
  });

  test('are never more than four at a time with the daemon, the others in order behind', async () => {
    const { daemon, peer, hostname } = setUp();
    daemon.handlers.set(59, () => 'silence');
    const results = Array.from({ length: 10 }, () => hostname());
    await settle();
    expect(peer.calls).toHaveLength(4);
    for (let answered = 0; answered < 10; answered++) {
      const call = peer.calls[answered];
      if (call !== undefined) peer.answer(call, wire.string(`host ${answered}`));
      await settle();
      expect(peer.calls).toHaveLength(Math.min(10, answered + 5));
    }
    expect(await Promise.all(results)).toEqual(Array.from({ length: 10 }, (_value, index) => `host ${index}`));
  });

  test('that may take long leave a place to quick ones', async () => {
    const { daemon, peer, connection, hostname } = setUp();
    daemon.handlers.set(160, () => 'silence');
    daemon.handlers.set(59, () => wire.string('host'));
    const slow = Array.from({ length: 6 }, () => connection.call(domainAttachDevice, { uuid, xml: '<x/>' }, 1_000));
    await settle();
    expect(peer.calls).toHaveLength(3);
    expect(await hostname()).toBe('host');
    connection.close('over');
    expect(
      (await Promise.all(slow.map(failureOf))).map((error) => error.kind === 'disconnected' && error.sent),
    ).toEqual([true, true, true, false, false, false]);
  });

  test('with arguments that XDR has no form for fail without being sent', async () => {
    const { peer, connection } = setUp();
    const error = await failureOf(connection.call(domainGetXmlDesc, { uuid: '../etc' }, 1_000));
    expect(error).toMatchObject({ kind: 'protocol', sent: false });
    expect(peer.calls).toEqual([]);
  });
});

describe('deadlines', () => {
  test('end a call that was sent with an unknown outcome, and a late reply harms nobody', async () => {
    const { clock, daemon, peer, hostname, observed } = setUp();
    daemon.handlers.set(59, () => 'silence');
    const late = failureOf(hostname(1_000));
    await settle();
    await clock.advance(1_000);
    expect(await late).toMatchObject({ kind: 'deadline', sent: true });
    const call = peer.calls[0];
    if (call !== undefined) peer.answer(call, wire.string('late'));
    daemon.handlers.set(59, () => wire.string('in time'));
    expect(await hostname()).toBe('in time');
    expect(observed.map(({ outcome, durationMs }) => [outcome, durationMs])).toEqual([
      ['deadline', 1_000],
      ['ok', 0],
    ]);
  });

  test('end a call that still waited in the queue as not sent', async () => {
    const { clock, daemon, peer, connection, hostname } = setUp();
    daemon.handlers.set(59, () => 'silence');
    const first = Array.from({ length: 4 }, () => failureOf(hostname(10_000)));
    const waiting = failureOf(hostname(1_000));
    await clock.advance(1_000);
    expect(await waiting).toMatchObject({ kind: 'deadline', sent: false });
    expect(peer.calls).toHaveLength(4);
    connection.close('over');
    await Promise.all(first);
  });

  test('of every place end the connection: the daemon would take nothing more', async () => {
    const { clock, daemon, closed, hostname } = setUp();
    daemon.handlers.set(59, () => 'silence');
    const failures = Array.from({ length: 4 }, () => failureOf(hostname(1_000)));
    const waiting = failureOf(hostname(5_000));
    await clock.advance(1_000);
    expect((await Promise.all(failures)).map((error) => error.kind)).toEqual(Array(4).fill('deadline'));
    expect(await waiting).toMatchObject({ kind: 'disconnected', sent: false });
    expect(closed).toEqual(['every place is taken by a call that was given up']);
  });

  test('do not pile up without an end: the connection is given up, and every call ends', async () => {
    const { daemon, connection, closed } = setUp();
    daemon.handlers.set(14, () => 'silence');
    const calls = Array.from({ length: maxQueued + maxInFlight + 1 }, () =>
      failureOf(connection.call(domainGetXmlDesc, { uuid }, 1_000)),
    );
    expect(closed).toEqual([`more than ${maxQueued} calls wait for the daemon`]);
    const failures = await Promise.all(calls);
    expect(failures.every((failure) => failure.kind === 'disconnected')).toBe(true);
  });
});

describe('keepalive', () => {
  test("answers the daemon's pings", async () => {
    const { peer } = setUp();
    peer.write(peer.keepalive(1));
    await settle();
    expect(peer.pongsReceived).toBe(1);
  });

  test('pings a daemon that is idle, as long as it answers', async () => {
    const { clock, peer, connection, closed } = setUp();
    connection.startKeepalive();
    await clock.advance(60_000);
    expect(peer.pingsReceived).toBe(12);
    expect(closed).toEqual([]);
  });

  test('finds a frozen daemon after three unanswered pings and ends what was sent as unknown', async () => {
    const { clock, daemon, peer, connection, closed, hostname } = setUp();
    daemon.answersPings = false;
    daemon.handlers.set(59, () => 'silence');
    connection.startKeepalive();
    const pending = failureOf(hostname(60_000));
    await clock.advance(19_999);
    expect(closed).toEqual([]);
    await clock.advance(1);
    expect(closed).toEqual(['the daemon left 3 pings unanswered']);
    expect(await pending).toMatchObject({ kind: 'disconnected', sent: true });
    expect(peer.ended).toBe(true);
    expect(clock.pending).toBe(0);
  });
});

describe('what arrives', () => {
  const closes: [string, Buffer][] = [
    ['a length below the header', wire.int(4)],
    ['a length above 32 MiB', wire.int(0x7fffffff)],
    ['an event cut short', frameBytes({ procedure: 333, type: 2 }, wire.int(7))],
    ['an event with bytes to spare', frameBytes({ procedure: 319, type: 2 }, Buffer.alloc(64))],
  ];
  test.each(closes)('ends the connection when it is %s', async (_name, bytes) => {
    const { peer, closed, daemon, hostname } = setUp();
    daemon.handlers.set(59, () => 'silence');
    const pending = failureOf(hostname());
    await settle();
    peer.write(bytes);
    expect(await pending).toMatchObject({ kind: 'disconnected', sent: true });
    expect(closed).toEqual([expect.stringContaining("not libvirt's protocol")]);
  });

  const badReplies: [string, { status?: number; procedure?: number }, Buffer][] = [
    ['a result cut short', {}, wire.int(100)],
    ['a result with bytes to spare', {}, Buffer.concat([wire.string('host'), wire.int(0)])],
    ['a result of another procedure', { procedure: 60 }, wire.int(1)],
    ['an error that is none', { status: 1 }, wire.int(1)],
    ['a status that is unknown', { status: 9 }, Buffer.alloc(0)],
    ['a string longer than the frame', {}, wire.int(0xffffffff)],
  ];
  test.each(badReplies)('fails the call and ends the connection when it is %s', async (_name, header, payload) => {
    const { peer, closed, daemon, hostname } = setUp();
    daemon.handlers.set(59, () => 'silence');
    const pending = failureOf(hostname());
    await settle();
    peer.write(frameBytes({ procedure: 59, type: 1, serial: peer.calls[0]?.serial ?? 0, ...header }, payload));
    expect(await pending).toMatchObject({ kind: 'protocol', sent: true });
    expect(closed).toHaveLength(1);
  });

  test('is passed over when nobody asked for it', async () => {
    const { peer, closed, events, daemon, hostname } = setUp();
    daemon.handlers.set(59, () => wire.string('host'));
    peer.write(frameBytes({ procedure: 59, type: 1, serial: 4711 }, wire.string('nobody')));
    peer.write(frameBytes({ procedure: 999, type: 2 }, wire.int(7)));
    peer.write(frameBytes({ program: 0x20008087, procedure: 3, type: 2 }));
    peer.write(frameBytes({ procedure: 59, type: 3 }));
    expect(await hostname()).toBe('host');
    expect([closed, events]).toEqual([[], []]);
  });

  test('brings events, balloon sizes in bytes', async () => {
    const { peer, events } = setUp();
    peer.event(331, uuid, wire.hyper(2048n));
    peer.event(319, uuid);
    peer.event(318, uuid, Buffer.concat([wire.int(99), wire.int(1)]));
    await settle();
    const domain = { uuid, name: 'vm', id: 1 };
    expect(events).toEqual([
      { kind: 'balloon', domain, actual: 2048 * 1024 },
      { kind: 'reboot', domain },
      { kind: 'lifecycle', domain, change: 'other', detail: 1 },
    ]);
  });

  test('says that the daemon lost its hypervisor: the connection ends', async () => {
    const { peer, closed } = setUp();
    peer.write(frameBytes({ procedure: 362, type: 2 }, wire.int(0)));
    await settle();
    expect(closed).toEqual(['the daemon lost its connection to the hypervisor']);
  });
});

test('a closed connection sends nothing and refuses calls as not sent', async () => {
  const { connection, peer, closed } = setUp();
  connection.close('first');
  connection.close('second');
  expect(await failureOf(connection.call(connectListAllDomains, { flags: 0 }, 1_000))).toMatchObject({
    kind: 'disconnected',
    sent: false,
  });
  await settle();
  expect(peer.calls).toEqual([]);
  expect(closed).toEqual(['first']);
});
