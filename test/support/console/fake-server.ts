/**
 * A console's server that speaks the wire and has no cluster behind it: for the page's own tests, which say what it answers.
 * It keeps what a server must keep that a page relies on: the code once, the secret with every request, the version a size is set from.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import {
  type AnnotationAnswer,
  type AnnotationRequest,
  type ConsoleEvent,
  type EventsAnswer,
  type Item,
  type MemoryAnswer,
  type MemoryRequest,
  paths,
} from '../../../src/console/wire.ts';
import { carriedOut, type Raw, rewritten } from './machines.ts';

/** As the real one sends it. */
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

type Hello = Extract<ConsoleEvent, { event: 'hello' }>['data'];

export type FakeOptions = {
  readonly directory: string;
  readonly machines?: readonly Raw[];
  /** null: they may not be read. */
  readonly hosts?: readonly object[] | null;
  readonly hello?: Partial<Hello>;
  readonly writers?: Readonly<Record<string, Item['writers']>>;
  readonly events?: EventsAnswer['items'];
  /** What is answered instead; null: as ever. */
  onMemory?(request: MemoryRequest): MemoryAnswer | null;
  onAnnotation?(request: AnnotationRequest): AnnotationAnswer | null;
  /** What becomes of a size that was set; as ever: all that the plan says, at once. */
  carryOut?(raw: Raw): Raw;
  /** Says nothing of resources yet. */
  readonly isSilent?: boolean;
};

export type FakeConsole = {
  readonly origin: string;
  /** A link as it is printed. */
  link(): string;
  readonly requests: { readonly path: string; readonly body: unknown }[];
  /** All that came in the URL, for whoever looks for names there. */
  readonly urls: string[];
  get(key: string): Raw;
  put(raw: Raw): void;
  remove(key: string): void;
  send(event: ConsoleEvent): void;
  /** Ends all streams, and lets in none until it is told to. */
  setAway(away: boolean): void;
  close(): Promise<void>;
};

export async function startFakeConsole(options: FakeOptions): Promise<FakeConsole> {
  const all = new Map((options.machines ?? []).map((raw) => [keyOf(raw), raw]));
  const streams = new Set<ServerResponse>();
  const requests: FakeConsole['requests'] = [];
  const urls: string[] = [];
  const code = 'a-code-that-is-used-once';
  const secret = 'the-secret-of-the-session';
  let isUsed = false;
  let isAway = false;
  const writersOf = (key: string): Item['writers'] => options.writers?.[key] ?? [];
  const itemOf = (raw: Raw): Item => ({ object: raw, writers: writersOf(keyOf(raw)) });
  const write = (to: ServerResponse, { event, data }: ConsoleEvent): void =>
    void to.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const send = (event: ConsoleEvent): void => {
    for (const stream of streams) write(stream, event);
  };
  const put = (raw: Raw): void => {
    all.set(keyOf(raw), raw);
    send({ event: 'resource', data: { item: itemOf(raw) } });
  };

  const setMemory = (request: MemoryRequest): MemoryAnswer => {
    const scripted = options.onMemory?.(request) ?? null;
    if (scripted !== null) return scripted;
    const key = `${request.namespace}/${request.name}`;
    const raw = all.get(key);
    if (raw === undefined) return { outcome: 'changed', item: null };
    if (raw.metadata.resourceVersion !== request.resourceVersion) return { outcome: 'changed', item: itemOf(raw) };
    if (writersOf(key).length > 0 && !request.force) return { outcome: 'owned', writers: writersOf(key) };
    if (!request.dryRun) {
      const wished = rewritten(raw, {
        spec: {
          ...{ ...raw.spec, memory: request.memory },
          ...(request.shrinkPolicy === undefined ? {} : { shrinkPolicy: request.shrinkPolicy }),
        },
      });
      put(wished);
      setTimeout(() => put((options.carryOut ?? carriedOut)(wished)), 60);
    }
    return { outcome: 'set', by: 'the fake server' };
  };
  const annotate = (request: AnnotationRequest): AnnotationAnswer => {
    const scripted = options.onAnnotation?.(request) ?? null;
    if (scripted !== null) return scripted;
    const raw = all.get(`${request.namespace}/${request.name}`);
    if (raw === undefined) return { outcome: 'changed', item: null };
    const { 'dimmer.dev/paused': _, ...others } = raw.metadata.annotations ?? {};
    if (request.what === 'pause')
      put(rewritten(raw, { metadata: { annotations: { ...others, 'dimmer.dev/paused': 'true' } } }));
    if (request.what === 'resume') put(rewritten(raw, { metadata: { annotations: others } }));
    return { outcome: 'set' };
  };

  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      response.writeHead(500).end(JSON.stringify({ error: String(error) }));
    });
  });
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    urls.push(request.url ?? '');
    if (!path.startsWith('/api/')) {
      serveFile(options.directory, path, response);
      return;
    }
    const json = (status: number, body: object): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (isAway) {
      response.destroy();
      return;
    }
    const body = request.method === 'POST' ? ((await readBody(request)) as object) : {};
    requests.push({ path, body });
    if (path === paths.session) {
      if (isUsed || (body as { code?: unknown }).code !== code)
        json(401, { error: 'the link was used already, or is too old' });
      else {
        isUsed = true;
        json(200, { secret });
      }
      return;
    }
    if (request.headers.authorization !== `Bearer ${secret}`) {
      json(401, { error: 'there is no such session' });
      return;
    }
    switch (path) {
      case paths.stream: {
        response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
        streams.add(response);
        response.on('close', () => streams.delete(response));
        const hello: Hello = {
          place: 'cluster',
          title: 'lab / default',
          canEdit: true,
          version: '0.0.0',
          ...options.hello,
        };
        write(response, { event: 'hello', data: hello });
        if (options.isSilent === true) return;
        write(response, {
          event: 'hosts',
          data: { items: options.hosts === null ? null : [...(options.hosts ?? [])] },
        });
        write(response, { event: 'connection', data: { state: 'live', message: '' } });
        write(response, { event: 'resources', data: { items: [...all.values()].map(itemOf) } });
        return;
      }
      case paths.events:
        json(200, { items: options.events ?? [] });
        return;
      case paths.memory:
        json(200, setMemory(body as MemoryRequest));
        return;
      case paths.annotation:
        json(200, annotate(body as AnnotationRequest));
        return;
      default:
        json(404, { error: 'there is no such thing' });
    }
  }
  // As the real one: a page takes 40 s of silence for the end, and a test of a busy machine lasts longer.
  const beat = setInterval(() => {
    for (const stream of streams) stream.write(':\n\n');
  }, 10_000);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    link: () => `${origin}/#code=${code}`,
    requests,
    urls,
    get: (key) => {
      const raw = all.get(key);
      if (raw === undefined) throw new Error(`there is no ${key}`);
      return raw;
    },
    put,
    remove: (key) => {
      const raw = all.get(key);
      all.delete(key);
      if (raw === undefined) return;
      const { namespace, name, uid } = raw.metadata;
      send({ event: 'gone', data: { namespace, name, uid } });
    },
    send,
    setAway: (away) => {
      isAway = away;
      if (away) for (const stream of streams) stream.destroy();
    },
    close: async () => {
      clearInterval(beat);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const keyOf = ({ metadata }: Raw): string => `${metadata.namespace}/${metadata.name}`;

function serveFile(directory: string, path: string, response: ServerResponse): void {
  const file = path === '/' ? 'index.html' : path.slice(1);
  const type = types[extname(file)];
  if (type === undefined || file.includes('/')) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, {
    'content-type': type,
    'content-security-policy': contentSecurityPolicy,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
  response.end(readFileSync(join(directory, file)));
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return JSON.parse(Buffer.concat(pieces).toString('utf8'));
}
