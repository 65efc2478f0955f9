/** From an observation to a plan: the planner's input is built here, and nowhere else. Pure. */
import { timestamp } from '../../../api/v1alpha1/conditions.ts';
import type { DesiredMemory } from '../../../api/v1alpha1/spec.ts';
import type { ModuleStatus } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import { type Bytes, sumBytes } from '../../../memory/bytes.ts';
import { defaultGranularity } from '../../../memory/granularity.ts';
import { computePlan } from '../../../planner/plan.ts';
import type { ShrinkPolicy } from '../../../memory/policies.ts';
import type { Plan, PlanInputError, PlannerObservation } from '../../../planner/types.ts';
import { qemuOverhead } from '../../../host/rules/capacity.ts';
import { computeNamespaceFree, holderOf } from '../../../host/rules/namespace-limit.ts';
import { totalOf } from '../../../host/rules/total.ts';
import { computeBackings } from '../backing.ts';
import { withHistory } from '../refusals.ts';
import { planRelease, safetyOf, sparingOthers } from '../release.ts';
import { findBegun, judgeReplacement } from '../replacement.ts';
import { explainUnjudgedPlan } from '../taken-up.ts';
import { computeCurrent } from '../total.ts';
import type { Judged, Judgement, KnownModule, Located } from '../types.ts';
import type { Result } from '../../../memory/result.ts';

/** The guest's report as the planner judges it. */
function toGuestReport({ guest, observedAtMs }: Located['observation']): PlannerObservation['guest'] {
  if (guest === null) return null;
  const { total, usable, fresh, ofThisBoot, reportedAtMs, takenOfModules } = guest;
  const report = { total, usable, fresh, ...(takenOfModules === null ? {} : { takenOfModules }) };
  return fresh || !ofThisBoot ? report : { ...report, silentMs: Math.max(0, observedAtMs - reportedAtMs) };
}

/** By how much the namespace's limit lets the VM grow; null: there is none, or an older agent doesn't say what it has. */
function findNamespaceFree({ limits, facts, tenant, observation, layout }: Located): Bytes | null {
  const shares = facts?.namespaces ?? null;
  if (limits.namespaceLimit === null || shares === null) return null;
  const vm = { holder: holderOf(observation), committed: totalOf(layout) };
  return computeNamespaceFree(shares, tenant, limits.namespaceLimit, vm);
}

function buildObservation(
  located: Located,
  desired: DesiredMemory,
  modules: readonly KnownModule[],
  granularity: Bytes,
): PlannerObservation {
  const { layout, observation, limits } = located;
  const backings = computeBackings(located, desired);
  const [first] = backings;
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
    otherTotal: layout.otherTotal,
    maxMemory: layout.maxMemory ?? 'unsupported',
    hotplugProblem: layout.hotplugProblem,
    booting: observation.booting,
    cordoned: limits.cordoned,
    granularity,
    pageSize: first?.pageSize ?? null,
    hostFree: first?.hostFree ?? null,
    hugepagesFree: first?.hugepagesFree ?? null,
    backings,
    namespaceFree: findNamespaceFree(located),
    hardLimit:
      layout.hardLimit === null
        ? null
        : { size: layout.hardLimit, overhead: qemuOverhead(layout.hardLimit), pinned: layout.pinned },
    sharedWith: layout.sharedWith,
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
  readonly calledOff: boolean;
  /** See {@link Judgement.release}. */
  readonly release: Judgement['release'];
};

/** Judges an observation: what the planner says about it, or why it can't be planned with. */
export function judge(input: JudgeInput): Judged {
  const { desired, located } = input;
  const { layout, observation } = located;
  const modules = withHistory(layout.modules, input.previousModules, observation.observedAtMs, input.retryNow);
  const block =
    layout.granularity ?? defaultGranularity(layout.architecture, sumBytes(layout.boot.map(({ size }) => size)));
  const granularity = desired.granularity ?? block;
  const seen = buildObservation(located, desired, modules, granularity);
  const { release } = input;
  const observed = release === null ? seen : sparingOthers(seen);
  const guestSafety = release === null ? desired.guestSafety : safetyOf(desired);
  const plan = (target: Bytes, shrink: ShrinkPolicy, rounding = desired.rounding): Result<Plan, PlanInputError> =>
    computePlan({
      desired: target,
      observation: observed,
      policy: { shrink, grow: desired.growPolicy, guestSafety, rounding },
    });

  const begun =
    desired.shrinkPolicy === 'Replace' && release === null
      ? findBegun(located, input.generation, input.retryNow)
      : null;
  // A replacement is begun once: from then on only what is plugged already may go.
  const planned =
    release === null
      ? plan(input.target, begun === null ? desired.shrinkPolicy : 'Exact')
      : planRelease(layout.modules, computeCurrent(layout), (target) => plan(target, 'Exact', 'Exact'));
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
  const judged = { desired, located, modules, granularity, block, seen, release };
  const judgement: Judgement =
    begun === null
      ? { ...judged, plan: planned.value, replacement: null }
      : { ...judged, ...judgeReplacement({ ...input, begun }, planned.value, (size) => plan(size, 'Exact', 'Exact')) };
  const message = `${judgement.plan.message}${explainUnjudgedPlan(judgement.plan, located)}`;
  return { kind: 'judged', judgement: { ...judgement, plan: { ...judgement.plan, message } } };
}
