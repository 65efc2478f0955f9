/** From an observation to a plan: the planner's input is built here, and nowhere else. Pure. */
import { timestamp } from '../api/v1alpha1/conditions.ts';
import type { DesiredMemory } from '../api/v1alpha1/spec.ts';
import type { ModuleStatus } from '../api/v1alpha1/virtual-machine-memory.ts';
import { type Bytes, subtractBytes, sumBytes } from '../memory/bytes.ts';
import { defaultGranularity } from '../planner/granularity.ts';
import { computePlan, type PlanResult } from '../planner/plan.ts';
import type { Plan, PlannerObservation, ShrinkPolicy } from '../planner/types.ts';
import { computeHostFree, computeHugepagesFree } from './host-free.ts';
import { withHistory } from './refusals.ts';
import { computeCurrent } from './total.ts';
import type { Judged, Judgement, KnownModule, Located, Replacing } from './types.ts';

/** The guest's report as the planner judges it. */
function toGuestReport({ guest, observedAtMs }: Located['observation']): PlannerObservation['guest'] {
  if (guest === null) return null;
  const { total, usable, fresh, ofThisBoot, reportedAtMs } = guest;
  const report = { total, usable, fresh };
  return fresh || !ofThisBoot ? report : { ...report, silentMs: Math.max(0, observedAtMs - reportedAtMs) };
}

function buildObservation(
  located: Located,
  desired: DesiredMemory,
  modules: readonly KnownModule[],
  granularity: Bytes,
): PlannerObservation {
  const { layout, observation, facts, limits } = located;
  const pageSize = desired.pageSize ?? layout.pageSize;
  return {
    boot: layout.boot,
    modules: modules.map(({ slot, base, alias, node, size, state, history: { refusals, retryAfterMs } }) => ({
      slot,
      base,
      alias,
      node,
      size,
      state,
      refusals,
      quarantined: retryAfterMs !== null,
      retryAfter: retryAfterMs === null ? null : timestamp(retryAfterMs),
    })),
    slots: layout.slots,
    otherBytes: layout.otherBytes,
    maxMemory: layout.maxMemory ?? 'unsupported',
    booting: observation.booting,
    cordoned: limits.cordoned,
    granularity,
    pageSize,
    // Huge pages were set aside when the host booted: they are no part of its available memory.
    hostFree: facts === null || pageSize !== null ? null : computeHostFree(facts, limits),
    hugepagesFree: facts === null || pageSize === null ? null : computeHugepagesFree(facts, pageSize),
    guest: toGuestReport(observation),
  };
}

export type JudgeInput = {
  readonly desired: DesiredMemory;
  /** `desired.memory`, or the current total where nothing is wanted (observe only). */
  readonly target: Bytes;
  readonly located: Located;
  /** Generation of the wish. */
  readonly generation: number;
  /** Modules of the previous status, of the same running domain; else empty. */
  readonly previousModules: readonly ModuleStatus[];
  /** Somebody asked to retry now: nothing is quarantined. */
  readonly retryNow: boolean;
  /** Whether the replacement for this generation has been called off, as the previous status says. */
  readonly replacementEnded: boolean;
};

/** Judges an observation: what the planner says about it, or why it can't be planned with. */
export function judge(input: JudgeInput): Judged {
  const { desired, located } = input;
  const { layout, observation } = located;
  const modules = withHistory(layout.modules, input.previousModules, observation.observedAtMs, input.retryNow);
  const granularity =
    desired.granularity ??
    layout.granularity ??
    defaultGranularity(layout.architecture, sumBytes(layout.boot.map(({ size }) => size)));
  const seen = buildObservation(located, desired, modules, granularity);
  const plan = (target: Bytes, shrink: ShrinkPolicy): PlanResult =>
    computePlan({
      desired: target,
      observation: seen,
      policy: { shrink, grow: desired.growPolicy, guestSafety: desired.guestSafety },
    });

  const begun = observation.replacement?.generation === input.generation ? observation.replacement : null;
  const isPlugged = layout.modules.some(({ slot }) => slot === begun?.slot);
  // Somebody who asks to retry one that was rolled back gets a new one.
  const isReplacing = desired.shrinkPolicy === 'Replace' && begun !== null && (isPlugged || !input.retryNow);
  // A replacement is begun once: from then on only what is plugged already may go.
  const planned = plan(input.target, isReplacing ? 'Exact' : desired.shrinkPolicy);
  if (!planned.ok) {
    const { field, problem } = planned.error;
    return {
      kind: 'problem',
      problem: {
        reason: 'HotplugUnsupported',
        message: `the memory of VM ${observation.name} can't be planned with: ${field}: ${problem}`,
        retry: false,
        observation,
        hostName: located.hostName,
      },
    };
  }
  const judged = { desired, located, modules, granularity };
  const judgement: Judgement = isReplacing
    ? { ...judged, ...judgeReplacement(input, planned.plan, plan) }
    : { ...judged, plan: explainUnsupported(planned.plan, located), replacing: 'none' };
  return { kind: 'judged', judgement };
}

/** Why nothing can be plugged is known better by the host than by the planner. */
const explainUnsupported = (plan: Plan, { layout }: Located): Plan =>
  plan.reason === 'HotplugUnsupported' && layout.hotplugProblem !== null
    ? { ...plan, message: layout.hotplugProblem }
    : plan;

/** The shrink can't be finished: the guest refused, or what it refused was needed for every set. */
const isStuck = ({ decision, reason }: Plan): boolean =>
  decision === 'blocked' && (reason === 'GuestRefused' || reason === 'UnreachableSize' || reason === 'Misaligned');

/**
 * A replacement under way. When the guest refuses what was to go, the module plugged for it is taken out again (or one
 * of its size, which is the same to the guest), provided that the guest then has at least what is wanted.
 */
function judgeReplacement(
  { target, located, replacementEnded }: JudgeInput,
  plan: Plan,
  planFor: (target: Bytes, shrink: ShrinkPolicy) => PlanResult,
): { readonly plan: Plan; readonly replacing: Replacing } {
  if (plan.decision === 'noop') return { plan, replacing: 'none' };
  if (replacementEnded && plan.decision !== 'wait') return { plan, replacing: 'ended' };
  if (!isStuck(plan)) return { plan, replacing: 'unplugging' };

  const { layout, observation } = located;
  const plugged = layout.modules.find(({ slot }) => slot === observation.replacement?.slot);
  const current = computeCurrent(layout);
  if (plugged === undefined || current - plugged.size < target) return { plan, replacing: 'ended' };
  const back = planFor(subtractBytes(current, plugged.size), 'Exact');
  return back.ok && (back.plan.decision === 'unplug' || back.plan.decision === 'wait')
    ? { plan: back.plan, replacing: 'rolling-back' }
    : { plan, replacing: 'ended' };
}
