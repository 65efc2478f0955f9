/**
 * The status of HypervisorHost: whether its agent answers, its versions and memory. Written on transitions and at most
 * every 5 minutes otherwise: no heartbeats in etcd.
 */
import { computeConditions, findCondition } from '../api/v1alpha1/conditions.ts';
import type { HypervisorHost, HypervisorHostStatus } from '../api/v1alpha1/hypervisor-host.ts';
import type { HostAnswer } from '../host/errors.ts';
import type { HostFacts } from '../host/port.ts';
import { formatMeasured, formatQuantity } from '../memory/quantity.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { EventRecorder } from '../runtime/resources.ts';
import type { WorkResult } from '../runtime/work-queue.ts';
import type { HostDirectory } from './host-directory.ts';
import { explainHostError } from './host-problem.ts';
import { computeLeftOutEvent } from './recorded-event.ts';
import { keepStatus, type StatusStore } from './status-store.ts';

/** How often a host is asked, and how often an otherwise unchanged status is written, ms. */
const askEveryMs = 30_000;
const writeEveryMs = 300_000;

export type HostStatusContext = {
  readonly hosts: HostDirectory;
  readonly statuses: StatusStore<HypervisorHost>;
  readonly events: EventRecorder<HypervisorHost>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  /** When each host's status was last written, epoch ms. */
  readonly writtenAtMs: Map<string, number>;
};

/** The status that an answer makes of a host. Pure. */
export function computeHostStatus(
  resource: HypervisorHost,
  limitsProblem: string | null,
  answer: HostAnswer<HostFacts>,
  nowMs: number,
): HypervisorHostStatus {
  const { generation } = resource.metadata;
  const said = explainReady(limitsProblem, answer, resource.metadata.name);
  const conditions = computeConditions(resource.status?.conditions ?? [], [{ type: 'Ready', ...said }], {
    generation,
    nowMs,
  });
  // What was last known stays while the host doesn't answer.
  if (!answer.ok) return { ...resource.status, observedGeneration: generation, conditions };
  const { memory, nodes, ...rest } = answer.value;
  return {
    ...rest,
    observedGeneration: generation,
    conditions,
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
  };
}

function explainReady(
  limitsProblem: string | null,
  answer: HostAnswer<HostFacts>,
  name: string,
): { readonly status: 'True' | 'False'; readonly reason: string; readonly message: string } {
  if (limitsProblem !== null) return { status: 'False', reason: 'InvalidSpec', message: limitsProblem };
  if (answer.ok)
    return { status: 'True', reason: 'AgentAnswers', message: `agent ${answer.value.agentVersion} answers` };
  const { reason, message } = explainHostError(answer.error, name);
  return { status: 'False', reason, message };
}

const readyOf = (status: HypervisorHostStatus | undefined): string => {
  const ready = findCondition(status?.conditions, 'Ready');
  return JSON.stringify([ready?.status, ready?.reason, ready?.observedGeneration, status?.agentVersion]);
};

/** Asks a host and writes its status if that is due. */
export async function reconcileHostStatus(name: string, context: HostStatusContext): Promise<WorkResult> {
  const { hosts, statuses, clock, logger, writtenAtMs } = context;
  const resource = statuses.source.get(name);
  const entry = hosts.get(name);
  if (resource === undefined || entry === undefined) {
    writtenAtMs.delete(name);
    return { kind: 'done' };
  }
  const answer = await entry.facts();
  const nowMs = clock.now();
  const status = computeHostStatus(resource, entry.limits.ok ? null : entry.limits.problem, answer, nowMs);
  const lastMs = writtenAtMs.get(name);
  const isDue = lastMs === undefined || nowMs - lastMs >= writeEveryMs;
  if (isDue || readyOf(resource.status) !== readyOf(status)) {
    const written = await keepStatus(statuses, resource, status);
    if (written.outcome === 'written' || written.outcome === 'unchanged') {
      writtenAtMs.set(name, nowMs);
      for (const condition of written.leftOut) context.events.record(resource, computeLeftOutEvent(condition));
    }
    if (written.outcome === 'conflict') return { kind: 'after', ms: 50 };
    if (written.outcome === 'failed') {
      logger.warn({ host: name, cause: written.message }, 'host status could not be written');
      return { kind: 'retry', message: written.message };
    }
  }
  return { kind: 'after', ms: Math.round(askEveryMs * (1 - context.random() / 4)) };
}
