/** The console's HTTP server: the page's files, a session for a code, and with a session's secret all else. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify';
import { Mismatch, type Shape } from '../../memory/shape.ts';
import type { Clock } from '../../runtime/clock.ts';
import { modernTls } from '../../runtime/tls-suites.ts';
import { type ConsoleBackend, Unreachable } from '../backend.ts';
import { Desk, NoSuchResource } from '../desk.ts';
import type { Sessions } from '../sessions.ts';
import { annotationRequest, eventsRequest, memoryRequest, paths, sessionRequest } from '../wire.ts';
import { type GuardOptions, type Head, judgeHead, judgeSite } from './guard.ts';
import { safeHeaders } from './headers.ts';
import type { PageFiles } from './page-files.ts';
import { Streams } from './stream.ts';

export type ConsoleServerOptions = {
  readonly backend: ConsoleBackend;
  readonly sessions: Sessions;
  readonly files: PageFiles;
  readonly clock: Clock;
  readonly isOurName: GuardOptions['isOurName'];
  /** PEM; null: it is plain HTTP, for this machine alone. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
};

export interface ConsoleServer {
  /** Listens at all of `hosts`, at one port; 0 takes a free one. @throws Error as listen(2) */
  listen(hosts: readonly string[], port: number): Promise<{ readonly port: number }>;
  close(): Promise<void>;
}

const bodyLimit = 16 * 1024;
const maxConnections = 256;
const requestTimeoutMs = 10_000;
/** How often a free port is looked for that is free at all addresses. */
const mostTries = 20;

/** What is refused, and with which status. */
class Refused extends Error {
  readonly statusCode: number;
  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

/** Nothing is compiled: requests are read by the wire's own shapes. Fastify's own type of it speaks of ajv. */
const schemaController = {
  compilersFactory: { buildValidator: () => () => () => true, buildSerializer: () => () => JSON.stringify },
} as unknown as NonNullable<FastifyServerOptions['schemaController']>;

/** Builds the server; nothing listens yet. */
export function createConsoleServer(options: ConsoleServerOptions): ConsoleServer {
  const { backend, clock, tls } = options;
  let answer: RequestListener = (_request, response) => void response.destroy();
  const app = Fastify({
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit,
    schemaController,
    // It never listens itself: two addresses need two servers.
    serverFactory: (handler) => {
      answer = handler;
      return createServer();
    },
    frameworkErrors: (_error, _request, reply) => {
      void sendError(reply, 400, 'the request is malformed');
    },
  });
  const streams = new Streams(backend.board, clock);
  declareRoutes(app, options, streams);

  const serverOptions = {
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs,
    maxHeaderSize: 16 * 1024,
  };
  const servers: Server[] = [];
  const listenAt = async (host: string, port: number): Promise<number> => {
    const listener: RequestListener = (request, response) => answer(request, response);
    const server =
      tls === null
        ? createServer(serverOptions, listener)
        : createTlsServer({ ...serverOptions, ...modernTls, ...tls }, listener);
    server.maxConnections = maxConnections;
    server.listen({ host, port });
    await once(server, 'listening');
    servers.push(server);
    return (server.address() as AddressInfo).port;
  };

  return {
    async listen(hosts, port) {
      await app.ready();
      for (let tries = 1; ; tries++) {
        try {
          let taken = port;
          for (const host of hosts) taken = await listenIfThere(host, taken, listenAt);
          if (servers.length === 0) throw new Error(`this machine has none of the addresses ${hosts.join(', ')}`);
          return { port: taken };
        } catch (error) {
          closeAll(servers);
          // Somebody has it at one of the addresses, where they would get what is meant for us.
          if (port !== 0 || tries === mostTries || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
        }
      }
    },
    async close() {
      streams.endAll();
      closeAll(servers);
      await app.close();
    },
  };
}

/** An address that this machine hasn't (no IPv6) is nobody's. */
async function listenIfThere(
  host: string,
  port: number,
  listenAt: (host: string, port: number) => Promise<number>,
): Promise<number> {
  try {
    return await listenAt(host, port);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (host === '::1' && ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(code)) return port;
    throw error;
  }
}

function closeAll(servers: Server[]): void {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
}

const headOf = ({ headers }: FastifyRequest): Head => {
  const site = headers['sec-fetch-site'];
  return { host: headers.host, origin: headers.origin, site: typeof site === 'string' ? site : undefined };
};

const sendError = (reply: FastifyReply, status: number, error: string): FastifyReply =>
  reply.code(status).headers(safeHeaders).send({ error });

/** @throws Refused where it isn't what the page sends */
function read<T>(shape: Shape<T>, { body }: FastifyRequest): T {
  const value = shape.read(body);
  if (value instanceof Mismatch) throw new Refused(400, value.explain('the request'));
  return value;
}

function declareRoutes(app: FastifyInstance, options: ConsoleServerOptions, streams: Streams): void {
  const { backend, sessions, files, tls, isOurName } = options;
  const desk = new Desk(backend);
  const guard: GuardOptions = { scheme: tls === null ? 'http' : 'https', isOurName };
  // Text of any other kind a form of somebody else's page may send.
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(safeHeaders);
    const refusal = judgeHead(headOf(request), guard);
    done(refusal === null ? undefined : new Refused(403, refusal));
  });
  app.setErrorHandler((error: Error & { readonly statusCode?: number }, _request, reply) => {
    if (error instanceof NoSuchResource) return sendError(reply, 404, error.message);
    if (error instanceof Unreachable) return sendError(reply, 502, error.message);
    const status = error.statusCode ?? 500;
    return sendError(reply, status, status < 500 ? error.message : `the console failed: ${error.message}`);
  });
  app.setNotFoundHandler((_request, reply) => sendError(reply, 404, 'there is nothing here'));

  for (const [path, { type, body }] of files) {
    const serve = (_request: FastifyRequest, reply: FastifyReply): FastifyReply => reply.type(type).send(body);
    app.get(path, serve);
    if (path === '/index.html') app.get('/', serve);
  }

  // What a route is, and not how its address is written, decides what it needs.
  app.register((api, _options, done) => {
    api.addHook('onRequest', (request, _reply, next) => {
      const refusal = judgeSite(headOf(request));
      next(refusal === null ? undefined : new Refused(403, refusal));
    });
    api.post(paths.session, (request, reply) => {
      const secret = sessions.open(read(sessionRequest, request).code);
      if (secret !== null) return reply.send({ secret });
      const message = 'this link was used before, or is older than a minute: press Enter in the terminal for another';
      return sendError(reply, 401, message);
    });
    api.register((inner, _innerOptions, innerDone) => {
      inner.addHook('onRequest', (request, _reply, next) => {
        const isAdmitted = sessions.admits(request.headers.authorization);
        next(isAdmitted ? undefined : new Refused(401, 'this page has no session: open a new link'));
      });
      declareSessionRoutes(inner, desk, streams);
      innerDone();
    });
    done();
  });
}

function declareSessionRoutes(app: FastifyInstance, desk: Desk, streams: Streams): void {
  app.get(paths.stream, (_request, reply) => {
    if (streams.isFull) return sendError(reply, 429, 'too many pages look at once: close some');
    reply.hijack();
    streams.begin(reply.raw);
    return reply;
  });
  app.post(paths.events, (request) => desk.events(read(eventsRequest, request)));
  app.post(paths.memory, (request) => desk.setMemory(read(memoryRequest, request)));
  app.post(paths.annotation, (request) => desk.wish(read(annotationRequest, request)));
}
