/** A plan for a resource as it was last observed, and what the guest's use has to do with it. Pure. */
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import { type Bytes, bytes } from '../memory/bytes.ts';
import { fail, type Result, succeed } from '../memory/result.ts';
import { judgeUnplug, type UnplugSafety } from '../planner/guest-safety.ts';
import { computePlan } from '../planner/plan.ts';
import { surveySituation } from '../planner/situation.ts';
import type { Plan, PlanReason, PlanRequest, PlanStep } from '../planner/types.ts';
import { requestFromStatus, type StatusWish } from './from-status.ts';

export type LivePlan = {
  readonly request: PlanRequest;
  readonly plan: Plan;
  /** The steps that would be taken; where only the guest's use stands in their way, too. */
  readonly steps: readonly PlanStep[];
  /** What goes, and whether the guest can spare that; null: nothing goes. */
  readonly guest: { readonly taken: Bytes; readonly safety: UnplugSafety } | null;
  /** When the resource was observed, RFC 3339. */
  readonly observedAt: string;
};

/** What says that steps are known, and not taken for what the guest uses, or what isn't known of that. */
const heldByGuest: ReadonlySet<PlanReason> = new Set(['GuestMemoryInUse', 'GuestMemoryUnknown', 'WaitingForGuest']);

/** Plans for `wish`; the problem says what an object that no plan can be made of lacks, or what is wrong with the wish. */
export function planLive(resource: VirtualMachineMemory, wish: StatusWish): Result<LivePlan, string> {
  const read = requestFromStatus(resource, wish);
  if (!read.ok) return read;
  const request = read.value;
  const planned = computePlan(request);
  if (!planned.ok) return fail(`${planned.error.field}: ${planned.error.problem}`);
  const plan = planned.value;
  const steps = plan.steps.length === 0 && heldByGuest.has(plan.reason) ? stepsRegardless(request) : plan.steps;
  const sumOf = (operation: PlanStep['operation']): Bytes =>
    bytes(steps.reduce((sum, step) => (step.operation === operation ? sum + step.size : sum), 0));
  const [taken, given] = [sumOf('unplug'), sumOf('plug')];
  return succeed({
    request,
    plan,
    steps,
    guest: taken === 0 ? null : { taken, safety: judgeUnplug(surveySituation(request), taken, given) },
    observedAt: resource.status?.planning?.observedAt ?? '',
  });
}

/** What would be done if the guest could spare anything. */
function stepsRegardless(request: PlanRequest): readonly PlanStep[] {
  const planned = computePlan({ ...request, policy: { ...request.policy, guestSafety: 'Off' } });
  return planned.ok ? planned.value.steps : [];
}
