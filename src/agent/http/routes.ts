/** The routes of `/v1`: each translates a request into one call of the service, and its answer into JSON. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { fail, type HostAnswer, hostError, succeed } from '../../host/errors.ts';
import type { DomainObservation, PlugRequest, UnplugRequest } from '../../host/port.ts';
import type { Bytes } from '../../memory/bytes.ts';
import type { Actor, HostService } from '../service.ts';
import { sendProblem } from './problems.ts';
import { domainParams, domainsQuery, moduleParams, noQuery, plugBody, unplugQuery } from './schemas.ts';

type DomainParams = { readonly uuid: string };
type ModuleParams = DomainParams & { readonly slot: string };
type UnplugQuery = {
  readonly clusterId: string;
  readonly objectUid: string;
  readonly replacesUid?: string;
  readonly namespace: string;
  readonly generation: string;
  readonly minUsableAfter?: string;
};

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

function unplugRequestOf(params: ModuleParams, query: UnplugQuery): HostAnswer<UnplugRequest> {
  const generation = Number(query.generation);
  const minUsableAfter = Number(query.minUsableAfter ?? 0);
  if (!Number.isSafeInteger(generation) || !Number.isSafeInteger(minUsableAfter)) {
    return fail(hostError('bad-request', 'Numbers above 2^53-1 are not accepted'));
  }
  return succeed({
    clusterId: query.clusterId,
    objectUid: query.objectUid,
    ...(query.replacesUid === undefined ? {} : { replacesUid: query.replacesUid }),
    namespace: query.namespace,
    generation,
    slot: Number(params.slot),
    ...(query.minUsableAfter === undefined ? {} : { minUsableAfter: minUsableAfter as Bytes }),
  });
}

const send = <T>(reply: FastifyReply, answer: HostAnswer<T>, status: (value: T) => number): FastifyReply =>
  answer.ok ? reply.code(status(answer.value)).send(answer.value) : sendProblem(reply, answer.error);

const tagged = (reply: FastifyReply, answer: HostAnswer<{ readonly revision: string }>): void => {
  if (answer.ok) reply.header('etag', `"${answer.value.revision}"`);
};

/** Declares the routes on `app`; `actorOf` tells on whose behalf a request is made. */
export function declareRoutes(
  app: FastifyInstance,
  service: HostService,
  actorOf: (request: FastifyRequest) => Actor,
): void {
  app.get('/v1/host', { schema: { querystring: noQuery } }, async (_request, reply) =>
    send(reply, await service.facts(), () => 200),
  );

  app.get<{ Querystring: { view?: 'memory' } }>(
    '/v1/domains',
    { schema: { querystring: domainsQuery } },
    async (request, reply) => {
      const list: HostAnswer<readonly unknown[]> =
        request.query.view === 'memory' ? await service.observeAll() : await service.listDomains();
      return send(reply, list.ok ? succeed({ domains: list.value }) : list, () => 200);
    },
  );

  app.get<{ Params: DomainParams }>(
    '/v1/domains/:uuid/memory',
    { schema: { params: domainParams, querystring: noQuery } },
    async (request, reply) => {
      const answer: HostAnswer<DomainObservation> = await service.observe(request.params.uuid);
      tagged(reply, answer);
      return send(reply, answer, () => 200);
    },
  );

  app.post<{ Params: DomainParams; Body: PlugRequest }>(
    '/v1/domains/:uuid/memory/modules',
    { schema: { params: domainParams, querystring: noQuery, body: plugBody } },
    async (request, reply) => {
      const revision = revisionOf(request);
      if (!revision.ok) return sendProblem(reply, revision.error);
      const { uuid } = request.params;
      const answer = await service.plug(uuid, revision.value, request.body, actorOf(request));
      tagged(reply, answer);
      if (answer.ok) reply.header('location', `/v1/domains/${uuid}/memory/modules/${request.body.slot}`);
      return send(reply, answer, ({ done }) => (done ? 201 : 202));
    },
  );

  app.delete<{ Params: ModuleParams; Querystring: UnplugQuery }>(
    '/v1/domains/:uuid/memory/modules/:slot',
    { schema: { params: moduleParams, querystring: unplugQuery } },
    async (request, reply) => {
      const revision = revisionOf(request);
      if (!revision.ok) return sendProblem(reply, revision.error);
      const wanted = unplugRequestOf(request.params, request.query);
      if (!wanted.ok) return sendProblem(reply, wanted.error);
      const answer = await service.unplug(request.params.uuid, revision.value, wanted.value, actorOf(request));
      tagged(reply, answer);
      return send(reply, answer, () => 202);
    },
  );
}
