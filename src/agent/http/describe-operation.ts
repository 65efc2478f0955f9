/** One operation of the agent's API as its OpenAPI document says it: what it takes, and what it answers. */
import { type HostErrorCode, hostErrorTable } from '../../host/errors.ts';
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
import { type Operation, type OperationAnswer, operations } from './operations.ts';

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
/** What every problem is answered with. */
export const problemContent: JsonSchema = {
  'application/problem+json': { schema: problem.schema },
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

/** An operation as the document has it. */
export function describeOperation(operation: Operation): JsonSchema {
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
