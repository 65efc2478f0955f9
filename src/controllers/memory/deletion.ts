/** What is done at the API server for `deletionPolicy: Release`: a finalizer holds a deletion up, and is let go of. */
import { eventOf } from '../../api/v1alpha1/reasons.ts';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { fail, type Result, succeed } from '../../memory/result.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Reconciled } from '../../runtime/reconcile-queue.ts';
import type { EventRecorder, FinalizerWriter, ResourceSource } from '../../runtime/resources.ts';
import { describeMachine } from './phases/whereabouts.ts';
import { judgeStanding } from './phases/summarise.ts';
import { computeFinalizers, computeReleaseEvent, findLeft, judgeEnd, withoutFinalizer } from './release.ts';
import type { ReconcileScope } from './scope.ts';
import { keyOf } from '../../runtime/resources.ts';

export type DeletionContext = {
  readonly resources: ResourceSource<VirtualMachineMemory>;
  readonly finalizers: FinalizerWriter<VirtualMachineMemory>;
  readonly events: EventRecorder<VirtualMachineMemory>;
  /** `--observe-only`: what isn't going to be done isn't promised. */
  readonly observeOnly: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** After a conflict: long enough for the source to have read the object again. */
const conflictMs = 50;
/** How soon what could not be written is tried again, at the latest. */
const unwrittenMaxMs = 30_000;
/** A look for which there is no more time is worth this much, so that it is known what stays. */
const lastLookMs = 2_000;

/** `resource` as it goes on, `isArmed` where its finalizers are what its spec says. An error: look again first. */
export async function keepFinalizer(
  resource: VirtualMachineMemory,
  { resources, finalizers, events, observeOnly, logger }: DeletionContext,
): Promise<Result<{ readonly resource: VirtualMachineMemory; readonly isArmed: boolean }, Reconciled>> {
  const wanted = computeFinalizers(resource, observeOnly);
  if (wanted === null) return succeed({ resource, isArmed: true });
  const key = keyOf(resource);
  const written = await finalizers.write(resource, wanted);
  switch (written.outcome) {
    case 'written':
      return succeed({ resource: resources.get(key) ?? resource, isArmed: true });
    case 'gone':
      return fail({ kind: 'done' });
    case 'conflict':
      resources.refresh(key);
      return fail({ kind: 'after', ms: conflictMs });
    case 'failed': {
      logger.warn({ err: written.message }, 'finalizer could not be written');
      const message =
        `the finalizer of spec.deletionPolicy could not be written, so a deletion would not wait for anything yet: ` +
        `${written.message}; the controller needs the rights of deploy/ of its version`;
      events.record(resource, { ...eventOf('FinalizerNotWritten'), action: 'WriteFinalizer', message });
      // The VM gets its size all the same.
      return succeed({ resource, isArmed: false });
    }
    default:
      return written satisfies never;
  }
}

/** When to look again at a resource whose finalizer couldn't be written. */
export const soonEnough = (result: Reconciled): Reconciled =>
  result.kind === 'after' && result.ms > unwrittenMaxMs ? { kind: 'after', ms: unwrittenMaxMs } : result;

/** `result` of a deletion that goes on: looked at again by its deadline, whatever it waits for. */
export function byDeadline(result: Reconciled, deadlineMs: number, nowMs: number): Reconciled {
  const leftMs = Math.max(0, deadlineMs - nowMs);
  if (result.kind === 'after') return { ...result, ms: Math.min(result.ms, leftMs), urgency: 'event' };
  return result.kind === 'retry' ? { ...result, maxMs: Math.min(result.maxMs ?? Infinity, leftMs) } : result;
}

/**
 * The time that a deletion leaves for looking and waiting: until its deadline, or a moment where that is over.
 * `forget` once nothing waits any more.
 */
export function limitLooks(
  deadlineMs: number,
  signal: AbortSignal,
  clock: Clock,
): { readonly signal: AbortSignal; readonly forget: () => void } {
  const ending = new AbortController();
  const timer = clock.after(Math.max(lastLookMs, deadlineMs - clock.now()), () => ending.abort());
  return { signal: AbortSignal.any([signal, ending.signal]), forget: () => timer.cancel() };
}

/** Lets the resource go where its release has come to its end, and says what stays plugged; null: it hasn't. */
export async function letGoAtEnd(
  scope: ReconcileScope,
  deadlineMs: number,
  context: DeletionContext,
): Promise<Reconciled | null> {
  const nowMs = context.clock.now();
  const end = judgeEnd({ ...scopeOf(scope), deadlineMs, nowMs, standing: judgeStanding(scope, nowMs) });
  return end === null ? null : letGo(scope, end.why, context);
}

const scopeOf = ({ outcome, judgement, problem }: ReconcileScope) => ({ outcome, judgement, problem });

/** Lets the resource go. @param why what kept its release from being complete; null: nothing did */
export async function letGo(
  { key, stored, previous, judgement, problem }: ReconcileScope,
  why: string | null,
  { finalizers, resources, events, logger }: DeletionContext,
): Promise<Reconciled> {
  const written = await finalizers.write(stored, withoutFinalizer(stored.metadata));
  switch (written.outcome) {
    case 'written': {
      const name = judgement?.located.observation.name ?? previous.virtualMachine?.name;
      const vm = name === undefined ? describeMachine(stored.spec.virtualMachine) : `VM ${name}`;
      const event = computeReleaseEvent(why, vm, findLeft(previous, judgement, problem));
      events.record(stored, event);
      return { kind: 'done', reason: 'Releasing', said: { detail: event.message, released: why === null } };
    }
    case 'gone':
      return { kind: 'done' };
    case 'conflict':
      resources.refresh(key);
      return { kind: 'after', ms: conflictMs };
    case 'failed':
      logger.warn({ err: written.message }, 'finalizer could not be taken away');
      return { kind: 'retry', message: written.message, maxMs: unwrittenMaxMs };
    default:
      return written satisfies never;
  }
}
