import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createApiClient } from '../../../src/kubernetes/api-client.ts';
import { createAccessProvider } from '../../../src/kubernetes/connect.ts';
import { loadKubeConfig } from '../../../src/kubernetes/kubeconfig.ts';
import { ManualClock } from '../../support/manual-clock.ts';

let directory: string;
let server: Server;
let connections: number;
const seen: (string | undefined)[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dimmer-connect-'));
  connections = 0;
  seen.length = 0;
  server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end('{}');
  });
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  rmSync(directory, { recursive: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function kubeconfig(user: object, cluster: object = {}): string {
  const path = join(directory, 'kubeconfig');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  writeFileSync(
    path,
    JSON.stringify({
      'current-context': 'x',
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      clusters: [{ name: 'c', cluster: { server: address, 'insecure-skip-tls-verify': true, ...cluster } }],
      users: [{ name: 'u', user }],
    }),
  );
  return path;
}

const get = { method: 'GET', path: '/version' } as const;

describe('access', () => {
  it('uses its connections again and again', async () => {
    const access = createAccessProvider(loadKubeConfig(kubeconfig({ token: 'secret' })), new ManualClock());
    const client = createApiClient(access);
    for (let request = 0; request < 10; request += 1) expect(await client.send(get)).toEqual({ ok: true, value: {} });
    expect(seen).toEqual(Array<string>(10).fill('Bearer secret'));
    // undici may open a second one while the first is still finishing a response.
    expect(connections).toBeLessThanOrEqual(2);
    await access.close();
  });

  it('takes user and password', async () => {
    const access = createAccessProvider(
      loadKubeConfig(kubeconfig({ username: 'me', password: 'p' })),
      new ManualClock(),
    );
    await createApiClient(access).send(get);
    expect(seen).toEqual([`Basic ${Buffer.from('me:p').toString('base64')}`]);
    await access.close();
  });

  it('takes up a certificate that was rotated, over a new connection', async () => {
    const caFile = join(directory, 'ca.crt');
    writeFileSync(caFile, 'one');
    const clock = new ManualClock();
    const access = createAccessProvider(
      loadKubeConfig(kubeconfig({ token: 't' }, { 'certificate-authority': caFile })),
      clock,
    );
    const first = await access.current();
    writeFileSync(caFile, 'two');
    expect((await access.current()).dispatcher).toBe(first.dispatcher);
    await clock.advance(10_001);
    const second = await access.current();
    expect(second.dispatcher).not.toBe(first.dispatcher);
    await clock.advance(10_001);
    expect((await access.current()).dispatcher).toBe(second.dispatcher);
    await access.close();
  });

  it('looks at once when it is told that the credentials were turned down', async () => {
    const caFile = join(directory, 'ca.crt');
    writeFileSync(caFile, 'one');
    const access = createAccessProvider(
      loadKubeConfig(kubeconfig({ token: 't' }, { 'certificate-authority': caFile })),
      new ManualClock(),
    );
    const first = await access.current();
    writeFileSync(caFile, 'two');
    access.invalidate();
    expect((await access.current()).dispatcher).not.toBe(first.dispatcher);
    await access.close();
  });

  it('reports credentials that cannot be read, and recovers', async () => {
    const certFile = join(directory, 'tls.crt');
    const access = createAccessProvider(
      loadKubeConfig(kubeconfig({ 'client-certificate': certFile, 'client-key': certFile })),
      new ManualClock(),
    );
    const client = createApiClient(access);
    expect(await client.send(get)).toMatchObject({ ok: false, error: { kind: 'credentials', retryable: true } });
    writeFileSync(certFile, 'pem');
    expect(await client.send(get)).toMatchObject({ ok: true });
    await access.close();
  });

  it('says of a SOCKS proxy that it will not do', async () => {
    const access = createAccessProvider(
      loadKubeConfig(kubeconfig({ token: 't' }, { 'proxy-url': 'socks5://127.0.0.1:1' })),
      new ManualClock(),
    );
    await expect(access.current()).rejects.toThrow(/SOCKS proxies are not supported/);
    await access.close();
  });
});

describe('api client', () => {
  const failing = async (change: (server: Server) => void, timeoutMs?: number) => {
    const access = createAccessProvider(loadKubeConfig(kubeconfig({ token: 't' })), new ManualClock());
    change(server);
    const result = await createApiClient(access).send({ ...get, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
    await access.close();
    return result.ok ? 'ok' : result.error;
  };

  it('tells a server that is not there from one that does not answer', async () => {
    expect(
      await failing((gone) => {
        gone.closeAllConnections();
        gone.close();
      }),
    ).toMatchObject({ kind: 'unreachable', retryable: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    expect(await failing((mute) => mute.removeAllListeners('request'), 50)).toMatchObject({ kind: 'timeout' });
  });

  it('understands a refusal in plain text, as proxies write it', async () => {
    const refusal = await failing((plain) => {
      plain.removeAllListeners('request');
      plain.on('request', (_, response) => {
        response.writeHead(502, { 'content-type': 'text/plain' });
        response.end('upstream gone');
      });
    });
    expect(refusal).toMatchObject({ kind: 'status', status: 502, message: '502: upstream gone', retryable: true });
  });

  it('does not take a page of HTML for an answer', async () => {
    const answer = await failing((page) => {
      page.removeAllListeners('request');
      page.on('request', (_, response) => response.end('<html>log in</html>'));
    });
    expect(answer).toMatchObject({ kind: 'garbled', retryable: true });
  });
});
