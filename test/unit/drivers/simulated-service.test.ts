/** The agent's service over a simulated host: what it records, tells and keeps apart. */
import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../../../src/agent/audit.ts';
import { EventLog, type LoggedEvent } from '../../../src/agent/event-log.ts';
import { createSimulatedService } from '../../../src/drivers/simulated/service.ts';
import { hostError } from '../../../src/host/errors.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { claim, codeOf, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
const other = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a12';
const nobody = '00000000-0000-4000-8000-000000000000';
const actor = { client: 'spiffe://dimmer.test/controller', requestId: 'r-1' };
const size = mib(128);

async function setUp() {
  const clock = new ManualClock();
  const host = createSimulatedHost({
    clock,
    domains: [
      { uuid, name: 'db-1', boot: gib(1) },
      { uuid: other, name: 'off', state: 'ShutOff' },
    ],
  });
  const events = new EventLog('test');
  const told: LoggedEvent['event'][] = [];
  events.subscribe(({ event }) => told.push(event));
  const audit: AuditRecord[] = [];
  const outcomes: string[] = [];
  const errors: string[] = [];
  const service = createSimulatedService(host, {
    ...{ events, clock, agentVersion: '1.2.3' },
    logger: { ...silentLogger, error: (_fields, message) => errors.push(message) },
    audit: (record) => audit.push(record),
    onOperation: (operation, outcome, durationMs) => outcomes.push(`${operation} ${outcome} ${durationMs}`),
  });
  service.start();
  await service.whenReady(new AbortController().signal);
  await clock.advance(0);
  const revision = async () => valueOf(await service.observe(uuid)).revision;
  const plug = async (slot: number) => service.plug(uuid, await revision(), plugRequest(slot, size), actor);
  const unplug = async (slot: number) => service.unplug(uuid, await revision(), unplugRequest(slot), actor);
  return { clock, host, service, told, audit, outcomes, errors, plug, unplug };
}

describe('agent on a simulated host', () => {
  it('records every change with the totals before and after it, whatever becomes of it', async () => {
    const { host, service, audit, outcomes, plug, unplug } = await setUp();
    valueOf(await plug(0));
    valueOf(await unplug(0));
    expect(codeOf(await unplug(7))).toBe('no-such-module');
    expect(codeOf(await service.plug(uuid, 'old', plugRequest(1, size)))).toBe('stale-revision');
    expect(codeOf(await service.plug(other, 'any', plugRequest(0, size), actor))).toBe('stale-revision');
    expect(codeOf(await service.plug(nobody, 'any', plugRequest(0, size), actor))).toBe('not-found');
    host.script.inject('plug', { kind: 'fail', error: hostError('outcome-unknown', 'as the test says') });
    expect(codeOf(await plug(1))).toBe('outcome-unknown');

    const { clusterId, objectUid, namespace, generation } = claim;
    const whose = { ...actor, clusterId, objectUid, namespace, generation, durationMs: 0 };
    const full = gib(1) + size;
    expect(audit).toEqual([
      { ...whose, operation: 'plug', uuid, slot: 0, from: gib(1), to: full, result: 'done' },
      { ...whose, operation: 'unplug', uuid, slot: 0, from: full, to: gib(1), result: 'accepted' },
      { ...whose, operation: 'unplug', uuid, slot: 7, from: full, to: null, result: 'no-such-module' },
      {
        ...{ ...whose, client: 'in-process', requestId: '-' },
        ...{ operation: 'plug', uuid, slot: 1, from: full, to: null, result: 'stale-revision' },
      },
      { ...whose, operation: 'plug', uuid: other, slot: 0, from: null, to: null, result: 'stale-revision' },
      { ...whose, operation: 'plug', uuid: nobody, slot: 0, from: null, to: null, result: 'not-found' },
      { ...whose, operation: 'plug', uuid, slot: 1, from: full, to: full + size, result: 'outcome-unknown' },
    ]);
    expect(outcomes).toEqual([
      'plug ok 0',
      'unplug ok 0',
      'unplug no-such-module 0',
      'plug stale-revision 0',
      'plug stale-revision 0',
      'plug not-found 0',
      'plug outcome-unknown 0',
    ]);
  });

  it('turns a failure of its own into an answer, a record and a log line', async () => {
    const { host, service, audit, errors } = await setUp();
    host.plug = () => Promise.reject(new Error('a bug'));
    expect(codeOf(await service.plug(uuid, 'any', plugRequest(0, size), actor))).toBe('internal-error');
    expect(audit).toMatchObject([{ result: 'internal-error', to: null }]);
    expect(errors).toEqual(['change failed unexpectedly']);
    expect(service.pendingOperations).toBe(0);
  });

  it('makes one change of a VM at a time, counts those that wait, and ends when none is left', async () => {
    const { clock, host, service, audit, plug, unplug } = await setUp();
    host.script.inject('plug', { kind: 'answer-late', ms: 3_000 });
    const first = plug(0);
    await clock.advance(0);
    const second = unplug(0);
    await clock.advance(0);
    expect(service.pendingOperations).toBe(2);
    expect(audit).toEqual([]);
    let closed = false;
    const closing = service.close().then(() => (closed = true));
    await clock.advance(2_999);
    expect([closed, audit.length]).toEqual([false, 0]);
    await clock.advance(1);
    await closing;
    expect([codeOf(await first), codeOf(await second)]).toEqual(['ok', 'ok']);
    expect(audit.map(({ operation, durationMs }) => [operation, durationMs])).toEqual([
      ['plug', 3_000],
      ['unplug', 3_000],
    ]);
    expect(service.pendingOperations).toBe(0);
  });

  it('numbers what it tells by its own log, in observations and answers alike', async () => {
    const { clock, host, service, plug } = await setUp();
    const heard: (string | undefined)[] = [];
    service.watch((event) => heard.push('uuid' in event ? event.id : event.kind));
    await clock.advance(0);
    // A gap is an event of the log, and of no VM.
    host.script.setReachable(false);
    host.script.setReachable(true);
    const answer = valueOf(await plug(0));
    expect(heard).toEqual(['reset', 'lost', 'reset', 'test-3']);
    expect([answer.observation?.asOfEvent, valueOf(await service.observe(uuid)).asOfEvent]).toEqual([
      'test-3',
      'test-3',
    ]);
  });

  it('tells what the host tells until it is closed, and whether the host can be used', async () => {
    const { clock, host, service, told, plug, unplug } = await setUp();
    expect(told).toEqual([{ kind: 'reset' }]);
    expect(service.readiness()).toEqual({ ready: true });
    valueOf(await plug(0));
    valueOf(await unplug(0));
    await clock.advance(100);
    expect(told.slice(1)).toEqual([
      { kind: 'module-added', uuid },
      { kind: 'module-removed', uuid },
      // The guest is asked what it has now.
      { kind: 'statistics', uuid },
    ]);
    host.script.setReachable(false);
    expect(service.readiness()).toEqual({ ready: false, problem: 'The simulated host is down' });
    host.script.setReachable(true);
    expect(service.readiness()).toEqual({ ready: true });
    expect(told.slice(4)).toEqual([{ kind: 'reset' }]);
    await service.close();
    host.script.reset(uuid);
    expect(told).toHaveLength(5);
  });

  it('shows every VM at once as each by itself, and the version of the agent', async () => {
    const { host, service } = await setUp();
    const all = valueOf(await service.observeAll());
    expect(all).toEqual([valueOf(await service.observe(uuid)), valueOf(await service.observe(other))]);
    expect(valueOf(await service.facts())).toMatchObject({ agentVersion: '1.2.3', libvirtVersion: 'simulated' });
    // One that vanishes meanwhile is left out.
    host.script.inject('observe', { kind: 'fail', error: hostError('not-found', 'gone') });
    expect(valueOf(await service.observeAll()).map((observed) => observed.uuid)).toEqual([other]);
    host.script.setReachable(false);
    expect(codeOf(await service.observeAll())).toBe('unreachable');
  });
});
