/** One reconcile: a key comes in, the VM is brought one wish further, its status says what is true. */
import { pausedAnnotation, reconcileRequestedAtAnnotation } from '../api/v1alpha1/meta.ts';
import { parseSpec, type DesiredMemory } from '../api/v1alpha1/spec.ts';
import type { VirtualMachineMemory, VirtualMachineMemoryStatus } from '../api/v1alpha1/virtual-machine-memory.ts';
import { type EventRecorder, keyOf, type ResourceKey } from '../runtime/resources.ts';
import type { WorkResult } from '../runtime/work-queue.ts';
import { type Driven, drive, type DriveContext, type Judged } from './drive.ts';
import { isBusy, type Postponed } from './postponed.ts';
import { computeLeftOutEvent, computeRecordedEvent } from './recorded-event.ts';
import { completeResize, computeResize } from './resize.ts';
import { computeStatus } from './status.ts';
import { keepStatus, type StatusStore } from './status-store.ts';
import type { Problem, Verdict } from './types.ts';
import { isWorthReconciling } from './triggers.ts';
import { computeVerdict, isConverged, judgeProblem } from './verdict.ts';

/** Settled resources are looked at again this often, whatever happens; less up to a quarter by chance. */
const resyncMs = 600_000;
/** A busy host or VM costs seconds, never minutes, however often it has been busy before. */
const busyMaxMs = 5_000;
/** After a write conflict: long enough for the source to have read the object again. */
const conflictMs = 50;

export type ReconcileContext = DriveContext & {
  readonly statuses: StatusStore<VirtualMachineMemory>;
  readonly events: EventRecorder<VirtualMachineMemory>;
  readonly random: () => number;
  readonly postponed: Postponed;
  /** `--observe-only`: nothing is ever changed. */
  readonly observeOnly: boolean;
};

type Conclusion = {
  readonly verdict: Verdict;
  readonly status: VirtualMachineMemoryStatus;
  /** The resource as it was when this was concluded. */
  readonly resource: VirtualMachineMemory;
};
/** `postponed`: it has what it wants, and there was no time to look at it; its status stands. */
type Concluded = Conclusion | 'start-again' | 'postponed';

/** Reconciles the resource of `key`. */
export async function reconcile(key: ResourceKey, context: ReconcileContext): Promise<WorkResult> {
  const resource = context.resources.get(key);
  if (resource === undefined) {
    context.rejected.forget(key);
    context.postponed.forget(key);
    return { kind: 'done' };
  }
  // Nothing to clean up: the VM keeps its memory when its resource goes (invariant I7).
  if (resource.metadata.deletionTimestamp !== undefined) return { kind: 'done' };

  const { namespace } = resource.metadata;
  if (context.namespaceLabels(namespace) === undefined) {
    // Which hosts it may use isn't known before its namespace is: nothing is done, and nothing concluded.
    context.logger.info({ resource: key, namespace }, 'namespace is not known yet');
    return { kind: 'retry', message: `namespace ${namespace} is not known yet` };
  }

  const logger = context.logger.child({
    resource: key,
    generation: resource.metadata.generation,
    reconcileId: context.random().toString(36).slice(2, 10),
  });
  const startedMs = context.clock.now();
  const concluded = await conclude(resource, { ...context, logger });
  switch (concluded) {
    case 'start-again':
      return { kind: 'after', ms: 0 };
    case 'postponed':
      return { kind: 'retry', message: 'its host is busy', maxMs: busyMaxMs };
    default:
      context.postponed.forget(key);
      return settle(concluded, resource, startedMs, { ...context, logger });
  }
}

/** Writes what was concluded, and says when to look again. */
async function settle(
  { verdict, status, resource }: Conclusion,
  before: VirtualMachineMemory,
  startedMs: number,
  context: ReconcileContext,
): Promise<WorkResult> {
  const { logger } = context;
  const written = await keepStatus(context.statuses, resource, status);
  const tookMs = context.clock.now() - startedMs;
  context.metrics.statusWritten(written.outcome);
  context.metrics.reconciled(verdict.reason, tookMs / 1000);
  const { reason, message: detail, adminDetail } = verdict;
  logger.info({ reason, detail, adminDetail, written: written.outcome, tookMs }, 'reconciled');
  switch (written.outcome) {
    case 'conflict':
      return { kind: 'after', ms: conflictMs };
    case 'gone':
      return { kind: 'done' };
    case 'failed':
      logger.warn({ cause: written.message }, 'status could not be written');
      return { kind: 'retry', message: written.message };
    case 'written':
    case 'unchanged': {
      for (const condition of written.leftOut) context.events.record(resource, computeLeftOutEvent(condition));
      const event = computeRecordedEvent(before.status ?? {}, status, verdict);
      if (event !== null) context.events.record(resource, event);
      return computeResult(verdict, context.random);
    }
    default:
      return written satisfies never;
  }
}

function computeResult({ reason, message, againInMs }: Verdict, random: () => number): WorkResult {
  if (againInMs === 'backoff') return { kind: 'retry', message, ...(isBusy(reason) ? { maxMs: busyMaxMs } : {}) };
  if (againInMs !== null) return { kind: 'after', ms: againInMs };
  return { kind: 'after', ms: Math.round(resyncMs * (1 - random() / 4)), urgency: 'resync' };
}

function computePausedBy(resource: VirtualMachineMemory, desired: DesiredMemory, observeOnly: boolean): string | null {
  if (observeOnly) return '--observe-only';
  if (desired.paused) return 'spec.paused';
  const annotation = resource.metadata.annotations?.[pausedAnnotation];
  return annotation !== undefined && annotation !== 'false' ? `annotation ${pausedAnnotation}` : null;
}

async function conclude(resource: VirtualMachineMemory, context: ReconcileContext): Promise<Concluded> {
  const { generation, annotations, uid } = resource.metadata;
  const requestedAt = annotations?.[reconcileRequestedAtAnnotation];
  const retryNow = requestedAt !== undefined && requestedAt !== resource.status?.lastHandledReconcileAt;
  const key = keyOf(resource);
  if (retryNow) context.rejected.forget(key);
  const startedMs = context.clock.now();
  /** As it is while this goes on: what has waited in line for long has said so in the status. */
  let held = resource;
  const previous = (): VirtualMachineMemoryStatus => held.status ?? {};
  const base = () => ({
    previous: previous(),
    generation,
    lastHandledReconcileAt: requestedAt ?? previous().lastHandledReconcileAt,
  });
  const concludeProblem = (problem: Problem): Conclusion => {
    const verdict = judgeProblem(problem);
    const seen = { kind: 'problem', problem } as const;
    const { lastResize } = previous();
    const status = computeStatus({ ...base(), nowMs: startedMs, verdict, target: null, lastResize, seen });
    return { verdict, status, resource: held };
  };

  const parsed = parseSpec(resource.spec);
  if (!parsed.ok) return concludeProblem({ reason: 'InvalidSpec', message: parsed.problem, retry: false });
  const desired = parsed.value;
  const pausedBy = computePausedBy(resource, desired, context.observeOnly);

  const concludeJudged = ({ judgement, outcome, acted, before }: Judged): Conclusion => {
    const { located, plan } = judgement;
    const resize =
      desired.memory === null
        ? previous().lastResize
        : computeResize({
            previous: previous().lastResize,
            sameRuntime: previous().virtualMachine?.runtimeId === located.observation.runtimeId,
            target: desired.memory,
            before,
            acted: acted || (plan.decision === 'wait' && plan.reason === 'Unplugging'),
            nowMs: startedMs,
          });
    const verdict = computeVerdict({
      judgement,
      outcome,
      pausedBy: desired.memory === null ? null : pausedBy,
      observeOnlySpec: desired.memory === null,
      resize,
    });
    const nowMs = context.clock.now();
    const lastResize = isConverged(verdict) ? completeResize(resize, nowMs) : resize;
    const seen = { kind: 'judged', judgement } as const;
    const status = computeStatus({ ...base(), nowMs, verdict, target: desired.memory, lastResize, seen });
    return { verdict, status, resource: held };
  };

  const driven: Driven = await drive(
    {
      resource,
      desired,
      mayAct: pausedBy === null && desired.memory !== null,
      retryNow,
      isOutdated: () => isWorthReconciling({ key, previous: resource, current: context.resources.get(key) }),
      onWaiting: async (judgement, before) => {
        const { status, verdict } = concludeJudged({ judgement, outcome: { kind: 'host-busy' }, acted: false, before });
        const written = await keepStatus(context.statuses, held, status);
        context.metrics.statusWritten(written.outcome);
        context.logger.info(
          { reason: verdict.reason, detail: verdict.message, written: written.outcome },
          'waits in line',
        );
        const now = context.resources.get(key);
        if (now?.metadata.uid === uid && now.metadata.generation === generation) held = now;
      },
    },
    context,
  );
  switch (driven.kind) {
    case 'interrupted':
      return 'start-again';
    case 'problem': {
      const { problem, acted } = driven;
      const isPostponed = isBusy(problem.reason) && !acted && context.postponed.keeps(held, context.clock.now());
      return isPostponed ? 'postponed' : concludeProblem(problem);
    }
    case 'judged':
      return concludeJudged(driven);
    default:
      return driven satisfies never;
  }
}
