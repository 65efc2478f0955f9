/** The one conclusion that is drawn from what a reconcile knows, whatever phase was its last. Pure. */
import type { VirtualMachineMemoryStatus } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import { isUnrecorded } from '../drift.ts';
import { completeResize } from '../resize.ts';
import type { ReconcileScope } from '../scope.ts';
import { computeMachine, computeStatus, type StatusInput } from '../status.ts';
import type { Verdict } from '../types.ts';
import { computeVerdict, isConverged, judgeProblem } from '../verdict.ts';

export type Conclusion = { readonly verdict: Verdict; readonly status: VirtualMachineMemoryStatus };

function judgeScope(scope: ReconcileScope, nowMs: number): Verdict {
  const { problem, judgement, outcome, mode, resize, drift, stored } = scope;
  if (problem !== null) return judgeProblem(problem);
  if (judgement === null) throw new Error('a reconcile ended with neither a plan nor a problem');
  const isBeginning = isUnrecorded(drift, stored.status);
  return computeVerdict({ judgement, outcome, mode, resize, drift, isBeginning, nowMs });
}

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
    generation,
    verdict,
    nowMs,
    pausedBy: scope.pausedBy,
    handled: handledBy(scope),
  });
  return { verdict, status };
}

/** What was asked for by annotations and is done with this status. */
function handledBy({ requestedAt, observeRequestedAt, previous }: ReconcileScope): StatusInput['handled'] {
  const lastHandledReconcileAt = requestedAt ?? previous.lastHandledReconcileAt;
  const lastHandledObserveAt = observeRequestedAt ?? previous.lastHandledObserveAt;
  return {
    ...(lastHandledReconcileAt === undefined ? {} : { lastHandledReconcileAt }),
    ...(lastHandledObserveAt === undefined ? {} : { lastHandledObserveAt }),
  };
}

const said = ({ conditions }: VirtualMachineMemoryStatus = {}): VirtualMachineMemoryStatus =>
  conditions === undefined ? {} : { conditions };

/** What is known of the VM, for the next reconcile should this one not come to its end. */
export const computeKnown = ({
  previous,
  judgement,
  problem,
  target,
  resize,
  drift,
}: ReconcileScope): VirtualMachineMemoryStatus =>
  computeMachine({ previous, judgement, problem, target, lastResize: resize, drift });
