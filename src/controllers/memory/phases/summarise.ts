/** The one conclusion that is drawn from what a reconcile knows, whatever phase was its last. Pure. */
import type { VirtualMachineMemoryStatus } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import { timestamp } from '../../../api/v1alpha1/conditions.ts';
import { rowOf } from '../../../api/v1alpha1/reasons.ts';
import type { HostErrorCode } from '../../../host/errors.ts';
import { isUnrecorded } from '../drift.ts';
import { computeNotOnlined, type NotOnlined } from '../not-onlined.ts';
import { completeResize } from '../resize.ts';
import { computeRelease, findLeft } from '../release.ts';
import type { ReconcileScope } from '../scope.ts';
import { computeMachine, computeStatus, type StatusInput } from '../status.ts';
import type { Verdict } from '../types.ts';
import { computeVerdict, isConverged, judgeProblem } from '../verdict.ts';

export type Conclusion = { readonly verdict: Verdict; readonly status: VirtualMachineMemoryStatus };

/** What is said of a release: what holds it up, under its own name, and until when that may last. */
function judgeScope(scope: ReconcileScope, nowMs: number): Verdict {
  const verdict = judgeVerdict(scope, nowMs);
  const { deadlineMs } = scope;
  if (deadlineMs === null) return verdict;
  const { reason } = verdict;
  const isUnderWay = rowOf(reason).ready === 'True' || reason === 'Unplugging';
  const until = `what Dimmer plugged is taken out before this resource goes, until ${timestamp(deadlineMs)}`;
  return { ...verdict, reason: isUnderWay ? 'Releasing' : reason, message: `${until}: ${verdict.message}` };
}

/** What is said of the VM, whether the resource goes or stays. */
export function judgeVerdict(scope: ReconcileScope, nowMs: number): Verdict {
  const { problem, judgement, outcome, mode, resize, drift, stored } = scope;
  if (problem !== null) return judgeProblem(problem);
  if (judgement === null) throw new Error('a reconcile ended with neither a plan nor a problem');
  const isBeginning = isUnrecorded(drift, stored.status);
  return computeVerdict({ judgement, outcome, mode, resize, drift, isBeginning, nowMs });
}

/** How it stands, in words, also where it was neither planned nor seen. */
export const judgeStanding = (scope: ReconcileScope, nowMs: number): string =>
  scope.problem === null && scope.judgement === null
    ? 'its host has not answered yet'
    : judgeVerdict(scope, nowMs).message;

/** What is said of the VM now, and the status that says it. */
export function summarise(scope: ReconcileScope, nowMs: number): Conclusion {
  const { previous, stored, judgement, problem, target, generation, resize, drift } = scope;
  const verdict = judgeScope(scope, nowMs);
  const status = computeStatus({
    // Who has waited for long has said so meanwhile.
    previous: { ...previous, ...said(stored.status) },
    judgement,
    problem,
    target,
    lastResize: isConverged(verdict) ? completeResize(resize, nowMs) : resize,
    drift,
    release: releaseOf(scope),
    notOnlined: computeNotOnlined(
      notOnlinedBefore(scope),
      problem === null ? judgement : null,
      verdict,
      saidOf(stored),
      nowMs,
    ),
    generation,
    verdict,
    nowMs,
    pausedBy: scope.pausedBy,
    desired: scope.desired.ok ? scope.desired.value : null,
    mode: scope.mode,
    notStored: scope.notStored,
    handled: handledBy(scope),
  });
  return { verdict, status };
}

/** What passes by itself, and before which nothing was done. */
const passing: ReadonlySet<HostErrorCode> = new Set<HostErrorCode>([
  ...(['unreachable', 'too-many-requests', 'busy', 'hypervisor-unreachable', 'guest-late'] as const),
]);

/** Somebody asked for another try, and it couldn't be made: it is still to be made when what was in the way has passed. */
const isPutOff = ({ retryNow, hasChanged, problem, outcome }: ReconcileScope): boolean =>
  retryNow &&
  !hasChanged &&
  (problem?.retry === true || (outcome.kind === 'failed' && passing.has(outcome.error.code)));

/** What was asked for by annotations and is done with this status. */
function handledBy(scope: ReconcileScope): StatusInput['handled'] {
  const { requestedAt, observeRequestedAt, previous } = scope;
  const lastHandledReconcileAt = (isPutOff(scope) ? undefined : requestedAt) ?? previous.lastHandledReconcileAt;
  const lastHandledObserveAt = observeRequestedAt ?? previous.lastHandledObserveAt;
  return {
    ...(lastHandledReconcileAt === undefined ? {} : { lastHandledReconcileAt }),
    ...(lastHandledObserveAt === undefined ? {} : { lastHandledObserveAt }),
  };
}

/** As it stands for the run of the VM that was seen. */
const notOnlinedBefore = (scope: ReconcileScope): NotOnlined | undefined =>
  scope.judgement === null || scope.isSameRuntime(scope.judgement.located) ? scope.previous.notOnlined : undefined;

/** The reason that its status has for Ready. */
const saidOf = ({ status }: ReconcileScope['stored']): string | undefined =>
  status?.conditions?.find(({ type }) => type === 'Ready')?.reason;

const said = ({ conditions }: VirtualMachineMemoryStatus = {}): VirtualMachineMemoryStatus =>
  conditions === undefined ? {} : { conditions };

/** What is known of the VM, for the next reconcile should this one not come to its end. */
export function computeKnown(scope: ReconcileScope): VirtualMachineMemoryStatus {
  const { previous, judgement, problem, target, resize, drift } = scope;
  return computeMachine({
    ...{ previous, judgement, problem, target, drift },
    lastResize: resize,
    release: releaseOf(scope),
    notOnlined: notOnlinedBefore(scope),
  });
}

const releaseOf = ({ deadlineMs, previous, judgement, problem }: ReconcileScope): StatusInput['release'] =>
  deadlineMs === null ? undefined : computeRelease(deadlineMs, findLeft(previous, judgement, problem));
