/** Nobody else gets in: every rule of the console's server, attacked over real connections. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { paths } from '../../../src/console/wire.ts';
import { waitFor } from '../../lab/wait.ts';
import { changeCode, ConsoleBench } from '../../support/console-bench.ts';

let bench: ConsoleBench;
let secret: string;
beforeAll(async () => {
  bench = await new ConsoleBench().start();
  secret = await bench.session();
});
afterAll(() => bench.close());

const own = (more: Readonly<Record<string, string>> = {}) => ({ authorization: `Bearer ${secret}`, ...more });
const wish = JSON.stringify({ namespace: 't', name: 'db', what: 'retry' });
const json = { 'content-type': 'application/json' };
/** What a stranger must never see. */
const secrets = ['"db"', 'VirtualMachineMemory', 'secret'];

describe('without the secret', () => {
  const doors = [
    ['GET', paths.stream],
    ['POST', paths.events],
    ['POST', paths.memory],
    ['POST', paths.annotation],
  ] as const;
  test.each(doors)('%s %s is shut', async (method, path) => {
    const keys = [
      {},
      { authorization: 'Bearer x' },
      { authorization: secret },
      { cookie: `secret=${secret}; session=${secret}` },
    ];
    for (const headers of keys) {
      const { status, body } = await bench.ask(path, { method, headers: { ...json, ...headers }, body: wish });
      expect([headers, status]).toEqual([headers, 401]);
      for (const each of secrets) expect(body).not.toContain(each);
    }
  });

  test.each(['HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])('%s is no way around', async (method) => {
    for (const [, path] of doors) {
      const { status, body } = await bench.ask(path, { method });
      expect([path, status]).toEqual([path, 404]);
      for (const each of secrets) expect(body).not.toContain(each);
    }
  });

  test.each([
    '/%61pi/stream',
    '/api/stream/',
    '//api/stream',
    '/api/stream?secret=x',
    '/API/STREAM',
    '/x/../api/stream',
  ])('%s is no way around', async (path) => {
    const { status, body } = await bench.ask(path);
    expect([401, 404, 400]).toContain(status);
    for (const each of secrets) expect(body).not.toContain(each);
  });

  test('the secret in the address counts for nothing', async () => {
    expect((await bench.ask(`${paths.stream}?authorization=Bearer%20${secret}`)).status).toBe(401);
  });
});

describe('the link', () => {
  test('opens once', async () => {
    const code = bench.sessions.newCode();
    expect((await changeCode(bench.port, code)).status).toBe(200);
    const again = await changeCode(bench.port, code);
    expect([again.status, again.body]).toEqual([401, expect.stringContaining('used before')]);
  });

  test('is not opened by a form of another page, which sends no JSON', async () => {
    const code = bench.sessions.newCode();
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const sent = { method: 'POST', headers: { 'content-type': type }, body: JSON.stringify({ code }) };
      expect((await bench.ask(paths.session, sent)).status).toBe(415);
    }
    expect((await changeCode(bench.port, code)).status).toBe(200);
  });

  test('is not opened by another page that has got hold of it', async () => {
    const code = bench.sessions.newCode();
    for (const headers of [{ origin: 'http://evil.example' }, { 'sec-fetch-site': 'cross-site' }])
      expect((await changeCode(bench.port, code, headers)).status).toBe(403);
    expect((await changeCode(bench.port, code)).status).toBe(200);
  });
});

describe('DNS rebinding', () => {
  test.each([
    'evil.example',
    'evil.example:PORT',
    '127.0.0.1.evil.example:PORT',
    'localhost.evil.example',
    '127.0.0.1@evil.example',
    '127.0.0.2:PORT',
    '0.0.0.0:PORT',
    '[::ffff:127.0.0.1]:PORT',
    '127.0.0.1:PORT, evil.example',
    ' ',
  ])('a Host of %j gets nothing, not even the page', async (host) => {
    for (const path of ['/', paths.stream, '/nothing']) {
      const { status, body } = await bench.ask(path, {
        headers: own({ host: host.replace('PORT', String(bench.port)) }),
      });
      expect([path, status]).toEqual([path, 403]);
      for (const each of secrets) expect(body).not.toContain(each);
    }
  });

  test('nor does a request without one', async () => {
    const socket = connect(bench.port, '127.0.0.1');
    socket.write(`GET ${paths.stream} HTTP/1.0\r\nAuthorization: Bearer ${secret}\r\n\r\n`);
    let text = '';
    for await (const piece of socket) text += String(piece);
    expect(text).toMatch(/^HTTP\/1\.[01] 40[03] /);
  });

  test.each(['127.0.0.1:PORT', 'localhost:PORT', 'LOCALHOST:PORT', '[::1]:PORT', '127.0.0.1:8443'])(
    'its own names are taken, by whatever port a tunnel has: %s',
    async (host) => {
      const answer = await bench.ask('/', { headers: { host: host.replace('PORT', String(bench.port)) } });
      expect([answer.status, answer.body]).toEqual([200, '<!doctype html>']);
    },
  );
});

describe('another page', () => {
  test("of another user's server, on another port of 127.0.0.1, with this host's cookies and the secret", async () => {
    const theirs = createServer((_, response) => response.setHeader('set-cookie', 'secret=x').end());
    await new Promise<void>((resolve) => theirs.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = theirs.address() as AddressInfo;
      const headers = own({
        ...json,
        origin: `http://127.0.0.1:${port}`,
        'sec-fetch-site': 'same-site',
        cookie: 'secret=x',
      });
      const before = bench.backend.asked.length;
      const sent = await bench.ask(paths.annotation, { method: 'POST', headers, body: wish });
      expect(sent.status).toBe(403);
      expect((await bench.ask(paths.stream, { headers })).status).toBe(403);
      expect(bench.backend.asked.length).toBe(before);
    } finally {
      theirs.close();
    }
  });

  test.each([
    ['another origin', { origin: 'https://evil.example' }],
    ['none, as a sandbox has', { origin: 'null' }],
    ['the same name by another scheme', { origin: 'https://127.0.0.1:PORT' }],
    ['the same machine by another name', { origin: 'http://localhost:PORT' }],
    ['no origin, from another site', { 'sec-fetch-site': 'cross-site' }],
    ['no origin, from another port', { 'sec-fetch-site': 'same-site' }],
  ])('%s: nothing is done', async (_, strange) => {
    const before = bench.backend.asked.length;
    const headers = Object.fromEntries(
      Object.entries({ ...json, ...own(), ...strange }).map(([name, value]) => [
        name,
        value.replace('PORT', String(bench.port)),
      ]),
    );
    expect((await bench.ask(paths.annotation, { method: 'POST', headers, body: wish })).status).toBe(403);
    expect(bench.backend.asked.length).toBe(before);
  });

  test('its own page may', async () => {
    const headers = own({ ...json, origin: `http://127.0.0.1:${bench.port}`, 'sec-fetch-site': 'same-origin' });
    expect((await bench.ask(paths.annotation, { method: 'POST', headers, body: wish })).status).toBe(200);
  });

  test('is not told by any answer that it may ask', async () => {
    const preflight = {
      origin: 'http://evil.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization',
    };
    const own200 = { origin: `http://127.0.0.1:${bench.port}` };
    for (const asking of [{ method: 'OPTIONS', headers: preflight }, { headers: own200 }]) {
      const { headers } = await bench.ask('/', asking);
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
  });
});

describe('every answer', () => {
  test.each([
    ['the page', '/', {}],
    ['what is not there', '/nothing', {}],
    ['no session', paths.stream, {}],
    ['a wrong Host', '/', { host: 'evil.example' }],
    ['a bad address', '/%', {}],
  ])('says what may be loaded, and that nothing is to be kept: %s', async (_, path, headers) => {
    const answer = await bench.ask(path, { headers });
    const policy = String(answer.headers['content-security-policy']);
    expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|data:|https?:|\*/);
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'same-origin',
      'x-frame-options': 'DENY',
    });
    expect(answer.headers['set-cookie']).toBeUndefined();
  });
});

test('it listens to this machine alone, at one port of both addresses', async () => {
  expect((await bench.ask('/', { address: '::1' })).status).toBe(200);
  // All of 127.0.0.0/8 is this machine's: where it isn't listened at, nobody answers.
  await expect(bench.ask('/', { address: '127.0.0.2' })).rejects.toThrow('ECONNREFUSED');
});

test('a port that somebody else has at one address is taken at neither', async () => {
  const theirs = createServer();
  const port = await takeHalfOf(theirs);
  const another = new ConsoleBench();
  try {
    await expect(another.listen(port)).rejects.toThrow('EADDRINUSE');
    await expect(bench.ask('/', { address: '127.0.0.1' })).resolves.toMatchObject({ status: 200 });
    const refused = connect(port, '127.0.0.1');
    await expect(new Promise((_, reject) => refused.once('error', reject))).rejects.toThrow('ECONNREFUSED');
  } finally {
    await another.close();
    theirs.close();
  }
});

test('pages without number get no stream; those that look go on, and one that ends makes room', async () => {
  const ending = new AbortController();
  const begin = async (signal: AbortSignal): Promise<number> => {
    const headers = { authorization: `Bearer ${secret}` };
    return (await fetch(`http://127.0.0.1:${bench.port}${paths.stream}`, { headers, signal })).status;
  };
  const first = new AbortController();
  expect(await begin(first.signal)).toBe(200);
  for (let count = 1; count < 32; count += 1) expect(await begin(ending.signal)).toBe(200);
  expect(await begin(ending.signal)).toBe(429);
  first.abort();
  await waitFor(async () => (await begin(ending.signal)) === 200, { what: 'room for another', timeoutMs: 20_000 });
  ending.abort();
});

/** Listens at a port of ::1 that nobody has at 127.0.0.1. */
async function takeHalfOf(server: Server): Promise<number> {
  const other = createServer();
  for (;;) {
    await once(server.listen(0, '::1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const isFree = await once(other.listen(port, '127.0.0.1'), 'listening').then(
      () => true,
      () => false,
    );
    if (isFree) await new Promise((resolve) => other.close(resolve));
    if (isFree) return port;
    await new Promise((resolve) => server.close(resolve));
  }
}

test('a body without end is cut off, and one that is none is refused', async () => {
  const headers = own(json);
  const send = async (body: string) => (await bench.ask(paths.memory, { method: 'POST', headers, body })).status;
  expect(await send(`{"memory":"${'1'.repeat(20_000)}"}`)).toBe(413);
  expect(await send('{')).toBe(400);
  expect(await send('{"namespace":"t"}')).toBe(400);
  expect(await send(JSON.stringify({ __proto__: null, constructor: 1 }))).toBe(400);
});
