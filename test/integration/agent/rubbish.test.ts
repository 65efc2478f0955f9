/** The HTTPS client against agents that answer rubbish, late, never or not at all: an error of the table each time. */
import { createServer, type Server } from 'node:https';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createHttpsHost } from '../../../src/host/http/client.ts';
import type { Host } from '../../../src/host/port.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { openTlsFiles } from '../../../src/runtime/tls-files.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { codeOf, collectEvents, eventually, plugRequest, valueOf } from '../../contract/bench.ts';
import { createPki, type IssuedCertificate, type Pki } from '../../lab/pki.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
type Handler = Parameters<typeof createServer>[1];

describe('HTTPS client and agents that misbehave', () => {
  let directory: string;
  let pki: Pki;
  let agentFiles: IssuedCertificate;
  let clientFiles: IssuedCertificate;
  let server: Server | null = null;
  let host: Host;
  let port = 0;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dimmer-client-'));
    pki = await createPki(join(directory, 'pki'));
    agentFiles = await pki.issue({ name: 'agent', ip: ['127.0.0.1'] });
    clientFiles = await pki.issue({ name: 'client', uri: ['spiffe://x/y'] });
  });
  afterAll(() => rmSync(directory, { recursive: true }));
  afterEach(async () => {
    await host.close();
    stop();
  });

  function stop(): void {
    server?.close();
    server?.closeAllConnections();
    server = null;
  }

  async function serve(handler: Handler): Promise<void> {
    const read = (file: string) => readFileSync(file, 'utf8');
    const started = createServer({ cert: read(agentFiles.certFile), key: read(agentFiles.keyFile) }, handler);
    server = started;
    await new Promise<void>((resolve) => started.listen(port, '127.0.0.1', resolve));
    port = (started.address() as AddressInfo).port;
  }

  async function answerWith(handler: Handler): Promise<void> {
    port = 0;
    await serve(handler);
    const tls = openTlsFiles({ ...clientFiles, caFile: pki.caFile }, systemClock, silentLogger);
    host = createHttpsHost({ address: `https://127.0.0.1:${port}`, tls, clock: systemClock, random: () => 0 });
  }

  const good = async () => {
    const simulated = createSimulatedHost({
      clock: systemClock,
      domains: [{ uuid, name: 'db-1', modules: [{ size: mib(128) }] }],
    });
    return valueOf(await simulated.observe(uuid));
  };
  type Json = Record<string, unknown>;

  it('decodes an answer that is good, and drops members it does not know', async () => {
    const observation = await good();
    await answerWith((_request, response) => response.end(JSON.stringify({ ...observation, future: 1 })));
    expect(valueOf(await host.observe(uuid))).toEqual(observation);
  });

  it('believes nothing that does not fit', async () => {
    const observation = await good();
    const { layout } = observation;
    const rubbish: unknown[] = [
      null,
      [],
      'text',
      {},
      { ...observation, state: 'Dancing' },
      { ...observation, revision: 7 },
      { ...observation, booting: 'no' },
      { ...observation, layout: { ...layout, boot: 'much' } },
      { ...observation, layout: { ...layout, boot: [{ node: 0, size: -1 }] } },
      { ...observation, layout: { ...layout, maxMemory: 2 ** 60 } },
      { ...observation, layout: { ...layout, modules: [{ ...layout?.modules[0], slot: 1.5 }] } },
      { ...observation, layout: { ...layout, modules: [{ ...layout?.modules[0], size: '128Mi' }] } },
      { ...observation, claim: { clusterId: 'x' } },
    ];
    let next: unknown;
    await answerWith((_request, response) => response.end(JSON.stringify(next)));
    for (next of rubbish) {
      expect(codeOf(await host.observe(uuid)), JSON.stringify(next).slice(0, 200)).toBe('bad-answer');
    }
    const inherited: Json = { ...observation };
    delete inherited['revision'];
    next = { ...inherited, ['__proto__']: { revision: 'x' } };
    expect(codeOf(await host.observe(uuid))).toBe('bad-answer');
  });

  it('asks an agent that takes no names of domains for each by itself, and does not try them again', async () => {
    const observation = await good();
    const asked: string[] = [];
    await answerWith(({ url = '' }, response) => {
      asked.push(url);
      const isOfOne = url === `/v1/domains/${uuid}/memory`;
      if (isOfOne) response.end(JSON.stringify(observation));
      else response.writeHead(400).end('{"code":"bad-request","detail":"uuids is not known","status":400}');
    });
    for (let round = 0; round < 2; round += 1) {
      const answers = await Promise.all([host.observe(uuid), host.observe(uuid)]);
      expect(answers.map(valueOf)).toEqual([observation, observation]);
    }
    expect(asked.filter((url) => url.includes('uuids='))).toHaveLength(1);
    expect(asked).toHaveLength(5);
  });

  it('takes no page of a proxy, no redirect and no unknown problem for an answer', async () => {
    const answers: readonly (readonly [number, string])[] = [
      [200, '<html>'],
      [200, ''],
      [302, '{}'],
      [502, '<html>Bad Gateway</html>'],
      [500, '{"code":"unheard-of","detail":"x"}'],
      [500, '{"code":"toString","detail":"x"}'],
      [500, '{"code":"unreachable","detail":"only a client raises it"}'],
      [404, '{"code":"not-found"}'],
      [404, 'null'],
    ];
    let next: readonly [number, string] = [200, ''];
    await answerWith((_request, response) => response.writeHead(next[0], { location: '/elsewhere' }).end(next[1]));
    for (next of answers) expect(codeOf(await host.observe(uuid)), next.join(' ')).toBe('bad-answer');
    next = [412, '{"code":"stale-revision","detail":"x","status":412}'];
    expect(codeOf(await host.observe(uuid))).toBe('stale-revision');
  });

  it('takes the code from the type of a problem, and from an older one beside a type it does not know', async () => {
    let next = '';
    await answerWith((_request, response) => response.writeHead(422).end(next));
    const problem = (type: string, code: string) => JSON.stringify({ type, code, detail: 'x' });
    const said = async (type: string, code: string) => {
      next = problem(type, code);
      return codeOf(await host.observe(uuid));
    };
    const ours = 'https://dimmer.dev/problems/';
    expect(await said(`${ours}guest-late`, 'guest-memory-unknown')).toBe('guest-late');
    expect(await said(`${ours}guest-asleep`, 'guest-memory-unknown')).toBe('guest-memory-unknown');
    expect(await said('about:blank', 'guest-memory-unknown')).toBe('guest-memory-unknown');
    expect(await said(`${ours}timeout`, 'toString')).toBe('bad-answer');
    expect(await said(`${ours}guest-asleep`, 'unheard-of')).toBe('bad-answer');
  });

  it('reads no answer without an end', async () => {
    await answerWith((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(1024 * 1024, ' ');
      const write = (): void => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once('drain', write);
      };
      write();
    });
    expect(codeOf(await host.observe(uuid))).toBe('bad-answer');
  });

  it('waits no longer than its deadline', async () => {
    await answerWith(() => undefined);
    const startedAt = Date.now();
    expect(codeOf(await host.observe(uuid))).toBe('timeout');
    expect(Date.now() - startedAt).toBeLessThan(7_000);
  });

  it('does not send a change twice when the connection breaks, and says that the outcome is unknown', async () => {
    let requests = 0;
    await answerWith((request) => {
      requests += 1;
      request.socket.destroy();
    });
    expect(codeOf(await host.plug(uuid, 'r', plugRequest(0, mib(128))))).toBe('timeout');
    expect(requests).toBe(1);
  });

  it('says that nobody is there', async () => {
    await answerWith(() => undefined);
    stop();
    expect(codeOf(await host.facts())).toBe('unreachable');
    expect(codeOf(await host.plug(uuid, 'r', plugRequest(0, mib(128))))).toBe('unreachable');
  });

  it('tells lost and reset when the stream breaks for longer, and nothing when it is resumed', async () => {
    const lastIds: (string | undefined)[] = [];
    const stream: Handler = (request, response) => {
      lastIds.push(request.headers['last-event-id'] as string | undefined);
      const first = lastIds.length === 1 ? 'reset' : 'resumed';
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`id: a-${lastIds.length}\nevent: ${first}\ndata: {}\n\n`);
      response.write(`event: lifecycle\ndata: rubbish\n\nevent: future\ndata: {"uuid":"u"}\n\n:\n\n`);
      response.write(`id: a-${lastIds.length}5\nevent: lifecycle\ndata: {"uuid":"u${lastIds.length}"}\n\n`);
    };
    await answerWith(stream);
    const watching = collectEvents(host);
    await eventually('the stream begins', () => (watching.events.length === 2 ? true : null));
    server?.closeAllConnections();
    await eventually('it is resumed', () => (watching.events.length === 3 ? true : null));
    expect(watching.events).toEqual([
      { kind: 'reset' },
      { kind: 'lifecycle', uuid: 'u1', id: 'a-15' },
      { kind: 'lifecycle', uuid: 'u2', id: 'a-25' },
    ]);
    expect(lastIds).toEqual([undefined, 'a-15']);

    stop();
    await eventually('it is lost', () => (watching.events.at(-1)?.kind === 'lost' ? true : null));
    await serve(stream);
    await eventually('it is back', () => (watching.events.at(-1)?.kind === 'lifecycle' ? true : null));
    expect(watching.events.slice(4)).toEqual([{ kind: 'reset' }, { kind: 'lifecycle', uuid: 'u3', id: 'a-35' }]);
    watching.stop();
  });
});
