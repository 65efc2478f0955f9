/** The OpenAPI 3.1 document of the agent's API, made from the routes as they are declared. */
import type { FastifyInstance } from 'fastify';
import { type HostErrorCode, hostErrorTable } from '../../host/errors.ts';
import { answerSchemas, type JsonSchema } from './answer-schemas.ts';
import { type DocumentedAnswer, type DocumentedOperation, operations } from './operations.ts';
import { noQuery } from './schemas.ts';

export const documentPath = '/v1/openapi.json';

type ObjectSchema = {
  readonly properties: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
};
/** Request schemas by the part of the request that they are for. */
type RequestSchemas = {
  readonly params?: ObjectSchema;
  readonly querystring?: ObjectSchema;
  readonly body?: JsonSchema;
};
export type DeclaredRoute = { readonly method: string; readonly url: string; readonly schemas: RequestSchemas };

/** Collects every route that is declared on `app` from now on. */
export function collectRoutes(app: FastifyInstance): readonly DeclaredRoute[] {
  const routes: DeclaredRoute[] = [];
  app.addHook('onRoute', ({ method, url, schema }) => {
    for (const each of [method].flat()) routes.push({ method: each, url, schemas: (schema ?? {}) as RequestSchemas });
  });
  return routes;
}

const parametersIn = (where: 'path' | 'query', schema: ObjectSchema | undefined): JsonSchema[] =>
  Object.entries(schema?.properties ?? {}).map(([name, value]) => ({
    name,
    in: where,
    required: where === 'path' || schema?.required?.includes(name) === true,
    schema: value,
  }));

const ifMatch: JsonSchema = {
  name: 'If-Match',
  in: 'header',
  required: true,
  description: 'The revision that the change was planned from, as one strong entity tag',
  schema: { type: 'string', pattern: '^"[\\x21\\x23-\\x7e]{1,128}"$' },
};
const lastEventId: JsonSchema = {
  name: 'Last-Event-ID',
  in: 'header',
  description: 'The id of the last event that was received',
  schema: { type: 'string' },
};

function contentOf({ schemas, mediaType }: DocumentedAnswer): JsonSchema {
  if (schemas === undefined) return { [mediaType ?? 'text/plain']: { schema: { type: 'string' } } };
  const [first, ...others] = schemas.map((name): JsonSchema => ({ $ref: `#/components/schemas/${name}` }));
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
  'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
};
/** No operation ends in it: it is the answer to a method that a path hasn't. */
const methodNotAllowed: JsonSchema = {
  description: `method-not-allowed: ${hostErrorTable['method-not-allowed'].title}`,
  headers: { Allow: { description: 'The methods that the path has', schema: { type: 'string' } } },
  content: problemContent,
};

const describeAnswer = (answer: DocumentedAnswer): JsonSchema => ({
  description: answer.description,
  ...(answer.tagged === true ? { headers: tag } : {}),
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
        content: problemContent,
      },
    ]),
  );
}

function describeOperation({ schemas, url }: DeclaredRoute, operation: DocumentedOperation): JsonSchema {
  const { operationId, summary, description, guarded, answers, problems } = operation;
  const parameters = [
    ...parametersIn('path', schemas.params),
    ...parametersIn('query', schemas.querystring),
    ...(guarded === true ? [ifMatch] : []),
    ...(url === '/v1/events' ? [lastEventId] : []),
  ];
  const good = Object.entries(answers).map(([status, answer]) => [status, describeAnswer(answer)] as const);
  return {
    operationId,
    summary,
    ...(description === undefined ? {} : { description }),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(schemas.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: schemas.body } } } }),
    // Integer keys come first and ascending in every JavaScript object.
    responses: { ...Object.fromEntries(good), ...describeProblems(problems) },
  };
}

/**
 * The document of these routes.
 * @throws Error when one of them isn't documented, or one that is documented isn't declared: a fault of ours
 */
export function buildApiDocument(routes: readonly DeclaredRoute[]): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  const undeclared = new Set(Object.keys(operations));
  // What GET is, HEAD is without a body: the document says so once.
  for (const route of routes.filter(({ method }) => method !== 'HEAD')) {
    const key = `${route.method} ${route.url}`;
    const operation = Object.hasOwn(operations, key) ? operations[key] : undefined;
    if (operation === undefined) throw new Error(`route ${key} is not documented`);
    undeclared.delete(key);
    const path = route.url.replaceAll(/:([A-Za-z]+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: describeOperation(route, operation) };
  }
  if (undeclared.size > 0) throw new Error(`routes are documented but not declared: ${[...undeclared].join(', ')}`);
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
    paths,
    components: {
      schemas: answerSchemas,
      responses: { MethodNotAllowed: methodNotAllowed },
      securitySchemes: { mutualTLS: { type: 'mutualTLS' } },
    },
  };
}

/** Declares the route that serves the document of `routes`, itself included. */
export function declareApiDocument(app: FastifyInstance, routes: readonly DeclaredRoute[]): void {
  let text: string | null = null;
  app.get(documentPath, { schema: { querystring: noQuery } }, (_request, reply) => {
    text ??= JSON.stringify(buildApiDocument(routes));
    return reply.type('application/json').send(text);
  });
}
