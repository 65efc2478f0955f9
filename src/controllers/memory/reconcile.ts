/** One reconcile: a key comes in, the VM is brought one wish further, its status says what is true. */
import { isDeepStrictEqual } from 'node:util';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { ResourceKey } from '../../runtime/resources.ts';
import type { Cut, Reconciled } from '../../runtime/reconcile-queue.ts';
import { findShare } from './phases/locate.ts';
import { converge, type Ending } from './converge.ts';
import { byDeadline, keepFinalizer, letGo, letGoAtEnd, limitLooks, soonEnough } from './deletion.ts';
import { HostPlace } from './host-place.ts';
import { findUnheeded, openScope } from './open-scope.ts';
import { isBusy, type Postponed } from './postponed.ts';
import { computeRecordedEvent } from './recorded-event.ts';
import { findWaiver, hasFinalizer } from './release.ts';
import type { ReconcileScope } from './scope.ts';
import { persist, type PersistContext, soonEnoughFor } from './phases/persist.ts';
import { summarise } from './phases/summarise.ts';
import { busyMaxMs, hold, resyncLater, settle, type TellContext, write } from './tell.ts';

const atOnce = { kind: 'after', ms: 0 } as const;

export type ReconcileContext = TellContext &
  PersistContext & {
    readonly postponed: Postponed;
    /** Keys of the resources that this controller speaks of. */
    readonly own: Set<ResourceKey>;
  };

/** Reconciles the resource of `key`. */
export async function reconcile(key: ResourceKey, context: ReconcileContext): Promise<Reconciled> {
  const found = context.resources.get(key);
  if (found === undefined) {
    forget(key, context);
    return { kind: 'done' };
  }
  const { namespace, generation, deletionTimestamp } = found.metadata;
  const logger = context.logger.child({ generation });
  const isDeleted = deletionTimestamp !== undefined;
  if (!isDeleted && context.namespaceLabels(namespace) === undefined) return waitForNamespace(namespace, context);
  if (isDeleted && !hasFinalizer(found.metadata)) return { kind: 'done' };
  const share = await findShare(found, context);
  if (share.kind === 'other') return leaveToOther(key, null, context);
  if (share.kind === 'unsettled') return leaveToOther(key, share.ms, context);
  context.own.add(key);
  if (isDeleted) return reconcileDeleted(found, { ...context, logger });

  const kept = await keepFinalizer(found, { ...context, logger });
  if (!kept.ok) return kept.error;
  const { resource, isArmed } = kept.value;
  const result = await reconcileScope(openScope(resource, context), { ...context, logger });
  const waitsMs = context.observeRequests.dueInMs(key);
  const isAsked = findUnheeded(context.resources.get(key)) !== undefined;
  const next: Reconciled =
    isAsked && result.kind === 'after' && result.ms > waitsMs ? { ...result, ms: waitsMs, urgency: 'event' } : result;
  return isArmed ? next : soonEnough(next);
}

/** What is remembered of a resource that is gone, or another controller's. */
function forget(
  key: ResourceKey,
  { failed, failedStores, postponed, unwritten, observeRequests, held, shown, own }: ReconcileContext,
): void {
  for (const memory of [failed, failedStores, postponed, unwritten, observeRequests, held, shown]) memory.forget(key);
  own.delete(key);
}

/** Another controller is there for it. @param ms in how long that may be known otherwise; null: events tell */
function leaveToOther(key: ResourceKey, ms: number | null, context: ReconcileContext): Reconciled {
  forget(key, context);
  return ms === null ? resyncLater(context.random) : { kind: 'after', ms };
}

function waitForNamespace(namespace: string, { logger }: ReconcileContext): Reconciled {
  // Which hosts it may use isn't known before its namespace is: nothing is done, and nothing concluded.
  logger.info({ namespace }, 'namespace is not known yet');
  return { kind: 'retry', message: `namespace ${namespace} is not known yet` };
}

/** A resource that is being deleted and has our finalizer: without it nothing is done, and the VM keeps its memory (I7). */
async function reconcileDeleted(resource: VirtualMachineMemory, context: ReconcileContext): Promise<Reconciled> {
  const { clock } = context;
  const { namespace } = resource.metadata;
  const scope = openScope(resource, context);
  const deadlineMs = scope.deadlineMs ?? clock.now();
  const waiver = findWaiver(scope.desired, scope.pausedBy);
  if (waiver !== null) return letGo(scope, waiver, context);
  const isDue = clock.now() >= deadlineMs;
  if (!isDue && context.namespaceLabels(namespace) === undefined) {
    return byDeadline(waitForNamespace(namespace, context), deadlineMs, clock.now());
  }
  const { signal, forget } = limitLooks(deadlineMs, context.signal, clock);
  try {
    const result = await reconcileScope(scope, { ...context, signal });
    return byDeadline(result, deadlineMs, clock.now());
  } finally {
    forget();
  }
}

async function reconcileScope(scope: ReconcileScope, context: ReconcileContext): Promise<Reconciled> {
  const { clock, failed, postponed } = context;
  if (scope.retryNow) failed.forget(scope.key);

  const ending = await convergeInLine(scope, context);
  if (ending.kind === 'superseded') return { kind: 'retry', message: 'another controller leads', maxMs: busyMaxMs };
  if (ending.kind === 'elsewhere') return leaveToOther(scope.key, ending.ms, context);
  const cut = context.cut();
  // A look that was given up because the process ends says nothing of the host.
  scope.problem = ending.kind === 'problem' && cut !== 'closing' ? ending.problem : null;
  if (scope.deadlineMs !== null) {
    const gone = await letGoAtEnd(scope, scope.deadlineMs, context);
    if (gone !== null) return gone;
  }
  const isHalfway = ending.kind === 'interrupted' || (ending.kind === 'problem' && cut === 'closing');
  if (isHalfway && !isWorthTelling(scope, cut)) return atOnce;
  if (isPostponed(scope, context)) return { kind: 'retry', message: 'its host is busy', maxMs: busyMaxMs };
  postponed.forget(scope.key);

  const conclusion = summarise(scope, clock.now());
  const { reason, message: detail, adminDetail } = conclusion.verdict;
  const holdMs = isHalfway ? 0 : hold(scope, conclusion, context);
  // What was done has a line of its own, and how it ends gets another.
  if (holdMs > 0) {
    return { kind: 'after', ms: holdMs, reason, said: { detail, adminDetail, written: 'held' }, isRoutine: true };
  }
  const written = await write(scope, conclusion, context);
  const result = settle(scope, conclusion, written, context);
  const ms = (later: number): number => soonEnoughFor(scope.notStored, later, clock.now());
  const next =
    isHalfway && result.kind === 'after' ? atOnce : result.kind === 'after' ? { ...result, ms: ms(result.ms) } : result;
  const isRoutine = written.outcome === 'unchanged' && !scope.hasChanged;
  return { ...next, reason, said: { detail, adminDetail, written: written.outcome }, isRoutine };
}

/**
 * Whether the status says how far a reconcile came that was ended half-way. One for a newer wish follows at once. After
 * one that was cut off it may take until another process is there: what it has changed is told.
 */
const isWorthTelling = ({ judgement, hasChanged }: ReconcileScope, cut: Cut | null): boolean =>
  judgement !== null && (cut === 'overdue' || (cut === 'closing' && hasChanged));

/** Brings the VM as far towards the wish as can be done now, in a place of its host's line. */
async function convergeInLine(scope: ReconcileScope, context: ReconcileContext): Promise<Ending> {
  const { desired } = scope;
  if (!desired.ok) {
    return { kind: 'problem', problem: { reason: 'InvalidSpec', message: desired.error, retry: false } };
  }
  const place = new HostPlace(context, () => tellWaiting(scope, context));
  try {
    const ending = await converge(scope, desired.value, place, context);
    place.leave();
    if (ending.kind === 'planned') await persist(scope, context);
    return ending;
  } finally {
    place.leave();
    scope.dropAnswered();
  }
}

/** Whether it has what it wants, and there was no time to look at it: then its status stands. */
const isPostponed = ({ problem, resize, stored }: ReconcileScope, { postponed, clock }: ReconcileContext): boolean =>
  problem !== null &&
  isBusy(problem.reason) &&
  // A resize that its status doesn't know of may not have come to its end.
  isDeepStrictEqual(resize, stored.status?.lastResize) &&
  postponed.keeps(stored, clock.now());

/** Says of what has waited in the host's line for long that it waits. */
async function tellWaiting(scope: ReconcileScope, context: ReconcileContext): Promise<void> {
  const place = scope.judgement?.located.hostName;
  if (place === undefined || !context.shards.mayAct(context.hosts.get(place)?.resource)) return;
  const conclusion = summarise(scope, context.clock.now());
  const { outcome } = await write(scope, conclusion, context);
  const { reason, message } = conclusion.verdict;
  context.logger.info({ reason, detail: message, written: outcome }, 'waits in line');
  const event = outcome === 'written' ? computeRecordedEvent(scope.told, conclusion.status, conclusion.verdict) : null;
  if (event !== null) context.events.record(scope.stored, event);
  const now = context.resources.get(scope.key);
  const { uid, generation } = scope.resource.metadata;
  if (now?.metadata.uid === uid && now.metadata.generation === generation) scope.stored = now;
}
