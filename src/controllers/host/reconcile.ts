/**
 * The status of HypervisorHost: whether its agent answers, its versions and memory. Written on transitions and at most
 * every 5 minutes otherwise: no heartbeats in etcd.
 */
import { boundHostStatus } from '../../api/v1alpha1/bounds.ts';
import { computeConditions, findCondition } from '../../api/v1alpha1/conditions.ts';
import type { HypervisorHost, HypervisorHostStatus } from '../../api/v1alpha1/hypervisor-host.ts';
import type { HostAnswer } from '../../host/errors.ts';
import type { HostFacts } from '../../host/port.ts';
import { computeShare, type NamespaceShares } from '../../host/rules/namespace-limit.ts';
import { type Bytes, zeroBytes } from '../../memory/bytes.ts';
import { formatMeasured, formatQuantity } from '../../memory/quantity.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { EventRecorder, LabelledResource, ResourceSource } from '../../runtime/resources.ts';
import type { Attempt, Reconciled } from '../../runtime/reconcile-queue.ts';
import type { HostDirectory } from '../shared/host-directory.ts';
import type { HostEntry } from '../shared/host-entry.ts';
import type { Shards } from '../shared/shards.ts';
import type { HostReading } from './metrics.ts';
import { computeOwnersCondition, ownersNamedCondition } from './owners.ts';
import {
  computeCordonEvent,
  computeHostConditions,
  computeHostEvent,
  type HostVerdict,
  judgeHost,
  judgeUnserved,
} from './verdict.ts';
import { computeLeftOutEvent } from '../shared/left-out-event.ts';
import { computeRefusedConditions, computeRefusedEvent, explainRefusedStatus } from '../shared/refused-status.ts';
import { keepStatus, type StatusStore } from '../shared/status-store.ts';

/** How often a host is asked, and how often an otherwise unchanged status is written, ms. */
const askEveryMs = 30_000;
const writeEveryMs = 300_000;

export type HostStatusContext = {
  readonly hosts: HostDirectory;
  readonly shards: Shards;
  readonly namespaces: ResourceSource<LabelledResource>;
  readonly clusterId: string;
  readonly statuses: StatusStore<HypervisorHost>;
  readonly events: EventRecorder<HypervisorHost>;
  readonly clock: Clock;
  readonly random: () => number;
  /** What is remembered of each host. */
  readonly known: Map<string, KnownHost>;
};

export type KnownHost = {
  /** When its status was last written, epoch ms. */
  readonly writtenAtMs?: number;
  /** What the last look showed. */
  readonly reading: HostReading;
};

/** The status that an answer makes of a host. Pure. */
function computeHostStatus(
  resource: HypervisorHost,
  verdict: HostVerdict,
  answer: HostAnswer<HostFacts>,
  namespaces: readonly LabelledResource[],
  { clusterId, nowMs }: { readonly clusterId: string; readonly nowMs: number },
): HypervisorHostStatus {
  const { generation } = resource.metadata;
  const previous = resource.status?.conditions ?? [];
  const said = [...computeHostConditions(verdict), computeOwnersCondition(resource, answer, namespaces)];
  const conditions = computeConditions(previous, said, { generation, nowMs });
  const cordoned = resource.spec.cordoned ?? false;
  // What was last known stays while the host doesn't answer.
  if (!answer.ok) return { ...resource.status, observedGeneration: generation, conditions, cordoned };
  const {
    memory,
    nodes,
    hugepagePools: _pools,
    virtualMachinesWithoutOwner: _,
    namespaces: shares,
    ...rest
  } = answer.value;
  return boundHostStatus({
    ...rest,
    observedGeneration: generation,
    conditions,
    cordoned,
    ...(resource.spec.namespaceLimit === undefined || shares === null
      ? {}
      : { namespaces: computeLargest(shares, clusterId) }),
    memory: {
      total: formatMeasured(memory.total),
      available: formatMeasured(memory.available),
      committed: formatMeasured(memory.committed),
    },
    nodes: nodes.map(({ id, total, available, hugepages }) => ({
      id,
      total: formatMeasured(total),
      available: formatMeasured(available),
      hugepages: hugepages.map((pages) => ({
        pageSize: formatQuantity(pages.pageSize),
        total: pages.total,
        free: pages.free,
      })),
    })),
  });
}

/** So many are told of; the schema takes no more. */
const largestTold = 16;

/** What the namespaces of this cluster have of a host, the one with most first. Pure. */
function rankNamespaces(
  shares: NonNullable<NamespaceShares>,
  clusterId: string,
): readonly { readonly namespace: string; readonly committed: Bytes }[] {
  const names = new Set(shares.map(({ namespace }) => namespace));
  return [...names]
    .map((namespace) => ({ namespace, committed: computeShare(shares, { clusterId, namespace }) }))
    .filter(({ committed }) => committed > 0)
    .sort((a, b) => b.committed - a.committed || (a.namespace < b.namespace ? -1 : 1));
}

/** The namespaces that have most of a host. Pure. */
const computeLargest = (
  shares: NonNullable<NamespaceShares>,
  clusterId: string,
): NonNullable<HypervisorHostStatus['namespaces']> =>
  rankNamespaces(shares, clusterId)
    .slice(0, largestTold)
    .map(({ namespace, committed }) => ({ namespace, committed: formatMeasured(committed) }));

/** What the metrics tell of an answer. Pure. */
function readingOf(
  reason: HostReading['reason'],
  isCordoned: boolean,
  limits: HostReading['limits'],
  answer: HostAnswer<HostFacts>,
  clusterId: string,
): HostReading {
  if (!answer.ok) return { reason, isCordoned, limits, facts: null };
  const { memory, virtualMachines, namespaces } = answer.value;
  const largest = namespaces === null ? null : (rankNamespaces(namespaces, clusterId)[0]?.committed ?? zeroBytes);
  return { reason, isCordoned, limits, facts: { memory, virtualMachines, largestNamespace: largest } };
}

/** What is written where the API server refuses a host's status. */
function computeShortHostStatus(
  { status: stored = {} }: HypervisorHost,
  { observedGeneration: generation = 0, conditions, cordoned = false }: HypervisorHostStatus,
  refusal: string,
  nowMs: number,
): HypervisorHostStatus {
  const inputs = computeRefusedConditions(explainRefusedStatus(refusal, conditions));
  const said = computeConditions(stored.conditions ?? [], inputs, { generation, nowMs });
  return { observedGeneration: generation, conditions: said, cordoned };
}

const readyOf = (status: HypervisorHostStatus | undefined): string => {
  const ready = findCondition(status?.conditions, 'Ready');
  const owners = findCondition(status?.conditions, ownersNamedCondition);
  return JSON.stringify([
    ...[ready?.status, ready?.reason, ready?.observedGeneration, status?.agentVersion],
    ...[owners?.status, owners?.reason],
  ]);
};

/** What becomes of the reconcile of a host that another controller is there for; null: this one is. */
function leaveToOther({ name, resource }: HostEntry, { shards, known }: HostStatusContext): Reconciled | null {
  const share = shards.shareOf(resource);
  if (share.kind === 'own' || share.kind === 'unserved') return null;
  known.delete(name);
  return share.kind === 'other' ? { kind: 'done' } : { kind: 'after', ms: share.ms };
}

/** Asks a host and writes its status if that is due. */
export async function reconcileHostStatus(
  name: string,
  context: HostStatusContext,
  { signal, cut, logger }: Attempt,
): Promise<Reconciled> {
  const { hosts, statuses, clock, known } = context;
  const resource = statuses.source.get(name);
  const entry = hosts.get(name);
  if (resource === undefined || entry === undefined) {
    known.delete(name);
    return { kind: 'done' };
  }
  const left = leaveToOther(entry, context);
  if (left !== null) return left;
  const answer = await entry.facts(signal);
  // A look that was given up because the process ends says nothing of the host.
  if (cut() === 'closing') return { kind: 'done' };
  const share = context.shards.shareOf(entry.resource);
  const leftMeanwhile = leaveToOther(entry, context);
  if (leftMeanwhile !== null) return leftMeanwhile;
  const nowMs = clock.now();
  const verdict =
    share.kind === 'unserved'
      ? judgeUnserved(share.unserved)
      : judgeHost(entry.limits.ok ? null : entry.limits.error, answer, name);
  const status = computeHostStatus(resource, verdict, answer, context.namespaces.list(), {
    clusterId: context.clusterId,
    nowMs,
  });
  const { reason } = verdict;
  const isCordoned = resource.spec.cordoned ?? false;
  const remembered: KnownHost = {
    ...known.get(name),
    reading: readingOf(reason, isCordoned, entry.limits.ok ? entry.limits.value : null, answer, context.clusterId),
  };
  known.set(name, remembered);
  const { writtenAtMs } = remembered;
  const isDue = writtenAtMs === undefined || nowMs - writtenAtMs >= writeEveryMs;
  if (isDue || readyOf(resource.status) !== readyOf(status)) {
    const shorten = (refusal: string) => computeShortHostStatus(resource, status, refusal, clock.now());
    const written = await keepStatus(statuses, resource, status, shorten);
    switch (written.outcome) {
      case 'conflict':
        return { kind: 'after', ms: 50, reason };
      case 'failed':
        logger.warn({ err: written.message }, 'host status could not be written');
        return { kind: 'retry', message: written.message, reason };
      case 'refused': {
        const { message, short } = written;
        logger.warn({ err: message, short: short.outcome }, 'host status was refused');
        if (short.outcome === 'conflict') return { kind: 'after', ms: 50, reason };
        const event = computeRefusedEvent(message, resource.status?.conditions);
        if (event !== null) context.events.record(resource, event);
        break;
      }
      case 'gone':
        break;
      case 'written':
      case 'unchanged': {
        const events = [
          computeHostEvent(resource.status ?? {}, verdict),
          computeCordonEvent(resource.status?.cordoned, isCordoned),
          ...written.leftOut.map(computeLeftOutEvent),
        ];
        for (const event of events) if (event !== null) context.events.record(resource, event);
        known.set(name, { ...remembered, writtenAtMs: nowMs });
        break;
      }
      default:
        return written satisfies never;
    }
  }
  return { kind: 'after', ms: Math.round(askEveryMs * (1 - context.random() / 4)), reason };
}
