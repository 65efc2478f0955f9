/** The agent's HTTPS server: mutual TLS, limits, routes, a shutdown that finishes what is in hand. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { hostError } from '../../host/errors.ts';
import type { TlsFiles, TlsMaterial } from '../../runtime/tls-files.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { modernTls } from '../../runtime/tls-suites.ts';
import type { EventLog } from '../event-log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { HostService } from '../service.ts';
import { collectRoutes, declareApiDocument } from './api-document.ts';
import { declareEventRoute } from './event-route.ts';
import { findAllowedClient } from './identity.ts';
import { InFlight, maxInFlight } from './in-flight.ts';
import { createMethodFinder } from './method-not-allowed.ts';
import { operations } from './operations.ts';
import { classifyFrameworkError, sendProblem } from './problems.ts';
import { RateLimit } from '../../runtime/rate-limit.ts';
import { declareRoutes } from './routes.ts';
import { schemaController } from './shape-compilers.ts';
import { createStrangerLog, reportStrangers } from './stranger-log.ts';

export type AgentServerOptions = {
  readonly service: HostService;
  readonly events: EventLog;
  readonly tls: TlsFiles;
  /** URI names of certificates that may use `/v1`; others signed by the CA get health and metrics only. */
  readonly allowClients: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: AgentMetrics;
};

export interface AgentServer {
  /** Begins to accept; port 0 takes a free one. @throws Error as listen(2) */
  listen(address: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }>;
  /** Accepts nothing new, ends the event streams, and waits for changes in hand. */
  close(): Promise<void>;
}

const bodyLimit = 16 * 1024;
const maxConnections = 256;
/** For the head of a request, and for the whole of it. A slow sender is cut off. */
const headersTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;
/** Longer than clients keep an idle connection, so that theirs is the side that closes it. */
const keepAliveTimeoutMs = 75_000;

const secureOptions = (material: TlsMaterial) => ({
  cert: material.cert,
  key: material.key,
  ca: material.ca,
  ...modernTls,
});

/** Builds the server; nothing listens yet. */
export function createAgentServer(options: AgentServerOptions): AgentServer {
  const { service, tls, clock, logger, metrics } = options;
  const clients = new WeakMap<FastifyRequest, string>();
  const strangers = createStrangerLog(logger, clock);
  const reportRequest = (request: FastifyRequest, reply: FastifyReply): void => {
    const who = { requestId: request.id, client: clients.get(request), remote: request.ip };
    const what = { method: request.method, url: request.url.slice(0, 200), status: reply.statusCode };
    strangers({ ...who, ...what }, 'request refused');
  };
  const app: FastifyInstance = Fastify({
    https: {
      ...secureOptions(tls.current()),
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
      headersTimeout: headersTimeoutMs,
      maxHeaderSize: 16 * 1024,
    },
    logger: false,
    // RFC 9110, section 9.3.2; the route of events knows of it.
    exposeHeadRoutes: true,
    bodyLimit,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    forceCloseConnections: 'idle',
    requestIdHeader: false,
    genReqId: ({ headers }) => {
      const given = headers['x-request-id'];
      return typeof given === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : randomUUID();
    },
    schemaController,
    // Its answers pass no hook.
    frameworkErrors: (error, request, reply) => {
      void sendProblem(reply, classifyFrameworkError(error));
      reportRequest(request, reply);
    },
  });
  const server = app.server as unknown as Server;
  server.maxConnections = maxConnections;

  guardAccess(app, options, clients);
  app.setErrorHandler((error: Error & { readonly statusCode?: number }, request, reply) => {
    const problem = classifyFrameworkError(error);
    if (problem.code === 'internal-error') {
      logger.error({ requestId: request.id, err: error.stack ?? error.message }, 'request failed');
    }
    return sendProblem(reply, problem);
  });
  const answerNowhere = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const methods = methodsOf(pathOf(request));
    if (methods.length === 0) {
      return sendProblem(reply, hostError('no-such-route', 'There is nothing under this address'));
    }
    // RFC 9110, section 15.5.6.
    reply.header('allow', methods.join(', '));
    return sendProblem(reply, hostError('method-not-allowed', `This address takes ${methods.join(' and ')} only`));
  };
  app.setNotFoundHandler(answerNowhere);
  // Before what it brings along is looked at, which would be found fault with first.
  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) answerNowhere(request, reply);
    else done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    if (isMalformed(request, reply.statusCode)) reportRequest(request, reply);
    const labels = { method: request.method, route: request.routeOptions.url ?? 'none', status: reply.statusCode };
    metrics.httpRequests.observe(labels, reply.elapsedTime / 1000);
    done();
  });

  let closing = false;
  app.addHook('onSend', (_request, reply, _payload, done) => {
    // Else a client would keep the connection of the last answer, and the server would wait for it.
    if (closing) reply.header('connection', 'close');
    done();
  });

  const declared = collectRoutes(app);
  const methodsOf = createMethodFinder(declared);
  declareHealth(app, options);
  declareRoutes(app, service, (request) => ({ client: clients.get(request) ?? 'unknown', requestId: request.id }));
  const streams = declareEventRoute(app, service, options.events, clock, metrics);
  declareApiDocument(app, declared);

  metrics.certificateExpiry.set(tls.current().expiresAtMs / 1000);
  const unsubscribe = tls.subscribe((material) => {
    server.setSecureContext(secureOptions(material));
    metrics.certificateExpiry.set(material.expiresAtMs / 1000);
  });
  reportStrangers(server, strangers, metrics);

  return {
    async listen({ host, port }) {
      // Not Fastify's own listen: of 0.0.0.0 it lists the network interfaces to name them in a log line, which needs
      // AF_NETLINK, and the agent's unit forbids that. Its close() closes the server whoever made it listen.
      await app.ready();
      server.listen({ host, port });
      await once(server, 'listening');
      return { port: (server.address() as AddressInfo).port };
    },
    async close() {
      closing = true;
      unsubscribe();
      streams.endAll();
      await app.close();
    },
  };
}

/** Only the clients that the host's admin named get at `/v1`; everything else about the request is looked at later. */
function guardAccess(
  app: FastifyInstance,
  options: AgentServerOptions,
  clients: WeakMap<FastifyRequest, string>,
): void {
  const strangers = new RateLimit();
  const inFlight = new InFlight();
  inFlight.attach(app);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    const path = pathOf(request);
    const isOpen = path === '/healthz' || path === '/readyz' || path === '/metrics';
    const nowMs = options.clock.now();
    const { socket } = request.raw;
    const client = socket instanceof TLSSocket ? findAllowedClient(socket, options.allowClients, nowMs) : null;
    if (client !== null) {
      if (isOpen || inFlight.enter(client, request, reply)) {
        clients.set(request, client);
        done();
      } else {
        sendProblem(reply, hostError('too-many-requests', `This client has ${maxInFlight} requests in hand already`));
      }
    } else if (!strangers.take(request.ip, nowMs)) {
      const why = 'Too many requests come from this address, for a client that --allow-client does not admit';
      sendProblem(reply, hostError('too-many-requests', why));
    } else if (isOpen) {
      done();
    } else {
      options.logger.warn({ requestId: request.id, remote: request.ip }, 'client is not allowed');
      sendProblem(
        reply,
        hostError('client-not-allowed', "The client's certificate has no URI name that --allow-client admits"),
      );
    }
  });
}

/** Whatever query they come with: probes ask for ?verbose, scrapers add parameters. */
function declareHealth(app: FastifyInstance, options: AgentServerOptions): void {
  app.get('/healthz', { schema: operations.getHealth }, (_request, reply) => reply.type('text/plain').send('ok\n'));
  app.get('/readyz', { schema: operations.getReadiness }, (_request, reply) => {
    const readiness = options.service.readiness();
    if (readiness.ready) return reply.type('text/plain').send('ok\n');
    return sendProblem(reply, hostError('hypervisor-unreachable', readiness.problem));
  });
  app.get('/metrics', { schema: operations.getMetrics }, async (_request, reply) => {
    const { registry } = options.metrics;
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? '';

/** Whether a request was refused for how it is written, and not for what it asks for. */
const isMalformed = (request: FastifyRequest, status: number): boolean =>
  status === 400 || status === 405 || status === 413 || (status === 404 && request.routeOptions.url === undefined);
