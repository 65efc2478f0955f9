/**
 * What was concluded is told: held back for a moment, written, and what follows from how that went, an event and the next
 * look among it.
 */
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { keyOf } from '../../runtime/resources.ts';
import type { Reconciled } from '../../runtime/reconcile-queue.ts';
import { computeLeftOutEvent } from '../shared/left-out-event.ts';
import { computeRefusedEvent } from '../shared/refused-status.ts';
import { keepStatus, type KeptResult, type StatusStore } from '../shared/status-store.ts';
import type { DeletionContext } from './deletion.ts';
import type { Held } from './held.ts';
import type { ObserveRequests } from './observe-requests.ts';
import type { ActContext } from './phases/act.ts';
import type { Conclusion } from './phases/summarise.ts';
import { isBusy } from './postponed.ts';
import { computeRecordedEvent, computeResizeOutcome } from './recorded-event.ts';
import type { ReconcileScope } from './scope.ts';
import { computeShortStatus } from './status.ts';
import type { Verdict } from './types.ts';

/** Settled resources are looked at again this often, whatever happens; less up to a quarter by chance. */
const resyncMs = 600_000;
/** A busy host or VM costs seconds, never minutes, however often it has been busy before. */
export const busyMaxMs = 5_000;
/** After a write conflict: long enough for the source to have read the object again. */
const conflictMs = 50;

export type TellContext = ActContext &
  DeletionContext & {
    readonly statuses: StatusStore<VirtualMachineMemory>;
    readonly random: () => number;
    readonly held: Held;
    readonly observeRequests: ObserveRequests;
  };

/** Keeps what was concluded unwritten for a moment, if it may be over then. For how long, ms; 0: it is to be written. */
export function hold(scope: ReconcileScope, conclusion: Conclusion, context: TellContext): number {
  const { unwritten, held, clock } = context;
  const writeIt = () => write(scope, conclusion, context);
  const holdMs = held.hold(scope, conclusion.verdict.reason, clock.now(), writeIt);
  if (holdMs > 0) unwritten.keep(scope.stored, conclusion.status, scope.told);
  return holdMs;
}

/** Writes what was concluded. Until that is done it is kept: the next reconcile begins with it. */
export async function write(
  { stored, told }: ReconcileScope,
  { status }: Conclusion,
  { statuses, metrics, unwritten, held, clock }: TellContext,
): Promise<KeptResult> {
  held.forget(keyOf(stored));
  unwritten.keep(stored, status, told);
  const shorten = (refusal: string) => computeShortStatus(stored.status ?? {}, status, refusal, clock.now());
  const written = await keepStatus(statuses, stored, status, shorten);
  metrics.statusWritten(written.outcome);
  return written;
}

/** Says what has changed, and when to look again. */
export function settle(
  scope: ReconcileScope,
  conclusion: Conclusion,
  written: KeptResult,
  context: TellContext,
): Reconciled {
  const { key, stored, told, observeRequestedAt } = scope;
  const { verdict, status } = conclusion;
  const { events, metrics, unwritten, observeRequests, logger, random, clock } = context;
  switch (written.outcome) {
    case 'conflict':
      return { kind: 'after', ms: conflictMs };
    case 'gone':
      unwritten.forget(key);
      return { kind: 'done' };
    case 'failed':
      logger.warn({ err: written.message }, 'status could not be written');
      return { kind: 'retry', message: written.message };
    case 'refused':
      return settleRefused(scope, conclusion, written, context);
    case 'written':
    case 'unchanged': {
      unwritten.forget(key);
      if (observeRequestedAt !== undefined) observeRequests.heeded(key);
      for (const condition of written.leftOut) events.record(stored, computeLeftOutEvent(condition));
      const event = computeRecordedEvent(told, status, verdict);
      if (event !== null) events.record(stored, event);
      const resized = computeResizeOutcome(told, status, verdict, clock.now());
      if (resized !== null) metrics.resized(resized);
      return computeResult(verdict, random);
    }
    default:
      return written satisfies never;
  }
}

/** The status was refused for what it holds: a short one was tried. What was concluded stays known here. */
function settleRefused(
  { key, stored, told }: ReconcileScope,
  { status }: Conclusion,
  { message, short }: Extract<KeptResult, { readonly outcome: 'refused' }>,
  { events, unwritten, resources, logger }: TellContext,
): Reconciled {
  logger.warn({ err: message, short: short.outcome }, 'status was refused');
  if (short.outcome === 'gone') {
    unwritten.forget(key);
    return { kind: 'done' };
  }
  if (short.outcome === 'conflict') return { kind: 'after', ms: conflictMs };
  const event = computeRefusedEvent(message, stored.status?.conditions);
  if (event !== null) events.record(stored, event);
  unwritten.keep(resources.get(key) ?? stored, status, told);
  return { kind: 'retry', message };
}

function computeResult({ reason, message, againInMs }: Verdict, random: () => number): Reconciled {
  if (againInMs === 'backoff') return { kind: 'retry', message, ...(isBusy(reason) ? { maxMs: busyMaxMs } : {}) };
  if (againInMs !== null) return { kind: 'after', ms: againInMs };
  return resyncLater(random);
}

export const resyncLater = (random: () => number): Reconciled => ({
  ...{ kind: 'after', urgency: 'resync' },
  // Whole seconds: Node keeps a list of timers for each length.
  ms: Math.round((resyncMs * (1 - random() / 4)) / 1000) * 1000,
});
