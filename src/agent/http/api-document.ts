/** The OpenAPI 3.1 document of the agent's API, made from the routes as they are declared. */
import type { FastifyInstance } from 'fastify';
import { type HostErrorCode, hostErrorTable } from '../../host/errors.ts';
import {
  domainObservation,
  domainObservations,
  domainSummaries,
  plugAnswer,
  releaseAnswer,
  unplugAnswer,
} from '../../host/http/api/domain.ts';
import { hostFacts } from '../../host/http/api/host.ts';
import { memoryLayout, observedModule } from '../../host/http/api/layout.ts';
import { problem } from '../../host/http/api/problem.ts';
import {
  hostVersionHeader,
  leaderHeader,
  newestEpochHeader,
  preferenceAppliedHeader,
  preferHeader,
  returnRepresentation,
  versionPattern,
} from '../../host/http/api/headers.ts';
import { leaderPattern } from '../../memory/leader.ts';
import type { JsonSchema, Shape } from '../../memory/shape.ts';
import { type Operation, type OperationAnswer, operations, operationTags } from './operations.ts';

export const documentPath = '/v1/openapi.json';

export type DeclaredRoute = { readonly method: string; readonly url: string; readonly schema: unknown };

/** Collects every route that is declared on `app` from now on. */
export function collectRoutes(app: FastifyInstance): readonly DeclaredRoute[] {
  const routes: DeclaredRoute[] = [];
  app.addHook('onRoute', ({ method, url, schema }) => {
    for (const each of [method].flat()) routes.push({ method: each, url, schema });
  });
  return routes;
}

/** Schemas that have a name in the document; wherever else they stand, there is only a reference. */
const components: Readonly<Record<string, JsonSchema>> = {
  Host: hostFacts.schema,
  DomainSummaries: domainSummaries.schema,
  Observations: domainObservations.schema,
  Observation: domainObservation.schema,
  Layout: memoryLayout.schema,
  Module: observedModule.schema,
  PlugAnswer: plugAnswer.schema,
  UnplugAnswer: unplugAnswer.schema,
  ReleaseAnswer: releaseAnswer.schema,
  Problem: problem.schema,
};
const names = new Map(Object.entries(components).map(([name, schema]) => [schema, name]));

/** `value` with references in place of the components inside it. */
function withReferences(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(referTo);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, referTo(member)]));
}
function referTo(value: unknown): unknown {
  const name = names.get(value as JsonSchema);
  return name === undefined ? withReferences(value) : { $ref: `#/components/schemas/${name}` };
}

const parametersIn = (where: 'path' | 'query', shape: Shape<unknown> | undefined): JsonSchema[] => {
  const { properties = {}, required = [] } = (shape?.schema ?? {}) as { properties?: JsonSchema; required?: string[] };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: where,
    required: required.includes(name),
    schema,
  }));
};

const ifMatch: JsonSchema = {
  name: 'If-Match',
  in: 'header',
  required: true,
  description: 'The revision that the change was planned from, as one strong entity tag',
  schema: { type: 'string', pattern: '^"[\\x21\\x23-\\x7e]{1,128}"$' },
};
const leader: JsonSchema = {
  name: leaderHeader,
  in: 'header',
  description:
    'Of a controller that was elected: what is elected for, and an epoch that grows with each leader. Once a larger one is ' +
    'known of the same election, smaller ones are refused',
  schema: { type: 'string', pattern: leaderPattern },
};
const hostVersion: JsonSchema = {
  name: hostVersionHeader,
  in: 'header',
  description:
    "Beside dimmer-leader, of a controller that shares the hosts with others: the version of the host's resource by which " +
    'the host is its own. Once a larger one is known of another election of the same cluster, smaller ones are refused',
  schema: { type: 'string', pattern: versionPattern },
};
const prefer: JsonSchema = {
  name: preferHeader,
  in: 'header',
  description: `RFC 7240. With ${returnRepresentation} the answer holds the observation after the change, where there is one`,
  schema: { type: 'string' },
};
const newestEpoch: JsonSchema = {
  [newestEpochHeader]: {
    description: 'Of not-leader: the largest epoch that is known of the same election',
    required: false,
    schema: { type: 'string', pattern: versionPattern },
  },
};
const lastEventId: JsonSchema = {
  name: 'Last-Event-ID',
  in: 'header',
  description: 'The id of the last event that was received',
  schema: { type: 'string' },
};

function contentOf({ schemas, mediaType }: OperationAnswer): JsonSchema {
  if (schemas === undefined) return { [mediaType ?? 'text/plain']: { schema: { type: 'string' } } };
  const [first, ...others] = schemas;
  const schema = first === undefined ? { type: 'object' } : others.length === 0 ? first : { anyOf: [first, ...others] };
  return { [mediaType ?? 'application/json']: { schema } };
}

const tag: JsonSchema = {
  ETag: { description: 'The revision of the memory', schema: { type: 'string', pattern: '^".+"$' } },
};
const retryAfter: JsonSchema = {
  'Retry-After': {
    description: 'Seconds until it is worth asking again',
    schema: { type: 'string', pattern: '^[0-9]+$' },
  },
};
const problemContent: JsonSchema = {
  'application/problem+json': { schema: problem.schema },
};
/** No operation ends in it: it is the answer to a method that a path hasn't. */
const methodNotAllowed: JsonSchema = {
  description: `method-not-allowed: ${hostErrorTable['method-not-allowed'].title}`,
  headers: { Allow: { description: 'The methods that the path has', schema: { type: 'string' } } },
  content: problemContent,
};

const applied: JsonSchema = {
  [preferenceAppliedHeader]: {
    description: 'RFC 7240. The answer holds the observation that was preferred',
    required: false,
    schema: { type: 'string', pattern: `^${returnRepresentation}$` },
  },
};

const describeAnswer = (answer: OperationAnswer, tells: boolean): JsonSchema => ({
  description: answer.description,
  ...(answer.tagged === true ? { headers: { ...tag, ...(tells ? applied : {}) } } : {}),
  content: contentOf(answer),
});

/** Problems by their status; the codes of each in its description. */
function describeProblems(codes: readonly HostErrorCode[]): Record<string, JsonSchema> {
  const byStatus = Map.groupBy(codes, (code) => hostErrorTable[code].status ?? 500);
  return Object.fromEntries(
    [...byStatus].map(([status, some]) => [
      String(status),
      {
        description: some.map((code) => `${code}: ${hostErrorTable[code].title}`).join('; '),
        ...(some.includes('too-many-requests') ? { headers: retryAfter } : {}),
        ...(some.includes('not-leader') ? { headers: newestEpoch } : {}),
        content: problemContent,
      },
    ]),
  );
}

function describeOperation(operation: Operation): JsonSchema {
  const {
    operationId,
    tag: group,
    summary,
    description,
    params,
    querystring,
    body,
    guarded,
    led,
    tells,
    answers,
    problems,
  } = operation;
  const parameters = [
    ...parametersIn('path', params),
    ...parametersIn('query', querystring),
    ...(guarded === true ? [ifMatch] : []),
    ...(led === true ? [leader, hostVersion] : []),
    ...(tells === true ? [prefer] : []),
    ...(operation === operations.watchEvents ? [lastEventId] : []),
  ];
  const good = Object.entries(answers).map(
    ([status, answer]) => [status, describeAnswer(answer, tells === true)] as const,
  );
  return {
    ...{ operationId, tags: [group], summary, description },
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: body.schema } } } }),
    // Integer keys come first and ascending in every JavaScript object.
    responses: { ...Object.fromEntries(good), ...describeProblems(problems) },
  };
}

/**
 * The document of these routes.
 * @throws Error when one of them has no operation, or an operation no route: a fault of ours
 */
export function buildApiDocument(routes: readonly DeclaredRoute[]): unknown {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  const undeclared = new Set<Operation>(Object.values(operations));
  // What GET is, HEAD is without a body: the document says so once.
  for (const { method, url, schema } of routes.filter((route) => route.method !== 'HEAD')) {
    const operation = Object.values<Operation>(operations).find((one) => one === schema);
    if (operation === undefined) throw new Error(`route ${method} ${url} is not documented`);
    undeclared.delete(operation);
    const path = url.replaceAll(/:([A-Za-z]+)/g, '{$1}');
    paths[path] = { ...paths[path], [method.toLowerCase()]: describeOperation(operation) };
  }
  const left = [...undeclared].map(({ operationId }) => operationId);
  if (left.length > 0) throw new Error(`operations are documented but not declared: ${left.join(', ')}`);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Dimmer host agent',
      version: 'v1',
      description:
        'Observes, plugs and unplugs memory modules of the virtual machines of one hypervisor host. Sizes are whole ' +
        'numbers of bytes. Clients show a certificate with a URI name that the host admits; only the paths outside ' +
        '/v1 are open to every client of the CA. HEAD is answered as GET is, without the body. A method that a path has ' +
        'not is answered as MethodNotAllowed describes.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'https://{host}:9443', variables: { host: { default: 'localhost' } } }],
    security: [{ mutualTLS: [] }],
    tags: Object.entries(operationTags).map(([name, about]) => ({ name, description: about })),
    paths: withReferences(paths),
    components: {
      schemas: Object.fromEntries(Object.entries(components).map(([name, schema]) => [name, withReferences(schema)])),
      responses: withReferences({ MethodNotAllowed: methodNotAllowed }),
      securitySchemes: { mutualTLS: { type: 'mutualTLS' } },
    },
  };
}

/** Declares the route that serves the document of `routes`, itself included. */
export function declareApiDocument(app: FastifyInstance, routes: readonly DeclaredRoute[]): void {
  let text: string | null = null;
  app.get(documentPath, { schema: operations.getDocument }, (_request, reply) => {
    text ??= JSON.stringify(buildApiDocument(routes));
    return reply.type('application/json').send(text);
  });
}
