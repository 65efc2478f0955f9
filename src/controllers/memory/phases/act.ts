/** The phase of a reconcile that changes something. */
import type { Clock } from '../../../runtime/clock.ts';
import type { Attempt } from '../../../runtime/reconcile-queue.ts';
import { mayHaveBeenDone } from '../../../host/errors.ts';
import { decideAction } from './action.ts';
import { Answered } from './answered.ts';
import { execute } from './execute.ts';
import { isLeft, isUnrecorded } from '../drift.ts';
import { type GatherContext, judgeRight } from './observe.ts';
import type { HostEntry } from '../../shared/host-entry.ts';
import type { HostPlace } from '../host-place.ts';
import type { ControllerMetrics } from '../metrics.ts';
import { judgeOnlined } from '../onlined.ts';
import type { FailedPlans } from '../failed-plans.ts';
import type { ReconcileScope } from '../scope.ts';
import { isSuspended } from '../settled.ts';
import { computeKnown } from './summarise.ts';
import { computeCurrent } from '../total.ts';
import { isWorthReconciling } from '../triggers.ts';
import type { Judgement, Outcome } from '../types.ts';
import type { Shown } from '../shown.ts';
import type { Unwritten } from '../unwritten.ts';

export type ActContext = GatherContext &
  Attempt & {
    readonly clock: Clock;
    readonly metrics: ControllerMetrics;
    readonly failed: FailedPlans;
    readonly unwritten: Unwritten;
    readonly shown: Shown;
  };

/** Whether the resource has changed since this reconcile began, so that it should end. */
export const isOutdated = ({ key, resource }: ReconcileScope, { resources }: Pick<ActContext, 'resources'>): boolean =>
  isWorthReconciling({ key, previous: resource, current: resources.get(key) });

/** Whether the resource still wants what was judged, and may have it done. */
export const mayAct = (
  scope: ReconcileScope,
  { located: { hostName, observation } }: Judgement,
  entry: HostEntry,
  context: ActContext,
): boolean =>
  !context.signal.aborted &&
  !isOutdated(scope, context) &&
  context.hosts.get(hostName) === entry &&
  context.shards.mayAct(entry.resource) &&
  judgeRight(scope.resource, entry, observation, context).ok;

/** Whether the guest has taken up all that was plugged since the resize began, or since this reconcile did. */
function hasOnlined({ baseline }: ReconcileScope, { located, granularity }: Judgement): boolean {
  if (baseline === null) return true;
  return judgeOnlined(baseline, located, computeCurrent(located.layout), granularity).kind !== 'not-yet';
}

/** Carries out what the plan of `judgement` asks for now, provided that there is a place for it on the host. */
export async function act(
  scope: ReconcileScope,
  judgement: Judgement,
  place: HostPlace,
  context: ActContext,
): Promise<Outcome> {
  const { resource, mode } = scope;
  const { clusterId, logger, clock, unwritten } = context;
  if (mode.kind !== 'act' || isLeft(scope.drift)) return { kind: 'nothing' };
  if (isUnrecorded(scope.drift, scope.stored.status)) return { kind: 'nothing' };
  // What it is given it couldn't take, and it says nothing of what it could give. An event tells when it runs again.
  if (isSuspended(judgement.located)) return { kind: 'nothing' };
  const action = decideAction(judgement, hasOnlined(scope, judgement));
  if (action.kind === 'nothing') return { kind: 'nothing' };
  const known = context.failed.find(resource, judgement, action, clock.now());
  if (known !== null) return known;
  const entry = context.hosts.get(judgement.located.hostName);
  if (entry === undefined) return { kind: 'nothing' };
  if (!place.take(entry)) return { kind: 'host-busy' };

  const { observation } = judgement.located;
  const mayGoOn = (): boolean => mayAct(scope, judgement, entry, context);
  // Before the first step, so that it is known whatever becomes of this reconcile; nobody asks where it comes to its end.
  scope.beginsChange(clock.now());
  unwritten.keep(scope.stored, () => computeKnown(scope), scope.told);
  // Whoever acts keeps a place on the host, and no worker from those that only look.
  const hearing = entry.listen(observation.uuid);
  const outcome = await context.aside(() =>
    execute(action, judgement, { resource, clusterId, entry, logger, mayGoOn }),
  );
  place.leave();
  if (outcome.kind === 'acted' && outcome.after !== null) {
    scope.answered = new Answered(entry, outcome.after, hearing);
  } else {
    hearing.end();
  }
  const operation = action.kind === 'run' && action.steps[0]?.operation === 'plug' ? 'plug' : 'unplug';
  if (outcome.kind === 'released') return outcome;
  if (outcome.kind === 'acted') context.metrics.operated(operation, 'accepted');
  const hasChanged = outcome.kind !== 'failed' || outcome.plugged > 0 || mayHaveBeenDone(outcome.error);
  scope.hasChanged ||= hasChanged;
  if (outcome.kind === 'failed') {
    if (!hasChanged) scope.didNothing();
    logger.warn({ what: outcome.what, code: outcome.error.code, err: outcome.error.cause }, 'step failed');
    if (action.kind !== 'release-claim') context.metrics.operated(operation, 'failed');
    // Somebody acted for a newer wish than the one we hold: ours is stale.
    if (outcome.error.code === 'old-generation') context.resources.refresh(scope.key);
    return context.failed.remember(resource, judgement, action, outcome, clock.now());
  }
  return outcome;
}
