/** The routes of `/v1`: each translates a request into one call of the service, and its answer into JSON. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type HostAnswer, hostError } from '../../host/errors.ts';
import { fail, succeed } from '../../memory/result.ts';
import {
  hostVersionHeader,
  leaderHeader,
  preferenceAppliedHeader,
  preferHeader,
  prefersRepresentation,
  readVersion,
  returnRepresentation,
} from '../../host/http/api/headers.ts';
import type {
  domainParams,
  domainsQuery,
  moduleParams,
  persistRequest,
  plugRequest,
  releaseQuery,
  unplugQuery,
} from '../../host/http/api/requests.ts';
import type { DomainObservation } from '../../host/port.ts';
import { type Leader, parseLeader } from '../../memory/leader.ts';
import type { Of } from '../../memory/shape.ts';
import type { Actor, HostService } from '../service.ts';
import { sendProblem } from './problems.ts';
import { operations } from './operations.ts';

/** The revision in `If-Match`. Only one strong entity tag will do: `*` would switch the guard off. */
function revisionOf(request: FastifyRequest): HostAnswer<string> {
  const header = request.headers['if-match'];
  if (header === undefined) {
    return fail(hostError('revision-required', 'Changes need If-Match with the revision that was observed'));
  }
  const match = /^"([\x21\x23-\x7e]{1,128})"$/.exec(header);
  return match?.[1] === undefined
    ? fail(hostError('bad-request', 'If-Match must be one strong entity tag'))
    : succeed(match[1]);
}

/** Which leader asks; undefined: a controller that takes part in no election. */
export function leaderOf(request: FastifyRequest): HostAnswer<Leader | undefined> {
  const header = request.headers[leaderHeader];
  if (header === undefined) return succeed(undefined);
  const leader = typeof header === 'string' ? parseLeader(header) : null;
  if (leader === null) return fail(hostError('bad-request', 'Dimmer-Leader must be ELECTION#EPOCH'));
  if (request.headers[hostVersionHeader] === undefined) return succeed(leader);
  const hostVersion = readVersion(request.headers[hostVersionHeader]);
  return hostVersion === undefined
    ? fail(hostError('bad-request', 'Dimmer-Host-Version must be a number'))
    : succeed({ ...leader, hostVersion });
}

/** What a change is guarded by: the revision that was observed, and who leads. */
function guardsOf(request: FastifyRequest): HostAnswer<{ revision: string; led: { leader?: Leader } }> {
  const revision = revisionOf(request);
  if (!revision.ok) return revision;
  const leader = leaderOf(request);
  if (!leader.ok) return leader;
  const { value } = leader;
  return succeed({ revision: revision.value, led: value === undefined ? {} : { leader: value } });
}

const send = <T>(reply: FastifyReply, answer: HostAnswer<T>, status: (value: T) => number): FastifyReply =>
  answer.ok ? reply.code(status(answer.value)).send(answer.value) : sendProblem(reply, answer.error);

const tagged = (reply: FastifyReply, answer: HostAnswer<{ readonly revision: string }>): void => {
  if (answer.ok) reply.header('etag', `"${answer.value.revision}"`);
};

/** What a change has led to is told to whoever prefers that (RFC 7240): older clients have no use for it. */
function sendChange<T extends { readonly revision: string; readonly observation?: DomainObservation }>(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: HostAnswer<T>,
  status: (value: T) => number,
): FastifyReply {
  tagged(reply, answer);
  if (!answer.ok || answer.value.observation === undefined) return send(reply, answer, status);
  if (!prefersRepresentation(request.headers[preferHeader])) {
    const { observation: _, ...change } = answer.value;
    return reply.code(status(answer.value)).send(change);
  }
  reply.header(preferenceAppliedHeader, returnRepresentation);
  return send(reply, answer, status);
}

async function listFor(
  service: HostService,
  { view, uuids }: Of<typeof domainsQuery>,
): Promise<HostAnswer<readonly unknown[]>> {
  if (view === 'memory') return uuids === undefined ? service.observeAll() : succeed(await service.observeSome(uuids));
  const list = await service.listDomains();
  if (!list.ok || uuids === undefined) return list;
  return succeed(list.value.filter(({ uuid }) => uuids.includes(uuid)));
}

/** Declares the routes on `app`; `actorOf` tells on whose behalf a request is made. */
export function declareRoutes(
  app: FastifyInstance,
  service: HostService,
  actorOf: (request: FastifyRequest) => Actor,
): void {
  app.get('/v1/host', { schema: operations.getHost }, async (_request, reply) =>
    send(reply, await service.facts(), () => 200),
  );

  app.get<{ Querystring: Of<typeof domainsQuery> }>(
    '/v1/domains',
    { schema: operations.listDomains },
    async (request, reply) => {
      const list = await listFor(service, request.query);
      return send(reply, list.ok ? succeed({ domains: list.value }) : list, () => 200);
    },
  );

  app.get<{ Params: Of<typeof domainParams> }>(
    '/v1/domains/:uuid/memory',
    { schema: operations.getMemory },
    async (request, reply) => {
      const answer: HostAnswer<DomainObservation> = await service.observe(request.params.uuid);
      tagged(reply, answer);
      return send(reply, answer, () => 200);
    },
  );

  app.post<{ Params: Of<typeof domainParams>; Body: Of<typeof plugRequest> }>(
    '/v1/domains/:uuid/memory/modules',
    { schema: operations.plugModule },
    async (request, reply) => {
      const guards = guardsOf(request);
      if (!guards.ok) return sendProblem(reply, guards.error);
      const { revision, led } = guards.value;
      const { uuid } = request.params;
      const answer = await service.plug(uuid, revision, { ...request.body, ...led }, actorOf(request));
      if (answer.ok) reply.header('location', `/v1/domains/${uuid}/memory/modules/${request.body.slot}`);
      return sendChange(request, reply, answer, ({ done }) => (done ? 201 : 202));
    },
  );

  app.delete<{ Params: Of<typeof moduleParams>; Querystring: Of<typeof unplugQuery> }>(
    '/v1/domains/:uuid/memory/modules/:slot',
    { schema: operations.unplugModule },
    async (request, reply) => {
      const guards = guardsOf(request);
      if (!guards.ok) return sendProblem(reply, guards.error);
      const { revision, led } = guards.value;
      const { uuid, slot } = request.params;
      const answer = await service.unplug(uuid, revision, { ...request.query, ...led, slot }, actorOf(request));
      return sendChange(request, reply, answer, () => 202);
    },
  );

  app.put<{ Params: Of<typeof domainParams>; Body: Of<typeof persistRequest> }>(
    '/v1/domains/:uuid/memory/stored',
    { schema: operations.persistMemory },
    async (request, reply) => {
      const guards = guardsOf(request);
      if (!guards.ok) return sendProblem(reply, guards.error);
      const { revision, led } = guards.value;
      const answer = await service.persist(
        request.params.uuid,
        revision,
        { ...request.body, ...led },
        actorOf(request),
      );
      tagged(reply, answer);
      return send(reply, answer, () => 200);
    },
  );

  app.delete<{ Params: Of<typeof domainParams>; Querystring: Of<typeof releaseQuery> }>(
    '/v1/domains/:uuid/memory/claim',
    { schema: operations.releaseClaim },
    async (request, reply) => {
      const guards = guardsOf(request);
      if (!guards.ok) return sendProblem(reply, guards.error);
      const { revision, led } = guards.value;
      const { uuid } = request.params;
      const answer = await service.releaseClaim(uuid, revision, { ...request.query, ...led }, actorOf(request));
      tagged(reply, answer);
      return send(reply, answer, () => 200);
    },
  );
}
