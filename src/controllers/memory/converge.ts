/**
 * The phases of a reconcile, in rounds: find the VM, see whether it may be had, plan, act, and look again, until there is
 * nothing to do right now. Every round plans from an observation of its own, where the answer of the last change holds one
 * from that; what must outlast it is kept in the scope.
 */
import type { DesiredMemory } from '../../api/v1alpha1/spec.ts';
import { recoveryOf } from '../../host/errors.ts';
import { act, type ActContext, isOutdated } from './phases/act.ts';
import { isShortage } from './phases/execute.ts';
import { claim, type Found, observe, requireClaim } from './phases/observe.ts';
import type { HostPlace } from './host-place.ts';
import { judge } from './phases/plan.ts';
import { type Elsewhere, locate } from './phases/locate.ts';
import { hasCalledOff } from './replacement.ts';
import type { ReconcileScope } from './scope.ts';
import { computeCurrent } from './total.ts';
import type { Judged, Located, Outcome, Stopped } from './types.ts';

/** More rounds than any plan has steps (256 slots); a bound against a VM that changes for ever under our hands. */
const maxRounds = 600;
/** How often a reconcile observes again at once because the VM had changed, before it backs off. */
const maxSurprises = 4;

/** How the rounds ended; all else is in the scope. */
export type Ending =
  | Stopped
  | Elsewhere
  /** It was planned, and nothing is to be done now. */
  | { readonly kind: 'planned' }
  /** Another controller leads: what is so is that one's to say. */
  | { readonly kind: 'superseded' }
  /** A newer wish has arrived, no time or round is left, or the host is gone for whose line this waited. */
  | { readonly kind: 'interrupted' };

/** See the file's comment. Never throws for anything a host does. */
export async function converge(
  scope: ReconcileScope,
  desired: DesiredMemory,
  place: HostPlace,
  context: ActContext,
): Promise<Ending> {
  const { resource } = scope;
  let surprises = 0;
  let wasShort = false;
  for (let round = 0; round < maxRounds; round += 1) {
    if (round > 0 && (context.signal.aborted || isOutdated(scope, context))) return { kind: 'interrupted' };
    const { answered } = scope;
    const found = await locate(resource, {
      ...context,
      answered: (entry, uuid) => answered?.find(entry, uuid) ?? null,
    });
    scope.dropAnswered();
    if (found.kind !== 'found') return found;
    context.shown.took(scope.key, found.observation);
    const planned = await judgeFound(scope, desired, found, context);
    if (planned.kind === 'problem') return planned;

    scope.outcome = await act(scope, planned.judgement, place, context);
    if (scope.outcome.kind === 'host-busy') {
      const admitted = await place.wait();
      if (admitted === 'gone' || isOutdated(scope, context)) return { kind: 'interrupted' };
      if (admitted === 'look') continue;
      scope.outcome = await act(scope, planned.judgement, place, context);
    }
    if (scope.outcome.kind === 'acted') continue;
    if (scope.outcome.kind === 'released') return { kind: 'planned' };
    if (scope.outcome.kind === 'failed' && scope.outcome.error.code === 'not-leader') return { kind: 'superseded' };
    // The host has said anew what it has: the plan says what that is enough for.
    if (isShort(scope.outcome) && !wasShort && !context.signal.aborted) {
      wasShort = true;
      continue;
    }
    if (!isSurprise(scope.outcome) || surprises === maxSurprises) return { kind: 'planned' };
    surprises += 1;
  }
  return { kind: 'interrupted' };
}

/** From what was found to a plan. Where that is to do nothing, it isn't for want of what the host may have by now. */
async function judgeFound(
  scope: ReconcileScope,
  desired: DesiredMemory,
  found: Found,
  context: ActContext,
): Promise<Judged> {
  const judged = await judgeByFacts(scope, desired, found, context);
  const isBlocked = judged.kind === 'judged' && judged.judgement.plan.decision === 'blocked';
  if (!isBlocked || !found.entry.mayHaveMore) return judged;
  found.entry.forgetFacts();
  return judgeByFacts(scope, desired, found, context);
}

async function judgeByFacts(
  scope: ReconcileScope,
  desired: DesiredMemory,
  found: Found,
  context: ActContext,
): Promise<Judged> {
  const { resource } = scope;
  const claimed = await claim(resource, found, context);
  if (claimed.kind === 'problem') return claimed;
  const observed = observe(resource, found, claimed, context);
  if (observed.kind === 'problem') return observed;
  const notHeld = scope.deadlineMs === null ? null : requireClaim(resource, found, context);
  return notHeld ?? plan(scope, desired, observed.located, context);
}

/** Plans from what was observed. */
function plan(scope: ReconcileScope, desired: DesiredMemory, located: Located, context: ActContext): Judged {
  const { previous, retryNow } = scope;
  const { clock, metrics } = context;
  scope.sees(located, clock.now());
  const isSameRuntime = scope.isSameRuntime(located);
  const { deadlineMs } = scope;
  const judged = judge({
    desired,
    target: desired.memory ?? computeCurrent(located.layout),
    located,
    generation: scope.generation,
    previousModules: isSameRuntime ? (previous.modules ?? []) : [],
    retryNow,
    release: deadlineMs === null ? null : { isDue: clock.now() >= deadlineMs },
    calledOff: isSameRuntime && !retryNow && hasCalledOff(previous, scope.generation),
  });
  if (judged.kind === 'problem') return judged;
  metrics.planned(judged.judgement.plan.decision);
  scope.plans(judged.judgement, clock.now());
  return judged;
}

const isShort = (outcome: Outcome): boolean => outcome.kind === 'failed' && isShortage(outcome.error);

/** Whether the VM wasn't as it was planned for, or where, so that it is worth to look again at once. */
const isSurprise = (outcome: Outcome): boolean =>
  outcome.kind === 'failed' && (recoveryOf(outcome.error) === 'observe' || outcome.error.code === 'not-found');
