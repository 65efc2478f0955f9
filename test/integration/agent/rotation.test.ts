/**
 * Certificates of `dimmer pki` are renewed, and then the CA is replaced, file by file under an agent and a client that are
 * busy: no request of theirs is lost, and who was let in by the old CA alone isn't any more in the end.
 */
import { appendFileSync, copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSimulatedService } from '../../../src/drivers/simulated/open.ts';
import { createHttpsHost } from '../../../src/host/http/client.ts';
import type { Host } from '../../../src/host/port.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { openTlsFiles, type TlsFiles } from '../../../src/runtime/tls-files.ts';
import { codeOf, collectEvents, eventually, plugRequest, unplugRequest } from '../../contract/bench.ts';
import { runProgram } from '../../support/built-program.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { controllerUri, createServiceParts, serveFixture, type AgentFixture } from './agent-fixture.ts';

const uuidOf = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
const uuid = uuidOf(2);
/** Simulated VMs whose guests give modules up: each fourth. */
const accepting = Array.from({ length: 50 }, (_, index) => uuidOf(1 + 4 * index));
const names = ['ca.crt', 'tls.crt', 'tls.key'] as const;
const pollMs = 10_000;

let directory: string;
/** Looks at the files as often as it is told that 10 s have gone by. */
const clock = new ManualClock();
let fixture: AgentFixture;
let agentTls: TlsFiles;
let clientTls: TlsFiles;

const at = (...path: string[]): string => join(directory, ...path);
const open = (folder: string, on: typeof clock | typeof systemClock): TlsFiles =>
  openTlsFiles(
    { certFile: at(folder, 'tls.crt'), keyFile: at(folder, 'tls.key'), caFile: at(folder, 'ca.crt') },
    on,
    silentLogger,
  );
const pki = async (dir: string, ...argv: string[]): Promise<void> => {
  const answer = await runProgram(['pki', ...argv, '--dir', at(dir)]);
  expect([answer.exit, answer.stderr]).toEqual([0, '']);
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dimmer-rotation-'));
  for (const dir of ['first', 'second']) {
    await pki(dir, 'init', 'dimmer.test');
    await pki(dir, 'agent', '127.0.0.1', '--also', 'localhost');
    await pki(dir, 'controller', '--uri', controllerUri);
  }
  cpSync(at('first/agents/127.0.0.1'), at('agent'), { recursive: true });
  cpSync(at('first/controller'), at('client'), { recursive: true });
  cpSync(at('first/controller'), at('stolen'), { recursive: true });
  [agentTls, clientTls] = [open('agent', clock), open('client', clock)];
  const parts = createServiceParts();
  const service = openSimulatedService({ first: 1, last: 200 }, () => true, parts);
  fixture = await serveFixture(service, parts, { agentTls, clientTls });
});
afterAll(async () => {
  await fixture.stop();
  for (const tls of [agentTls, clientTls]) tls.close();
  rmSync(directory, { recursive: true });
});

/** The serial number of the certificate that the agent shows now. */
function shown(): Promise<string> {
  return new Promise((resolve, reject) => {
    const { cert, key, ca } = clientTls.current();
    const socket = connect({ host: '127.0.0.1', port: fixture.port, cert, key, ca }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

/** Asks all the time, and plugs and unplugs; says what was answered, and how often. */
function keepBusy(host: Host): { stop: () => Promise<Record<string, number>>; sofar: () => number } {
  const answers: Record<string, number> = {};
  let count = 0;
  let isOver = false;
  const note = (what: string, answer: Parameters<typeof codeOf>[0]): void => {
    const key = `${what} ${codeOf(answer)}`;
    answers[key] = (answers[key] ?? 0) + 1;
    count += 1;
  };
  const look = async (): Promise<void> => {
    while (!isOver) note('observe', await host.observe(uuid));
  };
  const change = async (): Promise<void> => {
    // A slot whose module has left rests for a minute: each is used once.
    for (let turn = 0; !isOver && turn < accepting.length * 16; turn += 1) {
      const vm = accepting[Math.floor(turn / 16)] ?? '';
      const seen = await host.observe(vm);
      note('observe', seen);
      if (!seen.ok) continue;
      const plugged = await host.plug(vm, seen.value.revision, plugRequest(turn % 16, mib(128)));
      note('plug', plugged);
      if (!plugged.ok) continue;
      note('unplug', await host.unplug(vm, plugged.value.revision, unplugRequest(turn % 16)));
      await eventually('the module is gone', async () => {
        const after = await host.observe(vm);
        note('observe', after);
        return !after.ok || after.value.layout?.modules.length === 0 ? true : null;
      });
    }
  };
  const all = Promise.allSettled([look(), look(), look(), change()]);
  return {
    sofar: () => count,
    async stop() {
      isOver = true;
      await all;
      return answers;
    },
  };
}

test('the agent and its client take up what is renewed, and lose no request by it', async () => {
  const busy = keepBusy(fixture.client);
  const watching = collectEvents(fixture.client);
  await eventually('the stream stands', () => (watching.events.length > 0 ? true : null));
  /** Some requests later. */
  const goesOn = async (): Promise<void> => {
    const before = busy.sofar();
    await eventually('requests are answered', () => (busy.sofar() >= before + 20 ? true : null));
  };
  /** Copies a folder over another as an admin does, one file after the other; each time somebody looks in between. */
  const install = async (from: string, to: string): Promise<void> => {
    for (const name of names) {
      copyFileSync(at(from, name), at(to, name));
      await clock.advance(pollMs);
      await goesOn();
    }
  };
  const serials = [await shown()];
  const pickedUp = async (): Promise<void> => {
    serials.push(await shown());
    expect(clientTls.current().cert).toBe(readFileSync(at('client/tls.crt'), 'utf8'));
    expect(agentTls.current().cert).toBe(readFileSync(at('agent/tls.crt'), 'utf8'));
  };

  // By the same CA, whose own certificate is renewed as well.
  await pki('first', 'init', '--renew');
  await pki('first', 'agent', '127.0.0.1', '--renew');
  await pki('first', 'controller', '--renew');
  await install('first/agents/127.0.0.1', 'agent');
  await install('first/controller', 'client');
  await pickedUp();

  // By another CA: first both sides trust both, then each shows the new certificate, then the old CA goes.
  for (const side of ['agent', 'client']) {
    appendFileSync(at(side, 'ca.crt'), readFileSync(at('second/ca.crt')));
    await clock.advance(pollMs);
    await goesOn();
  }
  for (const [from, side] of [
    ['second/agents/127.0.0.1', 'agent'],
    ['second/controller', 'client'],
  ] as const) {
    for (const name of ['tls.crt', 'tls.key']) {
      copyFileSync(at(from, name), at(side, name));
      await clock.advance(pollMs);
      await goesOn();
    }
  }
  await pickedUp();
  const stolen = open('stolen', systemClock);
  const thief = createHttpsHost({ address: `https://localhost:${fixture.port}`, tls: stolen, clock: systemClock });
  for (const side of ['agent', 'client']) {
    copyFileSync(at('second/ca.crt'), at(side, 'ca.crt'));
    await clock.advance(pollMs);
    await goesOn();
  }
  expect(codeOf(await thief.facts())).toBe('tls-rejected');
  await thief.close();
  stolen.close();

  watching.stop();
  const answers = await busy.stop();
  expect(Object.keys(answers).toSorted()).toEqual(['observe ok', 'plug ok', 'unplug ok']);
  expect(new Set(serials).size).toBe(3);
});
