/** One reconcile: a key comes in, the VM is brought one wish further, its status says what is true. */
import { pausedAnnotation, reconcileRequestedAtAnnotation } from '../api/v1alpha1/meta.ts';
import { parseSpec, type DesiredMemory } from '../api/v1alpha1/spec.ts';
import type { VirtualMachineMemory, VirtualMachineMemoryStatus } from '../api/v1alpha1/virtual-machine-memory.ts';
import type { Clock } from '../runtime/clock.ts';
import { type EventRecorder, keyOf, type ResourceKey } from '../runtime/resources.ts';
import type { WorkResult } from '../runtime/work-queue.ts';
import { type Driven, drive, type DriveContext } from './drive.ts';
import { computeLeftOutEvent, computeRecordedEvent } from './recorded-event.ts';
import { completeResize, computeResize } from './resize.ts';
import { computeStatus } from './status.ts';
import { keepStatus, type StatusStore } from './status-store.ts';
import type { Problem, Verdict } from './types.ts';
import { computeVerdict, isConverged, judgeProblem } from './verdict.ts';

/** Settled resources are looked at again this often, whatever happens; less up to a quarter by chance. */
const resyncMs = 600_000;
/** After a write conflict: long enough for the source to have read the object again. */
const conflictMs = 50;

export type ReconcileContext = DriveContext & {
  readonly statuses: StatusStore<VirtualMachineMemory>;
  readonly events: EventRecorder<VirtualMachineMemory>;
  readonly clock: Clock;
  readonly random: () => number;
  /** `--observe-only`: nothing is ever changed. */
  readonly observeOnly: boolean;
};

type Conclusion = { readonly verdict: Verdict; readonly status: VirtualMachineMemoryStatus };

/** Reconciles the resource of `key`. */
export async function reconcile(key: ResourceKey, context: ReconcileContext): Promise<WorkResult> {
  const resource = context.resources.get(key);
  if (resource === undefined) {
    context.rejected.forget(key);
    return { kind: 'done' };
  }
  // Nothing to clean up: the VM keeps its memory when its resource goes (invariant I7).
  if (resource.metadata.deletionTimestamp !== undefined) return { kind: 'done' };

  const startedMs = context.clock.now();
  const logger = context.logger.child({
    resource: key,
    generation: resource.metadata.generation,
    reconcileId: context.random().toString(36).slice(2, 10),
  });
  const conclusion = await conclude(resource, { ...context, logger });
  if (conclusion === null) return { kind: 'after', ms: 0 };

  const { verdict, status } = conclusion;
  const written = await keepStatus(context.statuses, resource, status);
  const tookMs = context.clock.now() - startedMs;
  context.metrics.statusWritten(written.outcome);
  context.metrics.reconciled(verdict.reason, tookMs / 1000);
  logger.info({ reason: verdict.reason, detail: verdict.message, written: written.outcome, tookMs }, 'reconciled');
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
      const event = computeRecordedEvent(resource.status ?? {}, status, verdict);
      if (event !== null) context.events.record(resource, event);
      return computeResult(verdict, context.random);
    }
    default:
      return written satisfies never;
  }
}

function computeResult(verdict: Verdict, random: () => number): WorkResult {
  if (verdict.againInMs === 'backoff') return { kind: 'retry', message: verdict.message };
  return { kind: 'after', ms: verdict.againInMs ?? Math.round(resyncMs * (1 - random() / 4)) };
}

function computePausedBy(resource: VirtualMachineMemory, desired: DesiredMemory, observeOnly: boolean): string | null {
  if (observeOnly) return '--observe-only';
  if (desired.paused) return 'spec.paused';
  const annotation = resource.metadata.annotations?.[pausedAnnotation];
  return annotation !== undefined && annotation !== 'false' ? `annotation ${pausedAnnotation}` : null;
}

/** null: start again at once. */
async function conclude(resource: VirtualMachineMemory, context: ReconcileContext): Promise<Conclusion | null> {
  const previous = resource.status ?? {};
  const { generation, annotations } = resource.metadata;
  const requestedAt = annotations?.[reconcileRequestedAtAnnotation];
  const retryNow = requestedAt !== undefined && requestedAt !== previous.lastHandledReconcileAt;
  const key = keyOf(resource);
  if (retryNow) context.rejected.forget(key);
  const base = {
    previous,
    generation,
    nowMs: context.clock.now(),
    lastHandledReconcileAt: requestedAt ?? previous.lastHandledReconcileAt,
  };
  const concludeProblem = (problem: Problem, lastResize: VirtualMachineMemoryStatus['lastResize']): Conclusion => {
    const verdict = judgeProblem(problem);
    const seen = { kind: 'problem', problem } as const;
    return { verdict, status: computeStatus({ ...base, verdict, target: null, lastResize, seen }) };
  };

  const parsed = parseSpec(resource.spec);
  if (!parsed.ok) {
    return concludeProblem({ reason: 'InvalidSpec', message: parsed.problem, retry: false }, previous.lastResize);
  }
  const desired = parsed.value;
  const pausedBy = computePausedBy(resource, desired, context.observeOnly);
  const driven: Driven = await drive(
    {
      resource,
      desired,
      mayAct: pausedBy === null && desired.memory !== null,
      retryNow,
      isOutdated: () => context.resources.get(key)?.metadata.generation !== generation,
    },
    context,
  );
  if (driven.kind === 'interrupted') return null;
  if (driven.kind === 'problem') return concludeProblem(driven.problem, previous.lastResize);

  const { judgement, outcome } = driven;
  const { located, plan } = judgement;
  const resize =
    desired.memory === null
      ? previous.lastResize
      : computeResize({
          previous: previous.lastResize,
          sameRuntime: previous.virtualMachine?.runtimeId === located.observation.runtimeId,
          target: desired.memory,
          before: driven.before,
          acted: driven.acted || (plan.decision === 'wait' && plan.reason === 'Unplugging'),
          nowMs: base.nowMs,
        });
  const verdict = computeVerdict({
    judgement,
    outcome,
    pausedBy: desired.memory === null ? null : pausedBy,
    observeOnlySpec: desired.memory === null,
    resize,
  });
  const lastResize = isConverged(verdict) ? completeResize(resize, context.clock.now()) : resize;
  const seen = { kind: 'judged', judgement } as const;
  const nowMs = context.clock.now();
  return { verdict, status: computeStatus({ ...base, nowMs, verdict, target: desired.memory, lastResize, seen }) };
}
