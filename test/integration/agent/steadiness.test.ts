/** Strangers by the hundred: the agent keeps its memory and its descriptors, and serves its client all the while. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { unitEnvironment } from '../../bench/agent/program.ts';
import { valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { createPki, type IssuedCertificate, type Pki } from '../../lab/pki.ts';
import { waitFor } from '../../lab/wait.ts';
import { type AgentPki, controllerUri, createAgentPki } from './agent-fixture.ts';
import { type AgentProcess, startAgentProcess } from './agent-process.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
const modules = `/v1/domains/${uuid}/memory/modules`;
/**
 * What a round may add, KiB; 400 strangers that left 16 KiB each would be above it. It isn't 0: a Node HTTPS server
 * without anything of ours keeps about 3 KiB of each connection with certificates until V8 collects it.
 */
const toleranceKib = 6 * 1024;

/** Sends `bytes` as soon as there is a connection; resolves when it has ended, however it does. */
function poke(port: number, bytes: string | Buffer, tls: ConnectionOptions | null): Promise<void> {
  return new Promise((resolve) => {
    const where = { host: '127.0.0.1', port };
    const socket = tls === null ? connectTcp(where) : connectTls({ ...where, ...tls });
    socket.on('error', () => undefined);
    socket.once('close', () => resolve());
    socket.once(tls === null ? 'connect' : 'secureConnect', () => {
      if (bytes.length === 0) socket.destroy();
      else socket.write(bytes);
    });
    // The answer, if there is one, is all that is waited for.
    socket.once('data', () => socket.destroy());
    socket.once('end', () => socket.destroy());
  });
}

const requestText = (head: string, headers: readonly string[] = [], body = ''): string =>
  [`${head} HTTP/1.1`, 'Host: x', `Content-Length: ${Buffer.byteLength(body)}`, ...headers, '', body].join('\r\n');
const json = 'Content-Type: application/json';
const garbage: readonly (string | Buffer)[] = [
  'rubbish\r\n\r\n',
  randomBytes(512),
  requestText('GET /v1/domains/%2e%2e%2f%2e%2e%2fetc/memory'),
  requestText(`GET /v1/domains/${'a'.repeat(4000)}/memory`),
  requestText(`POST ${modules}`, [json, 'If-Match: "x"'], '{"clusterId":'),
  requestText(`POST ${modules}`, [json, 'If-Match: "x"'], `"${'x'.repeat(12_000)}"`),
  requestText(`POST ${modules}`, [json, 'If-Match: "x"'], '{"__proto__":{"x":1},"slot":"<memory/>"}'),
  requestText(`GET /v1/host`, [`X-Padding: ${'x'.repeat(20_000)}`]),
  requestText(`DELETE ${modules}/00?clusterId=c`),
  requestText('BREW /v1/host'),
];

await describeLab(
  'an agent among strangers',
  () => {
    let lab: Lab;
    let pki: AgentPki;
    let strangers: Pki;
    let agent: AgentProcess;
    let handshakes: readonly { readonly bytes: string | Buffer; readonly tls: ConnectionOptions | null }[];
    let client: ConnectionOptions;

    const tlsOf = (files: IssuedCertificate): ConnectionOptions => ({
      ca: pki.pki.caPem,
      cert: readFileSync(files.certFile),
      key: readFileSync(files.keyFile),
    });

    beforeAll(async () => {
      lab = await startLab();
      pki = await createAgentPki(lab.hypervisor.directory);
      strangers = await createPki(join(lab.hypervisor.directory, 'strangers'), 'strangers');
      const { directory, issue } = pki.pki;
      client = tlsOf({ certFile: join(directory, 'controller.crt'), keyFile: join(directory, 'controller.key') });
      const hello = requestText('GET /v1/host');
      handshakes = [
        { tls: null, bytes: randomBytes(600) },
        { tls: null, bytes: hello },
        { tls: null, bytes: '' },
        { tls: { ca: pki.pki.caPem }, bytes: hello },
        { tls: tlsOf(await strangers.issue({ name: 'eve', uri: [controllerUri] })), bytes: hello },
        { tls: tlsOf(await issue({ name: 'old', uri: [controllerUri], notAfter: new Date(0) })), bytes: hello },
        { tls: { ca: pki.pki.caPem, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' }, bytes: hello },
        { tls: tlsOf(await issue({ name: 'other', uri: ['urn:other'] })), bytes: hello },
      ];
      agent = await startAgentProcess([`--libvirt-uri=${lab.hypervisor.uri}`], pki, {
        env: unitEnvironment(),
      });
    });
    afterAll(async () => {
      await agent.end('SIGTERM');
      await lab.stop();
    });

    const descriptors = (): number => readdirSync(`/proc/${agent.pid}/fd`).length;
    const residentKib = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${agent.pid}/status`, 'utf8'))?.[1]);

    /** 200 handshakes that fail and 200 requests that make no sense, 20 at a time. */
    async function round(): Promise<void> {
      const pokes = [
        ...Array.from({ length: 200 }, (_, index) => handshakes[index % handshakes.length]),
        ...Array.from({ length: 200 }, (_, index) => ({ tls: client, bytes: garbage[index % garbage.length] ?? '' })),
      ].flatMap((one) => (one === undefined ? [] : [one]));
      const worker = async (): Promise<void> => {
        for (let next = pokes.pop(); next !== undefined; next = pokes.pop())
          await poke(agent.port, next.bytes, next.tls);
      };
      await Promise.all(Array.from({ length: 20 }, worker));
    }

    test('keeps its descriptors and its memory', async () => {
      valueOf(await agent.client.facts());
      const descriptorsBefore = descriptors();
      const settled = () =>
        waitFor(() => descriptors() <= descriptorsBefore, {
          ...{ what: 'the strangers to be gone', timeoutMs: 20_000, details: () => `${descriptors()} descriptors` },
        });
      // Until heap and caches have the size that this work takes.
      for (let warmUp = 0; warmUp < 3; warmUp += 1) await round();
      await settled();
      const before = residentKib();
      await round();
      await settled();
      const first = residentKib();
      await round();
      await settled();
      const growth = Math.min(first - before, residentKib() - first);
      expect(growth).toBeLessThan(toleranceKib);
      valueOf(await agent.client.facts());
    });

    test('serves its client while they are at it', async () => {
      const over = new AbortController();
      const serving = (async (): Promise<number> => {
        let asked = 0;
        for (; !over.signal.aborted; asked += 1) {
          valueOf(await agent.client.facts());
          await delay(20);
        }
        return asked;
      })();
      await round();
      over.abort();
      expect(await serving).toBeGreaterThan(5);
    });
  },
  ['hypervisor'],
);
