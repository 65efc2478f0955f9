/** The API's document: the one that is committed is the one that is served, and real answers are as it says. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify from 'fastify';
import { format, resolveConfig } from 'prettier';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EventLog } from '../../../src/agent/event-log.ts';
import { buildApiDocument, collectRoutes, documentPath } from '../../../src/agent/http/api-document.ts';
import { type AgentServer, createAgentServer } from '../../../src/agent/http/server.ts';
import { createAgentMetrics } from '../../../src/agent/metrics.ts';
import type { HostService, Readiness } from '../../../src/agent/service.ts';
import { hostError, type HostErrorCode, hostErrorTable } from '../../../src/host/errors.ts';
import { fail, succeed } from '../../../src/memory/result.ts';
import { Leaders } from '../../../src/host/leaders.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { claim, eventually, plugRequest, valueOf } from '../../contract/bench.ts';
import { describeAgent } from './agent-bench.ts';
import { type AgentPki, controllerUri, createAgentPki } from './agent-fixture.ts';
import { type ApiRequest, askApi, type Credentials } from './api-client.ts';
import { createConformance, memberOf } from './api-conformance.ts';

const committed = join(import.meta.dirname, '../../../docs/openapi/agent-v1.json');
const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
const memoryPath = '/v1/domains/{uuid}/memory';
const modulesPath = `${memoryPath}/modules`;
const claimPath = `${memoryPath}/claim`;
const storedPath = `${memoryPath}/stored`;
const slotPath = `${modulesPath}/{slot}`;
const json = { 'content-type': 'application/json' };
const unplugQueryOf = ({ generation, ...names }: typeof claim): string =>
  new URLSearchParams({ ...names, generation: String(generation) }).toString();
const unplugQuery = unplugQueryOf(claim);

const credentialsOf = (files: { certFile: string; keyFile: string }, ca: string): Credentials => ({
  ca,
  cert: readFileSync(files.certFile),
  key: readFileSync(files.keyFile),
});

describe("agent's API and its document", () => {
  let directory: string;
  let pki: AgentPki;
  let server: AgentServer;
  let port: number;
  let conforms: ReturnType<typeof createConformance>;
  let document: Parameters<typeof memberOf>[0];
  let controller: Credentials;
  let stranger: Credentials;
  /** What the next change answers; null: what the simulated host does. */
  let forced: HostErrorCode | null = null;
  const leaders = new Leaders();
  let readiness: Readiness = { ready: true };
  /** What a look at the host waits for. */
  let held: Promise<void> = Promise.resolve();

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dimmer-openapi-'));
    pki = await createAgentPki(directory);
    const host = createSimulatedHost({ clock: systemClock, domains: [{ uuid, name: 'db-1' }] });
    const unless = <T>(work: () => Promise<T>) =>
      forced === null ? work() : Promise.resolve(fail(hostError(forced, 'as the test says')));
    const service: HostService = {
      ...host,
      facts: () =>
        unless(async () => {
          await held;
          return host.facts();
        }),
      observe: (id) => unless(() => host.observe(id)),
      plug: (id, revision, request) => unless(() => host.plug(id, revision, request)),
      unplug: (id, revision, request) => unless(() => host.unplug(id, revision, request)),
      persist: (id, revision, request) => unless(() => host.persist(id, revision, request)),
      releaseClaim: (id, revision, request) => unless(() => host.releaseClaim(id, revision, request)),
      observeAll: () => unless(async () => succeed([valueOf(await host.observe(uuid))])),
      observeSome: async () => [valueOf(await host.observe(uuid))],
      readiness: () => readiness,
      lead: (leader) => leaders.admit(leader),
    };
    server = createAgentServer({
      ...{ service, events: new EventLog('test'), tls: pki.agentTls, clock: systemClock, logger: silentLogger },
      ...{ metrics: createAgentMetrics('test', () => 0), allowClients: [controllerUri] },
    });
    ({ port } = await server.listen({ host: '127.0.0.1', port: 0 }));
    const { caPem, issue, directory: files } = pki.pki;
    controller = credentialsOf(
      { certFile: join(files, 'controller.crt'), keyFile: join(files, 'controller.key') },
      caPem,
    );
    stranger = credentialsOf(await issue({ name: 'stranger', uri: ['urn:stranger'] }), caPem);
    document = JSON.parse((await ask(documentPath)).body) as typeof document;
    conforms = createConformance(document);
  });
  afterAll(async () => {
    await server.close();
    for (const tls of [pki.agentTls, pki.clientTls]) tls.close();
    rmSync(directory, { recursive: true });
  });

  const ask = (path: string, options: ApiRequest = {}, credentials = controller) =>
    askApi(port, credentials, path, options);
  /** The code of a problem, null for a good answer; either as the document says. */
  const codeOf = async (method: string, template: string, path: string, options: ApiRequest = {}, who = controller) =>
    conforms(method, template, await ask(path, { method, ...options }, who));
  const memory = `/v1/domains/${uuid}/memory`;
  const guarded = (revision: string) => ({ ...json, 'if-match': revision });
  const body = JSON.stringify(plugRequest(0, mib(128)));

  test('is committed as it is served (vitest --update writes it anew)', async () => {
    const { body: text } = await ask(documentPath);
    const options = await resolveConfig(committed);
    const formatted = await format(text, { ...options, parser: 'json' });
    await expect(formatted).toMatchFileSnapshot(committed);
  });

  test('is for those only who may use the API', async () => {
    expect(await codeOf('GET', documentPath, documentPath, {}, stranger)).toBe('client-not-allowed');
  });

  test('misses no route, and tells of none that is not there', () => {
    const app = Fastify();
    const routes = collectRoutes(app);
    expect(() => buildApiDocument(routes)).toThrow(/documented but not declared: getHost, /);
    app.get('/v1/secret', () => '');
    expect(() => buildApiDocument(routes)).toThrow('route GET /v1/secret is not documented');
  });

  test('good answers are as it says', async () => {
    for (const path of ['/v1/host', '/v1/domains', '/healthz', '/readyz', '/metrics', documentPath]) {
      expect(await codeOf('GET', path, path), path).toBeNull();
    }
    expect(await codeOf('GET', '/v1/domains', '/v1/domains?view=memory')).toBeNull();
    expect(await codeOf('GET', memoryPath, memory)).toBeNull();
    const { etag } = await ask(memory);
    // Who doesn't ask for more is answered as by version 0.1.0.
    const plain = await ask(`${memory}/modules`, { method: 'POST', headers: guarded(etag), body });
    expect(conforms('POST', modulesPath, plain)).toBeNull();
    expect(Object.keys(JSON.parse(plain.body) as object)).toEqual(['done', 'revision']);
    expect(plain.headers['preference-applied']).toBeUndefined();
    const prefer = { prefer: 'respond-async, return=representation; x=1' };
    const next = { ...guarded(plain.etag), ...prefer };
    const more = JSON.stringify(plugRequest(1, mib(128)));
    const full = await ask(`${memory}/modules`, { method: 'POST', headers: next, body: more });
    expect(conforms('POST', modulesPath, full)).toBeNull();
    expect(full.headers['preference-applied']).toBe('return=representation');
    const told = memberOf(JSON.parse(full.body) as never, 'observation');
    const seen = JSON.parse((await ask(memory)).body) as never;
    for (const name of ['revision', 'layout', 'claim']) expect(memberOf(told, name)).toEqual(memberOf(seen, name));
    const back = { headers: { 'if-match': full.etag, ...prefer } };
    const asked = await ask(`${memory}/modules/1?${unplugQueryOf(claim)}`, { method: 'DELETE', ...back });
    expect(conforms('DELETE', slotPath, asked)).toBeNull();
    expect(asked.body).toContain('"state":"Leaving"');
    const isOver = async () => ((await ask(memory)).body.includes('"Leaving"') ? null : true);
    await eventually('it has gone', isOver);
    const after = await ask(memory);
    const headers = { 'if-match': after.etag };
    expect(await codeOf('DELETE', slotPath, `${memory}/modules/0?${unplugQueryOf(claim)}`, { headers })).toBeNull();
    await eventually('the other has gone, too', isOver);
    const put = { method: 'PUT', headers: guarded((await ask(memory)).etag), body: JSON.stringify(claim) };
    const stored = await ask(`${memory}/stored`, put);
    expect(conforms('PUT', storedPath, stored)).toBeNull();
    expect(memberOf(JSON.parse(stored.body) as never, 'stored')).toEqual(
      memberOf(JSON.parse((await ask(memory)).body) as never, 'stored'),
    );
    const last = { headers: { 'if-match': (await ask(memory)).etag } };
    expect(await codeOf('DELETE', claimPath, `${memory}/claim?${unplugQueryOf(claim)}`, last)).toBeNull();
  });

  test('probes and scrapers may ask with a query of their own', async () => {
    for (const path of ['/healthz?verbose', '/readyz?verbose&exclude=libvirt', '/metrics?x=1', '/metrics?name[]=up']) {
      expect([path, (await ask(path)).status, (await ask(path, {}, stranger)).status]).toEqual([path, 200, 200]);
    }
    expect((await ask('/metrics?x=1')).body).toContain('dimmer_agent_info');
  });

  test('a method that a path has not is told from a path that is not there', async () => {
    const paths = memberOf(document, 'paths') as Record<string, Record<string, unknown>>;
    const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'];
    for (const [template, declared] of Object.entries(paths)) {
      const path = template.replace('{uuid}', uuid).replace('{slot}', '0');
      // HEAD is what GET is (RFC 9110, section 9.3.2), and is told with it.
      const known = Object.keys(declared).flatMap((method) =>
        method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()],
      );
      for (const method of methods.filter((one) => !known.includes(one))) {
        const { status, headers, body: text } = await ask(`${path}?x=1`, { method });
        expect([method, path, status, headers['allow']]).toEqual([method, path, 405, known.join(', ')]);
        if (method !== 'HEAD') expect(JSON.parse(text)).toMatchObject({ status: 405, code: 'method-not-allowed' });
      }
    }
    expect(Object.keys(paths).length).toBeGreaterThan(8);
    // Whatever comes along with it: of a body nobody has a use for, or of RFC 10008's method without one, nothing is read.
    for (const [method, headers, sent] of [
      ['QUERY', {}, undefined],
      ['PUT', json, '{'],
      ['PATCH', { 'content-type': 'text/plain' }, 'x'],
      ['POST', json, `"${'x'.repeat(20_000)}"`],
    ] as const) {
      const answer = await ask('/v1/host', { method, headers, ...(sent === undefined ? {} : { body: sent }) });
      expect([method, answer.status, answer.headers['allow']]).toEqual([method, 405, 'GET, HEAD']);
      const probe = await ask('/healthz', { method, headers, ...(sent === undefined ? {} : { body: sent }) }, stranger);
      expect([method, probe.status]).toEqual([method, 405]);
    }
    for (const path of ['/v1', '/v1/hosts', '/v1/host/', `${memory}/`, '/healthz/x', '/']) {
      expect([path, (await ask(path, { method: 'PUT' })).status]).toEqual([path, 404]);
    }
    expect((await ask('/v1/host', { method: 'PUT' }, stranger)).status).toBe(403);
    const told = memberOf(document, 'components', 'responses', 'MethodNotAllowed', 'headers', 'Allow', 'description');
    expect(told).toContain('methods');
  });

  test('HEAD is answered as GET is, without the body', async () => {
    const nobody = '/v1/domains/00000000-0000-4000-8000-000000000000/memory';
    const paths = ['/v1/host', '/v1/domains', '/v1/domains?view=memory', memory, nobody, documentPath];
    for (const path of [...paths, '/v1/domains?view=all', '/v1/nothing', '/healthz', '/readyz', '/metrics']) {
      const [full, head] = [await ask(path), await ask(path, { method: 'HEAD' })];
      const told = ({ status, headers }: typeof full) => ({
        status,
        type: headers['content-type'],
        etag: headers['etag'],
      });
      expect([path, told(head), head.body]).toEqual([path, told(full), '']);
      expect(head.headers['content-length'], path).toMatch(/^[1-9]\d*$/);
    }
    expect((await ask('/v1/host', { method: 'HEAD' }, stranger)).status).toBe(403);
    // It must end, though a stream of events doesn't.
    const streams = async () => /dimmer_agent_event_streams (\d+)/.exec((await ask('/metrics')).body)?.[1];
    const { status, headers } = await ask('/v1/events', { method: 'HEAD' });
    expect([status, headers['content-type'], headers['cache-control'], headers['content-length']]).toEqual([
      ...[200, 'text/event-stream', 'no-store', undefined],
    ]);
    expect(await streams()).toBe('0');
  });

  test('so are problems that the server itself finds', async () => {
    const post = (options: ApiRequest, who = controller) =>
      codeOf('POST', modulesPath, `${memory}/modules`, options, who);
    expect(await post({ headers: json, body }, stranger)).toBe('client-not-allowed');
    expect(await post({ headers: json, body })).toBe('revision-required');
    expect(await post({ headers: guarded('*'), body })).toBe('bad-request');
    expect(await post({ headers: guarded('"x"'), body: '{' })).toBe('bad-request');
    expect(await post({ headers: guarded('"x"'), body: `"${'x'.repeat(20_000)}"` })).toBe('body-too-large');
    expect(await post({ headers: guarded('"x"'), body })).toBe('stale-revision');
    expect(await codeOf('GET', '/v1/domains', '/v1/domains?view=all')).toBe('bad-request');
    const nobody = '/v1/domains/00000000-0000-4000-8000-000000000000/memory';
    expect(await codeOf('GET', memoryPath, nobody)).toBe('not-found');
    expect(await codeOf('DELETE', slotPath, `${memory}/modules/9?${unplugQuery}`)).toBe('revision-required');
    const ledBy = (epoch: number | string) => ({ 'dimmer-leader': `test/dimmer-system/dimmer-controller#${epoch}` });
    expect(await post({ headers: { ...guarded('"x"'), ...ledBy('x') }, body })).toBe('bad-request');
    leaders.learn({ election: 'test/dimmer-system/dimmer-controller', epoch: 5 });
    expect(await codeOf('GET', '/v1/events', '/v1/events', { headers: ledBy(4) })).toBe('not-leader');
    const sharing = (version: string) => ({ ...ledBy(5), 'dimmer-host-version': version });
    expect(await post({ headers: { ...guarded('"x"'), ...sharing('0') }, body })).toBe('bad-request');
    const other = { election: 'test/dimmer-system/other', epoch: 1, hostVersion: 9 };
    expect(leaders.admit(other).ok).toBe(true);
    expect(await codeOf('GET', '/v1/events', '/v1/events', { headers: sharing('8') })).toBe('not-leader');
    readiness = { ready: false, problem: 'no socket' };
    expect(await codeOf('GET', '/readyz', '/readyz')).toBe('hypervisor-unreachable');
    readiness = { ready: true };
  });

  /** Every code of the table that the service may answer a call with. */
  const codes = (Object.keys(hostErrorTable) as HostErrorCode[]).filter(
    (code) =>
      hostErrorTable[code].status !== null && !['no-such-route', 'method-not-allowed', 'body-too-large'].includes(code),
  );
  const notFor: Readonly<Record<string, readonly string[]>> = {
    reading: [
      ...['not-leader', 'old-generation', 'stale-revision', 'revision-required', 'no-such-module', 'unplug-unsettled'],
      ...['guest-memory-in-use', 'guest-memory-unknown', 'guest-late'],
      ...['insufficient-host-memory', 'hugepages-unavailable', 'namespace-limit'],
    ],
    plug: ['no-such-module', 'unplug-unsettled', 'guest-memory-in-use', 'guest-memory-unknown', 'guest-late'],
    unplug: ['insufficient-host-memory', 'hugepages-unavailable', 'namespace-limit'],
    persist: [
      ...['no-such-module', 'guest-memory-in-use', 'guest-memory-unknown', 'guest-late'],
      ...['insufficient-host-memory', 'hugepages-unavailable', 'namespace-limit'],
    ],
    release: [
      ...['no-such-module', 'unplug-unsettled', 'guest-memory-in-use', 'guest-memory-unknown', 'guest-late'],
      ...['insufficient-host-memory', 'hugepages-unavailable', 'namespace-limit'],
    ],
  };
  test.each(codes)('and problems of the service: %s', async (code) => {
    forced = code;
    const tag = { 'if-match': '"x"' };
    const headers = { ...json, ...tag };
    try {
      if (!notFor['reading']?.includes(code)) expect(await codeOf('GET', memoryPath, memory)).toBe(code);
      if (!notFor['plug']?.includes(code)) {
        expect(await codeOf('POST', modulesPath, `${memory}/modules`, { headers, body })).toBe(code);
      }
      if (!notFor['unplug']?.includes(code)) {
        expect(await codeOf('DELETE', slotPath, `${memory}/modules/0?${unplugQuery}`, { headers: tag })).toBe(code);
      }
      if (!notFor['persist']?.includes(code)) {
        const put = { headers, body: JSON.stringify(claim) };
        expect(await codeOf('PUT', storedPath, `${memory}/stored`, put)).toBe(code);
      }
      if (!notFor['release']?.includes(code)) {
        expect(await codeOf('DELETE', claimPath, `${memory}/claim?${unplugQuery}`, { headers: tag })).toBe(code);
      }
    } finally {
      forced = null;
    }
  });

  test('a client that has too much in hand is told so in the same way', async () => {
    let letGo = (): void => undefined;
    held = new Promise((resolve) => (letGo = resolve));
    const asked = Array.from({ length: 120 }, () => ask('/v1/host'));
    const first = await Promise.race(asked);
    letGo();
    held = Promise.resolve();
    expect(conforms('GET', '/v1/host', first)).toBe('too-many-requests');
    for (const answer of await Promise.all(asked)) {
      expect(['too-many-requests', null]).toContain(conforms('GET', '/v1/host', answer));
    }
    expect(await codeOf('GET', '/v1/host', '/v1/host')).toBeNull();
  });

  test('a schema that does not fit is noticed', async () => {
    const answer = await ask('/v1/host');
    const wrong = { ...answer, body: answer.body.replace('{', '{"undocumented":1,') };
    expect(() => conforms('GET', '/v1/host', wrong)).toThrow(/additional properties/);
    expect(() => conforms('GET', '/v1/host', { ...answer, status: 418 })).toThrow(/has no/);
  });
});

await describeAgent(
  "agent's API and its document, on libvirt",
  { guests: [{ kind: 'silent' }, { kind: 'no-os', leaveOff: true }], uncleared: true },
  (bench) => {
    test('real layouts, claims, marks and statistics are as it says', async () => {
      const guest = bench.guest;
      const { directory, caPem } = bench.pki.pki;
      const files = { certFile: join(directory, 'controller.crt'), keyFile: join(directory, 'controller.key') };
      const credentials = credentialsOf(files, caPem);
      const document = JSON.parse(readFileSync(committed, 'utf8')) as never;
      const conforms = createConformance(document);
      const ask = (method: string, path: string, options: ApiRequest = {}) =>
        askApi(bench.agent.port, credentials, path, { method, ...options });
      const memory = `/v1/domains/${guest.uuid}/memory`;
      const observed = await eventually('the guest reports', async () => {
        const answer = await ask('GET', memory);
        expect(conforms('GET', memoryPath, answer)).toBeNull();
        return memberOf(JSON.parse(answer.body) as never, 'guest') === null ? null : answer;
      });
      const body = JSON.stringify(plugRequest(0, mib(128)));
      const plugged = await ask('POST', `${memory}/modules`, { headers: { ...json, 'if-match': observed.etag }, body });
      expect(conforms('POST', modulesPath, plugged)).toBeNull();
      expect(plugged.status).toBe(201);
      await guest.waitPinned();
      const headers = { 'if-match': plugged.etag };
      const asked = await ask('DELETE', `${memory}/modules/0?${unplugQueryOf(claim)}`, { headers });
      expect(conforms('DELETE', slotPath, asked)).toBeNull();
      const leaving = await ask('GET', memory);
      expect(leaving.body).toContain('"state":"Leaving"');
      expect(conforms('GET', memoryPath, leaving)).toBeNull();
      for (const path of ['/v1/host', '/v1/domains', '/v1/domains?view=memory', '/readyz', '/metrics']) {
        expect(conforms('GET', path.split('?')[0] ?? '', await ask('GET', path)), path).toBeNull();
      }
    });
  },
);
