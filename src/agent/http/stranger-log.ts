/** Whoever speaks badly to the agent, or not at all: a line in its log, and a count. */
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Logger } from '../../runtime/logger.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { Clock } from '../../runtime/clock.ts';

export type StrangerLog = (fields: object, message: string) => void;

/** Strangers end in a log line each, but no flood of strangers in a flood of lines. */
export function createStrangerLog(logger: Logger, clock: Pick<Clock, 'monotonic'>): StrangerLog {
  let lines = 0;
  let second = 0;
  return (fields, message) => {
    const now = Math.floor(clock.monotonic() / 1000);
    if (now !== second) [second, lines] = [now, 0];
    lines += 1;
    if (lines <= 5) logger.warn(fields, message);
  };
}

/** Reports and counts those who don't get as far as a request. */
export function reportStrangers(server: Server, log: StrangerLog, metrics: AgentMetrics): void {
  server.on('tlsClientError', (error: Error & { code?: string }, socket: TLSSocket) => {
    metrics.refusedConnections.inc({ why: 'tls' });
    log({ remote: socket.remoteAddress, err: error.message, code: error.code }, 'TLS handshake failed');
  });
  server.on('drop', (data?: { remoteAddress?: string }) => {
    metrics.refusedConnections.inc({ why: 'too-many' });
    log({ remote: data?.remoteAddress }, 'connection dropped: too many are open');
  });
  // Fastify answers and ends the connection; a client that went away in the middle of its request is no stranger.
  server.on('clientError', (error: Error & { code?: string }, socket: Socket) => {
    if (error.code === 'ECONNRESET') return;
    const isSlow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    metrics.refusedConnections.inc({ why: isSlow ? 'slow' : 'no-http' });
    const why = isSlow ? 'the request took too long' : 'what arrived is no HTTP';
    log({ remote: socket.remoteAddress, err: error.message, code: error.code }, `connection ended: ${why}`);
  });
}
