import { request } from 'node:http';
import { Gauge, Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { type HealthServer, type HealthServerOptions, startHealthServer } from '../../../src/runtime/health-server.ts';

let server: HealthServer | undefined;
afterEach(() => server?.close());

/** Asks with exactly this request line: fetch() would make `/../metrics` and the like whole. */
async function ask(path: string, method = 'GET', options: Partial<HealthServerOptions> = {}) {
  const registry = new Registry();
  new Gauge({ name: 'a_gauge', help: 'A gauge.', registers: [registry] }).set(7);
  const started = { host: '127.0.0.1', port: 0, probes: true, registry, isReady: () => true, ...options };
  await server?.close();
  server = await startHealthServer(started);
  const { port } = server;
  return new Promise<{ status: number; allow: string | undefined; body: string }>((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (piece: string) => (body += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, allow: response.headers.allow, body }));
    });
    sent.on('error', reject).end();
  });
}

describe('the health server', () => {
  it.each(['/healthz', '/readyz', '/healthz?', '/readyz?verbose', '/healthz?verbose=1&exclude=etcd', '/readyz?a=/b?c'])(
    'answers %s, whatever is asked for beside it',
    async (path) => expect(await ask(path)).toMatchObject({ status: 200, body: 'ok\n' }),
  );

  it.each(['/metrics', '/metrics?x=1', '/metrics?name[]=a_gauge'])('answers %s with metrics', async (path) => {
    const { status, body } = await ask(path);
    expect(status).toBe(200);
    expect(body).toContain('a_gauge 7');
  });

  it('says that it is not ready, with a query too', async () => {
    const options = { isReady: () => false };
    expect(await ask('/readyz', 'GET', options)).toMatchObject({ status: 503, body: 'not ready\n' });
    expect(await ask('/readyz?verbose', 'GET', options)).toMatchObject({ status: 503 });
    expect(await ask('/healthz?verbose', 'GET', options)).toMatchObject({ status: 200 });
  });

  it.each(['/', '/healthz/', '/metrics/x', '/x?/metrics', '/HEALTHZ', '//healthz', '/x/../healthz'])(
    'has nothing at %s',
    async (path) => expect(await ask(path)).toMatchObject({ status: 404 }),
  );

  it('has at an address only what was asked for there', async () => {
    expect(await ask('/metrics?x=1', 'GET', { registry: null })).toMatchObject({ status: 404 });
    expect(await ask('/readyz?verbose', 'GET', { probes: false })).toMatchObject({ status: 404 });
  });

  it('answers HEAD without a body, and no method that would change something', async () => {
    expect(await ask('/readyz', 'HEAD')).toMatchObject({ status: 200, body: '' });
    expect(await ask('/readyz', 'POST')).toMatchObject({ status: 405, allow: 'GET, HEAD' });
    expect(await ask('/metrics?x', 'DELETE')).toMatchObject({ status: 405, allow: 'GET, HEAD' });
    expect(await ask('/x', 'POST')).toMatchObject({ status: 404 });
  });
});
