/** The operations of the agent's API: each as its route takes it, and as the document tells of it. */
import type { HostErrorCode } from '../../host/errors.ts';
import {
  domainObservation,
  domainObservations,
  domainSummaries,
  persistAnswer,
  plugAnswer,
  releaseAnswer,
  unplugAnswer,
} from '../../host/http/api/domain.ts';
import { hostFacts } from '../../host/http/api/host.ts';
import {
  domainParams,
  domainsQuery,
  moduleParams,
  noQuery,
  persistRequest,
  plugRequest,
  releaseQuery,
  unplugQuery,
} from '../../host/http/api/requests.ts';
import type { JsonSchema, Shape } from '../../memory/shape.ts';

export type OperationAnswer = {
  readonly description: string;
  /** Any of which it may be; absent: no JSON. */
  readonly schemas?: readonly JsonSchema[];
  /** Default application/json. */
  readonly mediaType?: string;
  /** Whether it has the revision in `ETag`. */
  readonly tagged?: boolean;
};

/** What the operations of the document are grouped by. */
export const operationTags = {
  Memory: 'The memory of VMs: what it is, and changes of it',
  Host: 'The host as a whole, and what is told of it',
  Probes: 'For whoever watches the agent: open to every client of the CA',
} as const;

export type Operation = {
  readonly operationId: string;
  readonly tag: keyof typeof operationTags;
  readonly summary: string;
  readonly description: string;
  /** What a request must be. */
  readonly params?: Shape<unknown>;
  readonly querystring?: Shape<unknown>;
  readonly body?: Shape<unknown>;
  /** Whether it takes the observed revision in `If-Match`. */
  readonly guarded?: boolean;
  /** Whether it takes the leader that asks in `Dimmer-Leader`. */
  readonly led?: boolean;
  /** Whether it heeds `Prefer: return=representation`. */
  readonly tells?: boolean;
  /** By HTTP status. */
  readonly answers: Readonly<Record<number, OperationAnswer>>;
  /** What it may end in. */
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
const changing = [...ofDomain, 'not-leader', 'old-generation', 'stale-revision', 'revision-required'] as const;

export const operations = {
  getHost: {
    operationId: 'getHost',
    tag: 'Host',
    summary: 'Versions, capacity, free memory and huge pages by node',
    description: 'What a plug is judged by beside the VM itself.',
    querystring: noQuery,
    answers: { 200: { description: 'The host', schemas: [hostFacts.schema] } },
    problems: [...reading, 'hotplug-unsupported', 'not-running', 'not-found'],
  },
  listDomains: {
    operationId: 'listDomains',
    tag: 'Host',
    summary: 'Running and defined VMs that the agent admits',
    description:
      'With view=memory each as the memory of one VM shows it. With uuids those of these that there are, and with ' +
      'view=memory those that can be observed within a moment.',
    querystring: domainsQuery,
    answers: {
      200: {
        description: 'Without a view the summaries, with view=memory the observations',
        schemas: [domainSummaries.schema, domainObservations.schema],
      },
    },
    problems: [...reading, 'hotplug-unsupported', 'not-running', 'not-found'],
  },
  getMemory: {
    operationId: 'getMemory',
    tag: 'Memory',
    summary: 'The memory of one VM as it is now',
    description:
      'The revision in ETag is what a change of it names in If-Match: another run, module or mark makes another one.',
    params: domainParams,
    querystring: noQuery,
    answers: { 200: { description: 'The observation', schemas: [domainObservation.schema], tagged: true } },
    problems: ofDomain,
  },
  plugModule: {
    operationId: 'plugModule',
    tag: 'Memory',
    summary: 'Plug one memory module',
    description:
      'The VM is claimed first, for the resource that is named. Sent again it meets another revision, and plugs nothing twice.',
    params: domainParams,
    querystring: noQuery,
    body: plugRequest,
    guarded: true,
    led: true,
    tells: true,
    answers: {
      201: {
        description: 'Plugged; ETag is what the next change is guarded by',
        schemas: [plugAnswer.schema],
        tagged: true,
      },
      202: { description: 'Not finished yet; it goes on. Observe', schemas: [plugAnswer.schema], tagged: true },
    },
    problems: [...changing, 'body-too-large', 'insufficient-host-memory', 'hugepages-unavailable', 'namespace-limit'],
  },
  unplugModule: {
    operationId: 'unplugModule',
    tag: 'Memory',
    summary: 'Ask the guest to give one memory module up',
    description: 'Accepted is not done: events and observations tell what becomes of it.',
    params: moduleParams,
    querystring: unplugQuery,
    guarded: true,
    led: true,
    tells: true,
    answers: { 202: { description: 'The guest was asked', schemas: [unplugAnswer.schema], tagged: true } },
    problems: [
      ...changing,
      ...(['no-such-module', 'unplug-unsettled', 'guest-memory-in-use', 'guest-memory-unknown', 'guest-late'] as const),
    ],
  },
  persistMemory: {
    operationId: 'persistMemory',
    tag: 'Memory',
    summary: "Make the running VM's modules those of its stored definition",
    description:
      'What the running VM has is written with slot and alias, what has left is taken out; nothing else of the ' +
      'definition is touched. Refused as the observation says (stored.obstacle).',
    params: domainParams,
    querystring: noQuery,
    body: persistRequest,
    guarded: true,
    led: true,
    answers: {
      200: {
        description: 'A start gives what the VM has now',
        schemas: [persistAnswer.schema],
        tagged: true,
      },
    },
    problems: [...changing, 'body-too-large', 'unplug-unsettled'],
  },
  releaseClaim: {
    operationId: 'releaseClaim',
    tag: 'Memory',
    summary: 'Give up the claim on one VM',
    description: 'Only who holds it may. The memory stays as it is, and what was asked to leave stays marked.',
    params: domainParams,
    querystring: releaseQuery,
    guarded: true,
    led: true,
    answers: { 200: { description: 'Nobody acts on the VM', schemas: [releaseAnswer.schema], tagged: true } },
    problems: changing,
  },
  watchEvents: {
    operationId: 'watchEvents',
    tag: 'Host',
    summary: 'What happens to VMs, as server-sent events',
    description:
      'Events are lifecycle, module-added, module-removed, module-refused and statistics, with {"kind", "uuid"} as ' +
      'data; each is a hint to observe. A stream begins with resumed and what followed Last-Event-ID, or with reset ' +
      'where that cannot be told: look at everything once. A comment is sent every 10 s.',
    querystring: noQuery,
    led: true,
    answers: { 200: { description: 'A stream without an end', mediaType: 'text/event-stream' } },
    problems: [...admitted, 'not-leader'],
  },
  getDocument: {
    operationId: 'getDocument',
    tag: 'Host',
    summary: 'This document',
    description: 'As this very agent serves it.',
    querystring: noQuery,
    answers: { 200: { description: 'An OpenAPI 3.1 document', schemas: [] } },
    problems: admitted,
  },
  getHealth: {
    operationId: 'getHealth',
    tag: 'Probes',
    summary: 'Whether the agent is alive',
    description: 'Says nothing of libvirt.',
    answers: { 200: { description: 'It is', mediaType: 'text/plain' } },
    problems: always,
  },
  getReadiness: {
    operationId: 'getReadiness',
    tag: 'Probes',
    summary: 'Whether libvirt can be reached',
    description: '503 while it can not.',
    answers: { 200: { description: 'It can', mediaType: 'text/plain' } },
    problems: [...always, 'hypervisor-unreachable'],
  },
  getMetrics: {
    operationId: 'getMetrics',
    tag: 'Probes',
    summary: 'Metrics for Prometheus',
    description: 'Of the agent itself, of its certificates and of what it was asked for.',
    answers: { 200: { description: 'Metrics in the text format', mediaType: 'text/plain' } },
    problems: always,
  },
} as const satisfies Record<string, Operation>;
