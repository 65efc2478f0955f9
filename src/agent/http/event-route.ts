/** `GET /v1/events`: the event log as server-sent events, resumable with `Last-Event-ID`. */
import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { eventsPath, heartbeatMs } from '../../host/http/event-stream.ts';
import { hostError } from '../../host/errors.ts';
import { formatSse } from '../../host/http/sse.ts';
import type { Clock } from '../../runtime/clock.ts';
import { sendEvents } from '../../runtime/event-response.ts';
import type { EventLog, LoggedEvent } from '../event-log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { HostService } from '../service.ts';
import { operations } from './operations.ts';
import { sendProblem } from './problems.ts';
import { leaderOf } from './routes.ts';

/** A controller holds one stream a replica; more than this is a mistake. */
const maxStreams = 32;
/** A reader this far behind is cut off: it resumes, or lists anew. */
const maxBufferedBytes = 1024 * 1024;

const toText = ({ id, event }: LoggedEvent): string =>
  formatSse({ id, event: event.kind, data: JSON.stringify(event) });

export type EventStreams = {
  /** Ends every stream, for shutdown. */
  endAll(): void;
};

const streamHeaders = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' } as const;

/** Declares the route. A stream begins with `resumed` and what was missed, or with `reset`. */
export function declareEventRoute(
  app: FastifyInstance,
  service: Pick<HostService, 'lead'>,
  log: EventLog,
  clock: Clock,
  metrics: AgentMetrics,
): EventStreams {
  const open = new Set<() => void>();

  app.get(eventsPath, { schema: operations.watchEvents }, (request, reply) => {
    // Of HEAD's answer nothing follows the headers, and a stream has no length to tell.
    if (request.method === 'HEAD') {
      reply.hijack();
      reply.raw.writeHead(200, { ...streamHeaders, 'x-request-id': request.id }).end();
      return reply;
    }
    if (open.size >= maxStreams) {
      return sendProblem(reply, hostError('too-many-requests', `There are already ${maxStreams} event streams`));
    }
    const leader = leaderOf(request);
    if (!leader.ok) return sendProblem(reply, leader.error);
    const led = leader.value === undefined ? null : service.lead(leader.value);
    if (led?.ok === false) return sendProblem(reply, led.error);
    const lastId = request.headers['last-event-id'];
    const missed = typeof lastId === 'string' ? log.since(lastId) : null;
    const first = missed === null ? 'reset' : 'resumed';

    reply.hijack();
    const response: ServerResponse = reply.raw;
    response.writeHead(200, { ...streamHeaders, 'x-request-id': request.id });
    const firstId = missed === null || typeof lastId !== 'string' ? log.lastId : lastId;
    response.write(formatSse({ id: firstId, event: first, data: '{}' }));
    for (const entry of missed ?? []) response.write(toText(entry));

    const end = sendEvents(response, {
      ...{ clock, heartbeatMs, maxBufferedBytes },
      subscribe: (send) => log.subscribe((entry) => send(toText(entry))),
      onEnd() {
        open.delete(end);
        metrics.eventStreams.set(open.size);
      },
    });
    open.add(end);
    metrics.eventStreams.set(open.size);
    return reply;
  });

  return {
    endAll() {
      for (const end of open) end();
    },
  };
}
