/** Who may speak to the agent, and what becomes of those who may not, or who speak badly. No hypervisor is needed. */
import { readFileSync, rmSync, mkdtempSync, copyFileSync } from 'node:fs';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventLog } from '../../../src/agent/event-log.ts';
import { type AgentServer, createAgentServer } from '../../../src/agent/http/server.ts';
import { createAgentMetrics } from '../../../src/agent/metrics.ts';
import type { HostService } from '../../../src/agent/service.ts';
import type { HostAnswer } from '../../../src/host/errors.ts';
import { succeed } from '../../../src/memory/result.ts';
import { HostLine } from '../../../src/host/host-line.ts';
import { createHttpsHost } from '../../../src/host/http/client.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { openTlsFiles, type TlsFiles } from '../../../src/runtime/tls-files.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { type Logger, silentLogger } from '../../../src/runtime/logger.ts';
import { codeOf, collectEvents, eventually, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { createPki, type IssuedCertificate, type Pki } from '../../lab/pki.ts';

const allowed = 'spiffe://dimmer.test/controller';
const alsoAllowed = 'spiffe://dimmer.test/second-controller';
const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

type Answer = {
  readonly status: number;
  readonly type: string;
  readonly retryAfter: string | undefined;
  readonly body: string;
};

describe('agent and strangers', () => {
  let directory: string;
  let pki: Pki;
  let strangerPki: Pki;
  let server: AgentServer;
  let port: number;
  let agentFiles: IssuedCertificate;
  let agentTls: TlsFiles;
  let controller: IssuedCertificate;
  const events = new EventLog('test');
  const warnings: string[] = [];
  /** Another, that nobody speaks to but one who sends slowly. */
  let patient: AgentServer;
  const patientWarnings: string[] = [];
  let slow: Promise<number>;
  const host = createSimulatedHost({ clock: systemClock, domains: [{ uuid, name: 'db-1' }] });
  /** What every look waits for. */
  let hold: () => Promise<void> = () => Promise.resolve();
  const service: HostService = {
    ...host,
    async observe(id) {
      await hold();
      return host.observe(id);
    },
    async observeAll() {
      return succeed([valueOf(await host.observe(uuid))]);
    },
    observeSome: () => Promise.resolve([]),
    readiness: () => ({ ready: true }),
    lead: () => succeed(null),
  };

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dimmer-agent-'));
    pki = await createPki(join(directory, 'pki'));
    strangerPki = await createPki(join(directory, 'stranger'), 'stranger-ca');
    agentFiles = await pki.issue({ name: 'agent', ip: ['127.0.0.1'] });
    controller = await pki.issue({ name: 'controller', uri: [allowed] });
    agentTls = openTlsFiles({ ...agentFiles, caFile: pki.caFile }, systemClock, silentLogger);
    const serverFor = (warned: string[]): AgentServer => {
      const logger: Logger = { ...silentLogger, warn: (_fields, message) => warned.push(message) };
      const metrics = createAgentMetrics('test', () => 0);
      const parts = { service, events, tls: agentTls, clock: systemClock, logger, metrics };
      return createAgentServer({ ...parts, allowClients: [allowed, alsoAllowed] });
    };
    const listens = async (its: AgentServer): Promise<number> =>
      (await its.listen({ host: '127.0.0.1', port: 0 })).port;
    [server, patient] = [serverFor(warnings), serverFor(patientWarnings)];
    port = await listens(server);
    slow = sendSlowly(await listens(patient));
  });
  afterAll(async () => {
    agentTls.close();
    await Promise.all([server.close(), patient.close()]);
    rmSync(directory, { recursive: true });
  });

  /** Who sends a request a line each half second, while the other tests run: how long that goes well, ms. */
  async function sendSlowly(to: number): Promise<number> {
    const startedAt = Date.now();
    const tls = { ca: pki.caPem, cert: readFileSync(controller.certFile), key: readFileSync(controller.keyFile) };
    const socket = connect({ host: '127.0.0.1', port: to, ...tls });
    socket.on('error', () => undefined);
    socket.resume();
    socket.once('secureConnect', () => socket.write('GET /v1/host HTTP/1.1\r\nHost: x\r\n'));
    const drip = setInterval(() => socket.write('X-Drip: 1\r\n'), 500);
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(drip);
    return Date.now() - startedAt;
  }

  const clientTls = (files: IssuedCertificate): TlsFiles =>
    openTlsFiles({ ...files, caFile: pki.caFile }, systemClock, silentLogger);
  const clientOf = (files: IssuedCertificate) =>
    createHttpsHost({ address: `https://127.0.0.1:${port}`, tls: clientTls(files), clock: systemClock });

  /** A request as an arbitrary program would send it. */
  function ask(path: string, options: RequestOptions & { readonly body?: string } = {}): Promise<Answer> {
    const { body, ...rest } = options;
    const tls = { ca: pki.caPem, cert: readFileSync(controller.certFile), key: readFileSync(controller.keyFile) };
    return new Promise((resolve, reject) => {
      const request = httpsRequest({ host: '127.0.0.1', port, path, agent: false, ...tls, ...rest }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            type: response.headers['content-type'] ?? '',
            retryAfter: response.headers['retry-after'],
            body: text,
          }),
        );
      });
      request.on('error', reject);
      request.end(body);
    });
  }
  const problemOf = (answer: Answer): unknown => {
    expect(answer.type).toBe('application/problem+json');
    return (JSON.parse(answer.body) as { code: unknown }).code;
  };
  const json = { 'content-type': 'application/json' };
  const modules = `/v1/domains/${uuid}/memory/modules`;
  const body = (more: object = {}): string => JSON.stringify({ ...plugRequest(0, mib(128)), ...more });

  it('serves the allowed client, again on a new connection', async () => {
    for (let round = 0; round < 3; round += 1) {
      const client = clientOf(controller);
      valueOf(await client.facts());
      valueOf(await client.observe(uuid));
      await client.close();
    }
  });

  it('refuses the right CA with the wrong name, but tells it its health', async () => {
    const other = await pki.issue({ name: 'other', uri: ['spiffe://dimmer.test/other'], dns: [allowed] });
    const client = clientOf(other);
    expect(codeOf(await client.facts())).toBe('client-not-allowed');
    expect(codeOf(await client.plug(uuid, 'any', plugRequest(0, mib(128))))).toBe('client-not-allowed');
    await client.close();
    const tls = { cert: readFileSync(other.certFile), key: readFileSync(other.keyFile) };
    expect((await ask('/healthz', tls)).status).toBe(200);
    expect((await ask('/metrics', tls)).body).toContain('dimmer_agent_info{version="test"} 1');
    expect(problemOf(await ask('/v1/nothing', tls))).toBe('client-not-allowed');
    expect(warnings).toContain('client is not allowed');
  });

  it('ends the connection of no certificate, an expired one and one of another CA', async () => {
    const notAfter = new Date(Date.now() - 60_000);
    const expired = await pki.issue({ name: 'expired', uri: [allowed], notAfter });
    const foreign = await strangerPki.issue({ name: 'foreign', uri: [allowed] });
    for (const files of [expired, foreign]) {
      const client = clientOf(files);
      expect(codeOf(await client.facts())).toBe('tls-rejected');
      await client.close();
    }
    await expect(ask('/healthz', { cert: undefined, key: undefined })).rejects.toThrow();
    await eventually('it is logged', () => (warnings.includes('TLS handshake failed') ? true : null));
  });

  it('is not believed by a client of another CA, or under another name', async () => {
    const tls = openTlsFiles({ ...controller, caFile: strangerPki.caFile }, systemClock, silentLogger);
    const distrusting = createHttpsHost({ address: `https://127.0.0.1:${port}`, tls, clock: systemClock });
    expect(codeOf(await distrusting.facts())).toBe('tls-rejected');
    const named = createHttpsHost({
      address: `https://127.0.0.1:${port}`,
      tlsServerName: 'another.test',
      tls: clientTls(controller),
      clock: systemClock,
    });
    expect(codeOf(await named.facts())).toBe('tls-rejected');
    await Promise.all([distrusting.close(), named.close()]);
  });

  it('speaks no TLS older than 1.2', async () => {
    const problem = await new Promise<string>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, ca: pki.caPem, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' });
      socket.on('error', (error: Error) => resolve(error.message));
      socket.on('secureConnect', () => resolve('connected'));
    });
    expect(problem).not.toBe('connected');
  });

  it('refuses bodies that are no plug request, and changes nothing', async () => {
    const before = valueOf(await host.observe(uuid));
    const post = (text: string, headers: Record<string, string> = { ...json, 'if-match': `"${before.revision}"` }) =>
      ask(modules, { method: 'POST', headers, body: text });
    for (const text of ['', '{', 'null', '[]', '"x"', body({ slot: -1 }), body({ slot: 256 }), body({ slot: '0' })]) {
      expect(problemOf(await post(text)), text).toBe('bad-request');
    }
    for (const more of [
      { size: -1 },
      { size: 1.5 },
      { size: 2 ** 60 },
      { size: '128Mi' },
      { generation: 0 },
      { namespace: 'a"/><memory' },
      { clusterId: '<claim/>' },
      { objectUid: '' },
      { hostOvercommit: 0 },
      { hostNodes: [] },
      { alias: 'ua-evil' },
      { __proto__: { x: 1 }, constructor: 1 },
    ]) {
      expect(problemOf(await post(body(more))), JSON.stringify(more)).toBe('bad-request');
    }
    expect(problemOf(await post(body(), { ...json }))).toBe('revision-required');
    expect(problemOf(await post(body(), { ...json, 'if-match': '*' }))).toBe('bad-request');
    expect(problemOf(await post(body(), { 'content-type': 'text/plain', 'if-match': '"x"' }))).toBe('bad-request');
    expect(problemOf(await post(body({ clusterId: 'x'.repeat(20_000) })))).toBe('body-too-large');
    expect(valueOf(await host.observe(uuid))).toMatchObject({ revision: before.revision, claim: null });
  });

  it('takes no tricks in paths and queries', async () => {
    for (const path of [
      '/v1/domains/../../etc/passwd/memory',
      '/v1/domains/%2e%2e%2f/memory',
      `/v1/domains/${uuid}%00/memory`,
      '/v1/domains/ffffffff-ffff-ffff-ffff-fffffffffffg/memory',
      `/v1/domains/${'a'.repeat(4000)}/memory`,
      `/v1/domains/${uuid}/memory?x=1`,
      '/v1/domains?view=all',
      '/v1/domains?view=memory&view=memory',
      '/v1/domains?view=memory&uuids=',
      `/v1/domains?view=memory&uuids=${uuid},`,
      `/v1/domains?view=memory&uuids=${uuid}&uuids=${uuid}`,
      `/v1/domains?view=memory&uuids=${Array.from({ length: 33 }, () => uuid).join(',')}`,
    ]) {
      expect(['bad-request', 'no-such-route', 'not-found'], path).toContain(problemOf(await ask(path)));
    }
    const query = 'clusterId=c&objectUid=o&namespace=n&generation=1';
    for (const path of [
      `${modules}/0x0?${query}`,
      `${modules}/-1?${query}`,
      `${modules}/00?${query}`,
      `${modules}/1e2?${query}`,
      `${modules}/0?${query}&minUsableAfter=-1`,
      `${modules}/0?${query}&minUsableAfter=9999999999999999`,
      `${modules}/0?clusterId=c`,
    ]) {
      const answer = await ask(path, { method: 'DELETE', headers: { 'if-match': '"x"' } });
      expect(problemOf(answer), path).toBe('bad-request');
    }
    expect(problemOf(await ask('/v1/hosts', { method: 'PUT' }))).toBe('no-such-route');
    expect(problemOf(await ask('/v1/host', { method: 'PUT' }))).toBe('method-not-allowed');
  });

  it('leaves a line in the log of who speaks badly, not of who is merely told no, and few lines of many', async () => {
    const post = { method: 'POST', headers: { ...json, 'if-match': '"x"' } };
    const raw = (text: string): Promise<void> =>
      new Promise((resolve) => {
        const tls = { ca: pki.caPem, cert: readFileSync(controller.certFile), key: readFileSync(controller.keyFile) };
        const socket = connect({ host: '127.0.0.1', port, ...tls }, () => socket.write(text));
        socket.on('error', () => undefined).on('data', () => socket.destroy());
        socket.once('close', () => resolve());
      });
    const badly: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['request refused', () => ask(modules, { ...post, body: '{' })],
      ['request refused', () => ask(modules, { ...post, body: body({ clusterId: 'x'.repeat(20_000) }) })],
      ['request refused', () => ask(modules, { ...post, body: body({ namespace: 'a"/><memory' }) })],
      ['request refused', () => ask(`/v1/domains/${uuid}%00/memory`)],
      ['request refused', () => ask(`/v1/domains/%2e%2e%2f/memory`)],
      ['request refused', () => ask(`/v1/domains/%zz/memory`)],
      ['request refused', () => ask('/v1/host', { method: 'DELETE' })],
      ['request refused', () => ask(modules, { ...post, headers: { ...json, 'if-match': '*' }, body: body() })],
      ['connection ended: what arrived is no HTTP', () => raw('rubbish\r\n\r\n')],
    ];
    for (const [message, speak] of badly) {
      // A second has a budget of lines, which an earlier test may have used up.
      await eventually(message, async () => {
        const before = warnings.length;
        await speak();
        return warnings.slice(before).includes(message) ? true : null;
      });
    }
    const before = warnings.length;
    expect((await ask(modules, { ...post, body: body() })).status).toBe(412);
    expect((await ask('/v1/domains/00000000-0000-4000-8000-000000000000/memory')).status).toBe(404);
    expect(warnings.slice(before)).toEqual([]);
    const startedAt = Date.now();
    await Promise.all(Array.from({ length: 100 }, () => ask(modules, { ...post, body: '{' })));
    const seconds = Math.ceil((Date.now() - startedAt) / 1000) + 1;
    expect(warnings.length - before).toBeLessThanOrEqual(5 * seconds);
  });

  /** Asks `count` times at once, over as many connections. */
  const askAtOnce = (count: number, path: string, options: RequestOptions = {}): Promise<readonly Answer[]> =>
    Promise.all(Array.from({ length: count }, () => ask(path, options)));
  const memory = `/v1/domains/${uuid}/memory`;

  it('holds a client by what it has in hand, and serves another meanwhile', async () => {
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    hold = () => held;
    let answered = 0;
    const wild = Promise.all(
      Array.from({ length: 130 }, async () => {
        const answer = await ask(memory);
        answered += 1;
        return answer;
      }),
    );
    // Nobody has been let go: these are the ones that were too many.
    await eventually('the rest is refused', () => (answered === 130 - 96 ? true : null), 20_000);
    hold = () => Promise.resolve();
    const second = await pki.issue({ name: 'second', uri: [alsoAllowed] });
    const tls = { cert: readFileSync(second.certFile), key: readFileSync(second.keyFile) };
    expect((await ask(memory, tls)).status).toBe(200);
    expect(await ask(memory)).toMatchObject({ status: 429, retryAfter: '1' });
    expect((await ask('/healthz')).status).toBe(200);
    const client = clientOf(controller);
    expect(await client.observe(uuid)).toMatchObject({
      error: { code: 'too-many-requests', retryAfterMs: 1_000 },
    });
    await client.close();
    letGo();
    const statuses = Map.groupBy(await wild, ({ status, retryAfter }) => `${status} ${retryAfter}`);
    expect([...statuses].map(([status, some]) => [status, some.length]).sort()).toEqual([
      ['200 undefined', 96],
      ['429 1', 34],
    ]);
    expect((await ask(memory)).status).toBe(200);
  });

  it('serves within a second of a free place whatever waits in line, and a change that was told to wait once', async () => {
    let letGo = (): void => undefined;
    let begun = 0;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    hold = () => {
      begun += 1;
      return held;
    };
    const others = Promise.all(Array.from({ length: 96 }, () => ask(memory)));
    await eventually('all places are taken', () => (begun === 96 ? true : null), 20_000);
    hold = () => Promise.resolve();
    // A second connection of the same controller, as while one replica takes over from another.
    const client = clientOf(controller);
    const line = new HostLine(client, systemClock, () => 1);
    const { revision } = valueOf(await host.observe(uuid));
    const refusals = async (): Promise<number> => {
      const rows = (await ask('/metrics')).body.matchAll(/_duration_seconds_count\{.*status="429".*\} (\d+)/g);
      return [...rows].reduce((sum, [, count]) => sum + Number(count), 0);
    };
    const [refusedBefore, pluggedBefore] = [await refusals(), host.script.calls().plug];
    const answered: { readonly code: string; readonly atMs: number }[] = [];
    const note = async (answer: Promise<HostAnswer<unknown>>): Promise<void> => {
      const code = codeOf(await answer);
      answered.push({ code, atMs: Date.now() });
    };
    const calls = line.as(() => 'user');
    const slot = 7;
    const asked = Promise.all([
      note(calls.plug(uuid, revision, plugRequest(slot, mib(128)))),
      ...Array.from({ length: 20 }, () => note(calls.observe(uuid))),
    ]);
    // The change and eight looks at a time.
    await eventually('they are told to wait, again', async () => (await refusals()) > refusedBefore + 9 || null);
    expect(answered).toEqual([]);
    const freeMs = Date.now();
    letGo();
    await asked;
    await others;
    expect(new Set(answered.map(({ code }) => code))).toEqual(new Set(['ok']));
    // A second by the issue's word; the rest is 21 exchanges on a busy machine.
    expect(Math.max(...answered.map(({ atMs }) => atMs)) - freeMs).toBeLessThan(1_500);
    expect(host.script.calls().plug).toBe(pluggedBefore + 1);
    line.close();
    await client.close();
  });

  it('counts what goes on for a client that has hung up', async () => {
    let letGo = (): void => undefined;
    let begun = 0;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    hold = () => {
      begun += 1;
      return held;
    };
    const hangUp = new AbortController();
    const gone = Promise.allSettled(Array.from({ length: 96 }, () => ask(memory, { signal: hangUp.signal })));
    await eventually('all are in hand', () => (begun === 96 ? true : null), 20_000);
    hangUp.abort();
    await gone;
    expect((await ask(memory)).status).toBe(429);
    hold = () => Promise.resolve();
    letGo();
    await eventually('it is let in again', async () => ((await ask(memory)).status === 200 ? true : null));
  });

  it('takes a burst of any size from a client that waits for its answers', async () => {
    const client = clientOf(controller);
    const codes = (await Promise.all(Array.from({ length: 1_000 }, () => client.observe(uuid)))).map(codeOf);
    expect(new Set(codes)).toEqual(new Set(['ok']));
    await client.close();
  });

  it('lets no stranger keep it busy', async () => {
    const other = await pki.issue({ name: 'busy-stranger', uri: ['spiffe://dimmer.test/stranger'] });
    const tls = { cert: readFileSync(other.certFile), key: readFileSync(other.keyFile) };
    for (const [path, usual] of [
      ['/v1/host', 403],
      ['/metrics', 200],
    ] as const) {
      const answers = await askAtOnce(150, path, tls);
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([usual, 429]));
      expect(answers.find(({ status }) => status === 429)).toMatchObject({
        ...{ type: 'application/problem+json', retryAfter: '1' },
      });
      expect((await ask(memory)).status).toBe(200);
      await eventually('it is told its health again', async () => (await ask('/healthz', tls)).status === 200 || null);
    }
  });

  it('takes up rotated certificates without a restart, on both sides', async () => {
    const client = clientOf(controller);
    const before = valueOf(await client.facts());
    const fresh = await pki.issue({ name: 'agent-2', ip: ['127.0.0.1'] });
    copyFileSync(fresh.certFile, agentFiles.certFile);
    // Half of a rotation: the key doesn't belong to the certificate yet.
    expect(agentTls.refresh()).toBe(false);
    copyFileSync(fresh.keyFile, agentFiles.keyFile);
    expect(agentTls.refresh()).toBe(true);
    expect(valueOf(await client.facts())).toEqual(before);
    const seen = await new Promise<string>((resolve, reject) => {
      const tls = { ca: pki.caPem, cert: readFileSync(controller.certFile), key: readFileSync(controller.keyFile) };
      const socket = connect({ host: '127.0.0.1', port, ...tls }, () => {
        resolve(socket.getPeerX509Certificate()?.subject ?? '');
        socket.destroy();
      });
      socket.on('error', reject);
    });
    expect(seen).toContain('agent-2');
    await client.close();
  });

  it('streams events, takes up a broken stream where it ended, and says reset where it cannot', async () => {
    const client = clientOf(controller);
    const watching = collectEvents(client);
    await eventually('the stream begins', () => (watching.events.length === 1 ? true : null));
    const ids = (['module-added', 'statistics'] as const).map((kind) => {
      events.append({ kind, uuid });
      return events.lastId;
    });
    await eventually('both are delivered', () => (watching.events.length === 3 ? true : null));
    expect(watching.events).toEqual([
      { kind: 'reset' },
      { kind: 'module-added', uuid, id: ids[0] },
      { kind: 'statistics', uuid, id: ids[1] },
    ]);
    watching.stop();
    await client.close();

    const lastId = events.lastId;
    events.append({ kind: 'module-removed', uuid });
    const resumed = await firstOf('/v1/events', { 'last-event-id': lastId }, 'module-removed');
    expect(resumed).toContain('event: resumed');
    expect(resumed).not.toContain('module-added');
    for (const id of ['other-1', 'test-999999', 'rubbish', `${'x'.repeat(5000)}-1`]) {
      expect(await firstOf('/v1/events', { 'last-event-id': id }, 'event: ')).toContain('event: reset');
    }
  });

  /** The beginning of an answer that doesn't end, up to `until`. */
  function firstOf(path: string, headers: Record<string, string>, until: string): Promise<string> {
    const tls = { ca: pki.caPem, cert: readFileSync(controller.certFile), key: readFileSync(controller.keyFile) };
    return new Promise((resolve, reject) => {
      const request = httpsRequest({ host: '127.0.0.1', port, path, agent: false, ...tls, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          if (!text.includes(until) || !text.endsWith('\n\n')) return;
          resolve(text);
          request.destroy();
        });
      });
      request.on('error', reject);
      request.end();
    });
  }

  it('cuts off who sends slowly, and says so', async () => {
    expect(await slow).toBeLessThan(12_000);
    expect(patientWarnings).toEqual(['connection ended: the request took too long']);
  });

  it('finishes a change in hand when it is told to stop', async () => {
    const client = clientOf(controller);
    const { revision } = valueOf(await client.observe(uuid));
    host.script.inject('plug', { kind: 'answer-late', ms: 300 });
    const before = host.script.calls().plug;
    const answer = client.plug(uuid, revision, plugRequest(0, mib(128)));
    await eventually('the plug is in hand', () => (host.script.calls().plug > before ? true : null));
    const closed = server.close();
    expect(codeOf(await answer)).toBe('ok');
    await closed;
    expect(codeOf(await client.unplug(uuid, 'any', unplugRequest(0)))).toBe('unreachable');
    await client.close();
  });
});
