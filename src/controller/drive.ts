/**
 * Observe, plan, act, and observe again, until there is nothing to do right now. Every round plans from a fresh
 * observation: nothing is carried over but what the VM stood at before the first change.
 */
import { findCondition } from '../api/v1alpha1/conditions.ts';
import type { DesiredMemory } from '../api/v1alpha1/spec.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import { recoveryOf } from '../host/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { keyOf } from '../runtime/resources.ts';
import type { Turn } from '../runtime/work-queue.ts';
import { decideAction } from './action.ts';
import { execute } from './execute.ts';
import { gather, type GatherContext, judgeRight } from './gather.ts';
import { computeCurrent, judge } from './judge.ts';
import type { ControllerMetrics } from './metrics.ts';
import type { RejectedPlans } from './rejected-plans.ts';
import { judgeOnlined } from './onlined.ts';
import { HostPlace } from './host-place.ts';
import { type Before, computeResize } from './resize.ts';
import type { Judgement, Outcome, Problem } from './types.ts';

/** More rounds than any plan has steps (256 slots); a bound against a VM that changes for ever under our hands. */
const maxRounds = 600;
/** How often a reconcile observes again at once because the VM had changed, before it backs off. */
const maxSurprises = 4;

export type DriveContext = GatherContext &
  Turn & {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly metrics: ControllerMetrics;
    readonly rejected: RejectedPlans;
  };

export type DriveInput = {
  readonly resource: VirtualMachineMemory;
  readonly desired: DesiredMemory;
  /** False: observe and plan, change nothing. */
  readonly mayAct: boolean;
  readonly retryNow: boolean;
  /** Whether the resource has changed since, so that this reconcile should end. */
  readonly isOutdated: () => boolean;
  /** Told once, when what is to be done has waited in the host's line for a while. */
  readonly onWaiting: (judgement: Judgement, before: Before) => Promise<void>;
};

/** What was planned last, and what came of it. */
export type Judged = {
  readonly judgement: Judgement;
  readonly outcome: Outcome;
  readonly acted: boolean;
  readonly before: Before;
};

export type Driven =
  | { readonly kind: 'problem'; readonly problem: Problem; readonly acted: boolean; readonly before: Before | null }
  | ({ readonly kind: 'judged' } & Judged)
  /** A newer wish has arrived, the bound on rounds was met, or the host is gone for whose line this waited. */
  | { readonly kind: 'interrupted' };

/** See the file's comment. Never throws for anything a host does. */
export async function drive(input: DriveInput, context: DriveContext): Promise<Driven> {
  let seen: { readonly judgement: Judgement; readonly before: Before } | null = null;
  const place = new HostPlace(context, async () => {
    if (seen !== null) await input.onWaiting(seen.judgement, seen.before);
  });
  try {
    return await driveFrom(place, (judgement, before) => (seen = { judgement, before }), input, context);
  } finally {
    place.leave();
  }
}

async function driveFrom(
  place: HostPlace,
  note: (judgement: Judgement, before: Before) => void,
  input: DriveInput,
  context: DriveContext,
): Promise<Driven> {
  const { resource, desired } = input;
  let before: Before | null = null;
  let acted = false;
  let surprises = 0;

  for (let round = 0; round < maxRounds; round += 1) {
    if (round > 0 && input.isOutdated()) return { kind: 'interrupted' };
    const gathered = await gather(resource, context);
    if (gathered.kind === 'problem') return { kind: 'problem', problem: gathered.problem, acted, before };
    const { located } = gathered;
    const current = computeCurrent(located.layout);
    before ??= { current, guest: located.observation.guest };

    const isSameRuntime = resource.status?.virtualMachine?.runtimeId === located.observation.runtimeId;
    const judged = judge({
      desired,
      target: desired.memory ?? current,
      located,
      generation: resource.metadata.generation,
      previousModules: isSameRuntime ? (resource.status.modules ?? []) : [],
      retryNow: input.retryNow,
      replacementEnded: isSameRuntime && !input.retryNow && hasCalledOff(resource),
    });
    if ('reason' in judged) return { kind: 'problem', problem: judged, acted, before };
    context.metrics.planned(judged.plan.decision);
    note(judged, before);

    const isOnlined = hasOnlined(judged, before, resource, isSameRuntime);
    const attempt = (): Promise<Outcome> =>
      input.mayAct ? act(judged, isOnlined, place, input, context) : Promise.resolve({ kind: 'nothing' });
    let outcome = await attempt();
    if (outcome.kind === 'host-busy') {
      const admitted = await place.wait();
      if (admitted === 'gone' || input.isOutdated()) return { kind: 'interrupted' };
      if (admitted === 'look') continue;
      outcome = await attempt();
    }
    if (outcome.kind === 'acted') {
      acted = true;
      continue;
    }
    // Somebody acted for a newer wish than the one we hold: ours is stale.
    if (outcome.kind === 'failed' && outcome.error.code === 'old-generation') {
      context.resources.refresh(keyOf(resource));
    }
    if (outcome.kind === 'failed' && recoveryOf(outcome.error) === 'observe' && surprises < maxSurprises) {
      surprises += 1;
      continue;
    }
    return { kind: 'judged', judgement: judged, outcome, acted, before };
  }
  return { kind: 'interrupted' };
}

/** Whether a replacement for this generation was called off already. */
const hasCalledOff = ({ status, metadata }: VirtualMachineMemory): boolean =>
  findCondition(status?.conditions, 'Ready')?.reason === 'ReplaceRolledBack' &&
  status?.observedGeneration === metadata.generation;

/** Whether the guest has taken up all that was plugged since the resize began, or since this reconcile did. */
function hasOnlined(
  judgement: Judgement,
  before: Before,
  resource: VirtualMachineMemory,
  sameRuntime: boolean,
): boolean {
  const { located, desired, granularity } = judgement;
  const current = computeCurrent(located.layout);
  const resize = computeResize({
    previous: resource.status?.lastResize,
    sameRuntime,
    target: desired.memory ?? current,
    before,
    acted: true,
    nowMs: located.observation.observedAtMs,
  });
  return resize === undefined || judgeOnlined(resize, located, current, granularity).kind !== 'not-yet';
}

async function act(
  judgement: Judgement,
  isOnlined: boolean,
  place: HostPlace,
  input: DriveInput,
  context: DriveContext,
): Promise<Outcome> {
  const { resource } = input;
  const action = decideAction(judgement, isOnlined);
  if (action.kind === 'nothing') return { kind: 'nothing' };
  const known = context.rejected.find(resource, judgement, action);
  if (known !== null) return known;
  const entry = context.hosts.get(judgement.located.hostName);
  if (entry === undefined) return { kind: 'nothing' };
  if (!place.take(entry)) return { kind: 'host-busy' };

  const { observation } = judgement.located;
  const mayGoOn = (): boolean =>
    !input.isOutdated() &&
    context.hosts.get(judgement.located.hostName) === entry &&
    !('reason' in judgeRight(resource, entry, observation, context));
  const { clusterId, logger } = context;
  // Whoever acts keeps a place on the host, and no worker from those that only look.
  const outcome = await context.aside(() =>
    execute(action, judgement, { resource, clusterId, entry, logger, mayGoOn }),
  );
  place.leave();
  const operation = action.kind === 'run' && action.steps[0]?.operation === 'plug' ? 'plug' : 'unplug';
  if (outcome.kind === 'acted') context.metrics.operated(operation, 'accepted');
  if (outcome.kind === 'failed') {
    context.logger.warn({ what: outcome.what, code: outcome.error.code, cause: outcome.error.cause }, 'step failed');
    context.metrics.operated(operation, 'failed');
    context.rejected.remember(resource, judgement, action, outcome);
  }
  return outcome;
}
