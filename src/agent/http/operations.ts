/** What the API's document says of each route beyond its request schemas: answers, and the problems it may end in. */
import type { HostErrorCode } from '../../host/errors.ts';

export type DocumentedAnswer = {
  readonly description: string;
  /** Names of components, any of which it may be; absent: no JSON. */
  readonly schemas?: readonly string[];
  /** Default application/json. */
  readonly mediaType?: string;
  /** Whether it has the revision in `ETag`. */
  readonly tagged?: boolean;
};

export type DocumentedOperation = {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  /** Whether it takes the observed revision in `If-Match`. */
  readonly guarded?: boolean;
  /** By HTTP status. */
  readonly answers: Readonly<Record<number, DocumentedAnswer>>;
  readonly problems: readonly HostErrorCode[];
};

/** Any route may end in these. */
const always = ['bad-request', 'internal-error', 'too-many-requests'] as const;
/** Any route of `/v1` may end in these. */
const admitted = [...always, 'client-not-allowed'] as const;
/** What reading from libvirt may end in. */
const reading = [
  ...admitted,
  'hypervisor-unreachable',
  'outcome-unknown',
  'rejected',
  'hypervisor-failed',
  'busy',
] as const;
const ofDomain = [...reading, 'not-found', 'not-running', 'claimed-by-other', 'hotplug-unsupported'] as const;
const changing = [...ofDomain, 'old-generation', 'stale-revision', 'revision-required'] as const;

/** By method and path as they are declared. */
export const operations: Readonly<Record<string, DocumentedOperation>> = {
  'GET /v1/host': {
    operationId: 'getHost',
    summary: 'Versions, capacity, free memory and huge pages by node',
    answers: { 200: { description: 'The host', schemas: ['Host'] } },
    problems: [...reading, 'hotplug-unsupported', 'not-running', 'not-found'],
  },
  'GET /v1/domains': {
    operationId: 'listDomains',
    summary: 'Running and defined VMs that the agent admits',
    description: 'With view=memory each as the memory of one VM shows it.',
    answers: {
      200: {
        description: 'Without a view the summaries, with view=memory the observations',
        schemas: ['DomainSummaries', 'Observations'],
      },
    },
    problems: [...reading, 'hotplug-unsupported', 'not-running', 'not-found'],
  },
  'GET /v1/domains/:uuid/memory': {
    operationId: 'getMemory',
    summary: 'The memory of one VM as it is now',
    answers: { 200: { description: 'The observation', schemas: ['Observation'], tagged: true } },
    problems: ofDomain,
  },
  'POST /v1/domains/:uuid/memory/modules': {
    operationId: 'plugModule',
    summary: 'Plug one memory module',
    guarded: true,
    answers: {
      201: {
        description: 'Plugged; ETag is what the next change is guarded by',
        schemas: ['PlugAnswer'],
        tagged: true,
      },
      202: { description: 'Not finished yet; it goes on. Observe', schemas: ['PlugAnswer'], tagged: true },
    },
    problems: [...changing, 'body-too-large', 'insufficient-host-memory', 'hugepages-unavailable'],
  },
  'DELETE /v1/domains/:uuid/memory/modules/:slot': {
    operationId: 'unplugModule',
    summary: 'Ask the guest to give one memory module up',
    description: 'Accepted is not done: events and observations tell what becomes of it.',
    guarded: true,
    answers: { 202: { description: 'The guest was asked', schemas: ['UnplugAnswer'], tagged: true } },
    problems: [
      ...changing,
      ...(['no-such-module', 'unplug-unsettled', 'guest-memory-in-use', 'guest-memory-unknown', 'guest-late'] as const),
    ],
  },
  'GET /v1/events': {
    operationId: 'watchEvents',
    summary: 'What happens to VMs, as server-sent events',
    description:
      'Events are lifecycle, module-added, module-removed, module-refused and statistics, with {"kind", "uuid"} as ' +
      'data; each is a hint to observe. A stream begins with resumed and what followed Last-Event-ID, or with reset ' +
      'where that cannot be told: look at everything once. A comment is sent every 10 s.',
    answers: { 200: { description: 'A stream without an end', mediaType: 'text/event-stream' } },
    problems: admitted,
  },
  'GET /v1/openapi.json': {
    operationId: 'getDocument',
    summary: 'This document',
    answers: { 200: { description: 'An OpenAPI 3.1 document', schemas: [] } },
    problems: admitted,
  },
  'GET /healthz': {
    operationId: 'getHealth',
    summary: 'Whether the agent is alive',
    answers: { 200: { description: 'It is', mediaType: 'text/plain' } },
    problems: always,
  },
  'GET /readyz': {
    operationId: 'getReadiness',
    summary: 'Whether libvirt can be reached',
    answers: { 200: { description: 'It can', mediaType: 'text/plain' } },
    problems: [...always, 'hypervisor-unreachable'],
  },
  'GET /metrics': {
    operationId: 'getMetrics',
    summary: 'Metrics for Prometheus',
    answers: { 200: { description: 'Metrics in the text format', mediaType: 'text/plain' } },
    problems: always,
  },
};
