/** The typed calls against a daemon that answers what libvirt 9.0.0 was seen to answer. */
import { describe, expect, test } from 'vitest';
import { createHypervisor } from '../../../src/libvirt/domain/hypervisor.ts';
import { Session } from '../../../src/libvirt/rpc/session.ts';
import { type Answer, FakeDaemon } from './support/fake-daemon.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';
import { wire } from './support/wire.ts';

const uuid = '468daee6-16e2-4de6-9ed4-c7547e69f756';

async function setUp(answers: Readonly<Record<number, Answer>> = {}) {
  const daemon = new FakeDaemon();
  for (const [procedure, answer] of Object.entries(answers)) daemon.handlers.set(Number(procedure), () => answer);
  const session = new Session({
    endpoint: { transport: 'unix', sockets: ['/nowhere'], openUri: 'qemu:///system' },
    dial: daemon.dial,
    clock: new ManualClock(),
    random: () => 0,
  });
  const hypervisor = createHypervisor(session);
  hypervisor.start();
  await settle();
  expect(hypervisor.connected).toBe(true);
  return { daemon, hypervisor };
}

type Parameter = [string, 'int' | 'ullong', number];

const parameters = (...list: Parameter[]): Buffer =>
  Buffer.concat([
    wire.int(list.length),
    ...list.map(([name, type, value]) =>
      type === 'int'
        ? Buffer.concat([wire.string(name), wire.int(1), wire.int(value)])
        : Buffer.concat([wire.string(name), wire.int(4), wire.hyper(BigInt(value))]),
    ),
  ]);

const stats = (id: number, ...list: Parameter[]): Buffer =>
  Buffer.concat([wire.int(1), wire.domain(uuid, 'vm', id), parameters(...list)]);

const running: Parameter[] = [
  ['state.state', 'int', 1],
  ['state.reason', 'int', 1],
  ['balloon.current', 'ullong', 524288],
  ['balloon.maximum', 'ullong', 524288],
];
const resident: Parameter = ['balloon.rss', 'ullong', 46488];

describe('domains', () => {
  test('are listed and looked up; one that is not running has no id; one that is not there is null', async () => {
    const { daemon, hypervisor } = await setUp({
      273: Buffer.concat([wire.int(2), wire.domain(uuid, 'on', 7), wire.domain(uuid, 'off', -1), wire.int(2)]),
      24: wire.domain(uuid, 'on', 7),
    });
    expect(await hypervisor.listDomains()).toEqual([
      { uuid, name: 'on', id: 7 },
      { uuid, name: 'off', id: null },
    ]);
    expect(await hypervisor.lookup(uuid)).toEqual({ uuid, name: 'on', id: 7 });
    daemon.handlers.set(24, () => ({ code: 42, domain: 10, text: 'Domain not found' }));
    expect(await hypervisor.lookup(uuid)).toBeNull();
    daemon.handlers.set(24, () => ({ code: 1, domain: 10, text: 'internal error' }));
    await expect(hypervisor.lookup(uuid)).rejects.toMatchObject({ kind: 'call', class: 'Failed' });
  });

  test('have a state, also one of a later libvirt', async () => {
    const { daemon, hypervisor } = await setUp({ 212: Buffer.concat([wire.int(3), wire.int(1)]) });
    expect(await hypervisor.domainState(uuid)).toEqual({ state: 'paused', reason: 1 });
    daemon.handlers.set(212, () => Buffer.concat([wire.int(42), wire.int(0)]));
    expect(await hypervisor.domainState(uuid)).toEqual({ state: 'unknown', reason: 0 });
  });
});

describe('statistics', () => {
  test('come in bytes and milliseconds', async () => {
    const { daemon, hypervisor } = await setUp({
      344: stats(
        1,
        ...running,
        ['balloon.unused', 'ullong', 300_000],
        ['balloon.available', 'ullong', 490_000],
        ['balloon.usable', 'ullong', 350_000],
        ['balloon.last-update', 'ullong', 1_795_000_000],
        resident,
      ),
    });
    const memory = {
      available: 490_000 * 1024,
      unused: 300_000 * 1024,
      usable: 350_000 * 1024,
      balloon: 524288 * 1024,
      resident: 46488 * 1024,
      lastUpdateMs: 1_795_000_000_000,
      report: 'balloon.unused=300000 balloon.available=490000 balloon.usable=350000 balloon.last-update=1795000000',
    };
    expect(await hypervisor.statistics([uuid])).toEqual([
      { uuid, name: 'vm', id: 1, state: 'running', reason: 1, memory },
    ]);
    expect(await hypervisor.memoryStats(uuid)).toEqual(memory);
    // One domain named, state and balloon, and never to wait.
    expect(daemon.peer.calls.at(-1)?.payload.toString('hex')).toBe(
      `0000000100000000${uuid.replaceAll('-', '')}ffffffff0000000520000000`,
    );
  });

  test('of a guest that never reported are null', async () => {
    const { hypervisor } = await setUp({ 344: stats(1, ...running, ['balloon.last-update', 'ullong', 0], resident) });
    expect(await hypervisor.memoryStats(uuid)).toMatchObject({ available: null, usable: null, lastUpdateMs: null });
  });

  test('of a domain that is being changed are busy, at once', async () => {
    const { hypervisor } = await setUp({ 344: stats(1, ...running) });
    expect(await hypervisor.statistics()).toMatchObject([{ state: 'running', memory: 'busy' }]);
    await expect(hypervisor.memoryStats(uuid)).rejects.toMatchObject({ kind: 'call', class: 'Busy' });
  });

  test('of a domain that is off are not there, of one that libvirt does not know neither', async () => {
    const { daemon, hypervisor } = await setUp({
      344: stats(-1, ['state.state', 'int', 5], ['state.reason', 'int', 0], ['balloon.current', 'ullong', 1]),
    });
    expect(await hypervisor.statistics()).toMatchObject([{ id: null, state: 'shutoff', memory: null }]);
    expect(await hypervisor.memoryStats(uuid)).toMatchObject({ usable: null, resident: null });
    daemon.handlers.set(344, () => wire.int(0));
    await expect(hypervisor.memoryStats(uuid)).rejects.toMatchObject({ kind: 'call', class: 'DomainNotFound' });
  });
});

describe('the job of a domain', () => {
  const free = Buffer.concat([wire.int(0), wire.int(0), wire.hyper(0n)]);
  const occupied = Buffer.concat([wire.int(2), wire.int(0), wire.hyper(687n)]);
  const job = (type: number, ...list: Parameter[]): Buffer => Buffer.concat([wire.int(type), parameters(...list)]);
  const state = (of: number, reason: number): Buffer => Buffer.concat([wire.int(of), wire.int(reason)]);
  const notRunning = { code: 55, domain: 20, text: 'domain is not running' };

  const isRunning = state(1, 1);
  const noStatistics = { code: 84, domain: 10, text: 'migration statistics are available only on the source host' };

  test.each([
    ['none', 'none', { 229: free, 298: job(0) }],
    ['a migration to elsewhere', 'migration', { 229: free, 298: job(2, ['operation', 'int', 5]) }],
    ['a migration to here', 'migration', { 229: free, 298: job(2, ['operation', 'int', 4]) }],
    ['a dump', 'other', { 229: free, 298: job(1, ['operation', 'int', 8], ['memory_total', 'ullong', 1]) }],
    ['one of an old libvirt without a name', 'other', { 229: free, 298: job(1) }],
    ['a migration to here, before it runs here', 'migration', { 212: state(3, 2) }],
    ['a migration to here that runs here already', 'migration', { 229: free, 298: noStatistics }],
    ['of a domain that is off', 'none', { 229: notRunning, 212: state(5, 0) }],
    ['of a domain that stops in between', 'none', { 229: free, 298: notRunning }],
  ] as const)('%s', async (_name, expected, answers) => {
    const { hypervisor } = await setUp({ 212: isRunning, ...answers });
    expect(await hypervisor.domainJob(uuid)).toBe(expected);
  });

  test('is not asked for, only to wait, while somebody holds the monitor', async () => {
    const { daemon, hypervisor } = await setUp({ 212: isRunning, 229: occupied, 298: 'silence' });
    expect(await hypervisor.domainJob(uuid)).toBe('busy');
    expect(daemon.peer.calls.filter((call) => call.procedure === 298)).toEqual([]);
  });
});

describe('metadata', () => {
  test('is read, is null when there is none, and is a failure when it cannot be known', async () => {
    const { daemon, hypervisor } = await setUp({ 265: wire.string('<state/>') });
    expect(await hypervisor.getMetadata(uuid, 'urn:x')).toBe('<state/>');
    daemon.handlers.set(265, () => ({ code: 80, domain: 10, text: 'metadata not found' }));
    expect(await hypervisor.getMetadata(uuid, 'urn:x')).toBeNull();
    daemon.handlers.set(265, () => ({ code: 55, domain: 20, text: 'domain is not running' }));
    await expect(hypervisor.getMetadata(uuid, 'urn:x')).rejects.toMatchObject({ class: 'InvalidState' });
  });

  test('is written as an element of the live definition, and removed with null', async () => {
    const { daemon, hypervisor } = await setUp({ 264: Buffer.alloc(0) });
    const head = `00000000${uuid.replaceAll('-', '')}ffffffff00000002`;
    const tail = '00000001000000016400000000000001000000057572 6e3a7800000000000001'.replace(' ', '');
    await hypervisor.setMetadata(uuid, 'urn:x', 'd', '<s/>');
    expect(daemon.peer.calls.at(-1)?.payload.toString('hex')).toBe(`${head}00000001000000043c732f3e${tail}`);
    await hypervisor.setMetadata(uuid, 'urn:x', 'd', null);
    expect(daemon.peer.calls.at(-1)?.payload.toString('hex')).toBe(`${head}00000000${tail}`);
  });
});

test('the host tells its versions and its name', async () => {
  const { hypervisor } = await setUp({ 4: wire.hyper(7002022n), 157: wire.hyper(9000000n), 59: wire.string('hv-07') });
  expect(await hypervisor.info()).toEqual({
    libvirtVersion: 9000000,
    hypervisorVersion: 7002022,
    hostname: 'hv-07',
  });
});
