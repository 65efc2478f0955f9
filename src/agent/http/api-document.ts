/** The OpenAPI 3.1 document of the agent's API, made from the routes as they are declared. */
import type { FastifyInstance } from 'fastify';
import { hostErrorTable } from '../../host/errors.ts';
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
import type { JsonSchema } from '../../memory/shape.ts';
import { describeOperation, problemContent } from './describe-operation.ts';
import { type Operation, operations, operationTags } from './operations.ts';

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

/** No operation ends in it: it is the answer to a method that a path hasn't. */
const methodNotAllowed: JsonSchema = {
  description: `method-not-allowed: ${hostErrorTable['method-not-allowed'].title}`,
  headers: { Allow: { description: 'The methods that the path has', schema: { type: 'string' } } },
  content: problemContent,
};

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
