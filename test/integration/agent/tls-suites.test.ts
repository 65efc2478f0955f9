/** What the agent takes and the controller offers in a TLS handshake, by handshakes. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions, getCiphers } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventLog } from '../../../src/agent/event-log.ts';
import { type AgentServer, createAgentServer } from '../../../src/agent/http/server.ts';
import { createAgentMetrics } from '../../../src/agent/metrics.ts';
import { succeed } from '../../../src/memory/result.ts';
import { createHttpsHost } from '../../../src/host/http/client.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { openTlsFiles, type TlsFiles } from '../../../src/runtime/tls-files.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { createPki, type Pki } from '../../lab/pki.ts';
import { runOk } from '../../lab/run.ts';

const modern = ['aes128-gcm-sha256', 'aes256-gcm-sha384', 'chacha20-poly1305'];

describe('TLS', () => {
  let directory: string;
  let pki: Pki;
  let controller: { certFile: string; keyFile: string };
  const closing: (() => Promise<void> | void)[] = [];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dimmer-tls-'));
    pki = await createPki(join(directory, 'pki'));
    controller = await pki.issue({ name: 'controller', uri: ['spiffe://dimmer.test/controller'] });
  });
  afterAll(async () => {
    for (const close of closing) await close();
    rmSync(directory, { recursive: true });
  });

  const open = (files: { certFile: string; keyFile: string }): TlsFiles => {
    const tls = openTlsFiles({ ...files, caFile: pki.caFile }, systemClock, silentLogger);
    closing.push(() => tls.close());
    return tls;
  };

  async function startAgent(tls: TlsFiles): Promise<number> {
    const host = createSimulatedHost({ clock: systemClock, domains: [] });
    const server: AgentServer = createAgentServer({
      service: {
        ...host,
        observeAll: () => Promise.resolve(succeed([])),
        observeSome: () => Promise.resolve([]),
        readiness: () => ({ ready: true }),
        lead: () => succeed(null),
      },
      ...{ events: new EventLog('test'), tls, clock: systemClock, logger: silentLogger },
      ...{ metrics: createAgentMetrics('test', () => 0), allowClients: ['spiffe://dimmer.test/controller'] },
    });
    closing.unshift(() => server.close());
    return (await server.listen({ host: '127.0.0.1', port: 0 })).port;
  }

  /** Whether a client gets through a handshake with these options. */
  function shakesHands(port: number, options: ConnectionOptions): Promise<boolean> {
    return new Promise((resolve) => {
      const files = { cert: readFileSync(controller.certFile), key: readFileSync(controller.keyFile) };
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...files, ...options });
      const end = (through: boolean) => {
        socket.destroy();
        resolve(through);
      };
      socket.on('secureConnect', () => end(true)).on('error', () => end(false));
    });
  }

  /** Every suite of TLS 1.2 that this OpenSSL knows and with which a client gets through, tried alone. */
  async function acceptedBy(port: number): Promise<readonly string[]> {
    const accepted: string[] = [];
    for (const suite of getCiphers().filter((name) => !name.startsWith('tls_'))) {
      // Level 0, so that it is the server that says no.
      const options = { ciphers: `${suite.toUpperCase()}:@SECLEVEL=0`, maxVersion: 'TLSv1.2' } as const;
      if (await shakesHands(port, options)) accepted.push(suite);
    }
    return accepted.sort();
  }

  it('of 1.2 the agent takes forward secrecy with authenticated encryption only, whatever its key', async () => {
    const rsa = { certFile: join(directory, 'rsa.crt'), keyFile: join(directory, 'rsa.key') };
    await runOk('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=agent', '-days', '2'],
      ...['-keyout', rsa.keyFile, '-out', rsa.certFile],
    ]);
    const ecdsaPort = await startAgent(open(await pki.issue({ name: 'agent', ip: ['127.0.0.1'] })));
    expect(await acceptedBy(ecdsaPort)).toEqual(modern.map((suite) => `ecdhe-ecdsa-${suite}`));
    expect(await acceptedBy(await startAgent(open(rsa)))).toEqual(modern.map((suite) => `ecdhe-rsa-${suite}`));
    expect(await shakesHands(ecdsaPort, { minVersion: 'TLSv1.3' })).toBe(true);
  });

  it('so does it with a certificate that it takes up while it runs', async () => {
    const tls = open(await pki.issue({ name: 'rotated', ip: ['127.0.0.1'] }));
    const port = await startAgent(tls);
    await pki.issue({ name: 'rotated', ip: ['127.0.0.1'] });
    expect(tls.refresh()).toBe(true);
    expect(await acceptedBy(port)).toEqual(modern.map((suite) => `ecdhe-ecdsa-${suite}`));
  });

  it('the controller offers nothing else', async () => {
    const hello = new Promise<Buffer>((resolve) => {
      const server = createServer((socket) => {
        socket.once('data', (data) => {
          socket.destroy();
          resolve(data);
        });
        socket.on('error', () => undefined);
      });
      closing.unshift(() => void server.close());
      server.listen(0, '127.0.0.1');
      void once(server, 'listening').then(async () => {
        const { port } = server.address() as AddressInfo;
        const host = createHttpsHost({
          address: `https://127.0.0.1:${port}`,
          tls: open(controller),
          clock: systemClock,
        });
        await host.facts();
        await host.close();
      });
    });
    expect(suitesOf(await hello)).toEqual([
      // TLS 1.3: RFC 8446, appendix B.4. TLS 1.2: RFC 5289, section 3.2, and RFC 7905, section 2.
      ...[0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9],
    ]);
  });
});

/** The suites of a ClientHello (RFC 8446, section 4.1.2), without the two that are signals (RFC 5746, RFC 7507). */
function suitesOf(record: Buffer): readonly number[] {
  const sessionId = 5 + 4 + 2 + 32;
  const start = sessionId + 1 + record.readUInt8(sessionId);
  const length = record.readUInt16BE(start);
  const suites = Array.from({ length: length / 2 }, (_, index) => record.readUInt16BE(start + 2 + 2 * index));
  return suites.filter((suite) => suite !== 0x00ff && suite !== 0x5600).sort((a, b) => a - b);
}
