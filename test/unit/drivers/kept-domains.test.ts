/** Simulated VMs in a file: whoever comes after a process that was killed finds them as they are. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compilePattern } from '../../../src/agent/admission.ts';
import { EventLog } from '../../../src/agent/event-log.ts';
import type { RunnableService } from '../../../src/agent/service.ts';
import { openKeptSimulatedService } from '../../../src/drivers/simulated/open.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { claim, plugRequest, unplugRequest } from '../../contract/bench.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const db = '00000000-0000-4000-8000-0000000000d2';
let folder: string;
let clock: ManualClock;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dimmer-kept-'));
  clock = new ManualClock();
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Another process with the same VMs; the one before was killed, and no timer of it fires any more. */
function open(events = new EventLog('e')): RunnableService {
  clock = new ManualClock(clock.now());
  const parts = { clock, logger: silentLogger, audit: () => undefined, agentVersion: '1', events };
  const service = openKeptSimulatedService('demo', compilePattern('*'), parts, join(folder, 'vms.json'));
  service.start();
  return service;
}
async function look(service: RunnableService) {
  const answer = await service.observe(db);
  if (!answer.ok || answer.value.layout === null) throw new Error('not observed');
  const { revision, layout, claim: held, runtimeId } = answer.value;
  return { revision, held, runtimeId, modules: layout.modules.map(({ slot, state }) => `${slot} ${state}`) };
}

test('a claim, a module that was plugged, and one that is about to leave outlast the process', async () => {
  let service = open();
  const before = await look(service);
  const plugged = await service.plug(db, before.revision, plugRequest(5, mib(128)));
  expect(plugged).toMatchObject({ ok: true });
  const { revision } = await look(service);
  expect(await service.unplug(db, revision, unplugRequest(1))).toMatchObject({ ok: true });
  const asked = await look(service);
  expect(asked.modules).toEqual(['0 Plugged', '1 Leaving', '2 Plugged', '5 Plugged']);

  service = open();
  expect(await look(service)).toEqual(asked);
  expect(asked).toMatchObject({ held: claim, runtimeId: before.runtimeId });
  // The guest goes on with what it was asked for.
  await clock.advance(1_000);
  expect((await look(service)).modules).toEqual(['0 Plugged', '2 Plugged', '5 Plugged']);
  service = open();
  expect((await look(service)).modules).toEqual(['0 Plugged', '2 Plugged', '5 Plugged']);
});

test('what the guest took up while nobody looked is told', async () => {
  const totalIn = async (service: RunnableService) => {
    const answer = await service.observe(db);
    return answer.ok ? (answer.value.guest?.total ?? 0) : 0;
  };
  let service = open();
  const before = await totalIn(service);
  // It says nothing more before the process is killed.
  await service.plug(db, (await look(service)).revision, plugRequest(5, mib(128)));
  const events = new EventLog('e');
  service = open(events);
  expect(await totalIn(service)).toBe(before);
  await clock.advance(2_000);
  expect(events.since('e-0')?.map(({ event }) => event.kind)).toContain('statistics');
  expect(await totalIn(service)).toBe(before + mib(128));
});
