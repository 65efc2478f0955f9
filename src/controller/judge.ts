/** From an observation to a plan: the planner's input is built here, and nowhere else. Pure. */
import type { DesiredMemory } from '../api/v1alpha1/spec.ts';
import type { ModuleStatus } from '../api/v1alpha1/virtual-machine-memory.ts';
import { timestamp } from '../api/v1alpha1/conditions.ts';
import { type Bytes, sumBytes } from '../memory/bytes.ts';
import { defaultGranularity } from '../planner/granularity.ts';
import { computePlan } from '../planner/plan.ts';
import type { PlannerObservation } from '../planner/types.ts';
import { computeRefusals } from './refusals.ts';
import type { Judgement, Located, ModuleRefusals, Problem } from './types.ts';

/** Total guest memory: boot memory plus all modules, those that are leaving too. */
export const computeCurrent = (layout: Located['layout']): Bytes =>
  sumBytes([...layout.boot, ...layout.modules].map(({ size }) => size));

function buildObservation(
  located: Located,
  desired: DesiredMemory,
  refusals: readonly ModuleRefusals[],
  granularity: Bytes,
): PlannerObservation {
  const { layout, observation } = located;
  return {
    boot: layout.boot,
    modules: layout.modules.map((module, index) => {
      const history = refusals[index];
      const retryAfterMs = history?.retryAfterMs ?? null;
      return {
        slot: module.slot,
        base: module.base,
        alias: module.alias,
        node: module.node,
        size: module.size,
        state: module.state,
        refusals: history?.refusals ?? 0,
        quarantined: retryAfterMs !== null,
        retryAfter: retryAfterMs === null ? null : timestamp(retryAfterMs),
      };
    }),
    slots: layout.slots,
    otherBytes: layout.otherBytes,
    maxMemory: layout.maxMemory ?? 'unsupported',
    booting: observation.booting,
    cordoned: located.limits.cordoned,
    granularity,
    pageSize: desired.pageSize ?? layout.pageSize,
    hostFree: located.hostFree,
    hugepagesFree: null,
    guest: observation.guest,
  };
}

export type JudgeInput = {
  readonly desired: DesiredMemory;
  /** `desired.memory`, or the current total where nothing is wanted (observe only). */
  readonly target: Bytes;
  readonly located: Located;
  /** Modules of the previous status, of the same running domain; else empty. */
  readonly previousModules: readonly ModuleStatus[];
  /** Somebody asked to retry now: nothing is quarantined. */
  readonly retryNow: boolean;
};

/** Judges an observation: what the planner says about it, or why it can't be planned with. */
export function judge(input: JudgeInput): Judgement | Problem {
  const { desired, located } = input;
  const { layout, observation } = located;
  const refusals = computeRefusals(layout.modules, input.previousModules, observation.observedAtMs, input.retryNow);
  const granularity =
    desired.granularity ??
    layout.granularity ??
    defaultGranularity(layout.architecture, sumBytes(layout.boot.map(({ size }) => size)));

  const planned = computePlan({
    desired: input.target,
    observation: buildObservation(located, desired, refusals, granularity),
    policy: { shrink: desired.shrinkPolicy, grow: desired.growPolicy, guestSafety: desired.guestSafety },
  });
  if (!planned.ok) {
    const { field, problem } = planned.error;
    return {
      reason: 'HotplugUnsupported',
      message: `the memory of VM ${observation.name} can't be planned with: ${field}: ${problem}`,
      retry: false,
      observation,
      hostName: located.hostName,
    };
  }
  const plan =
    planned.plan.reason === 'HotplugUnsupported' && layout.hotplugProblem !== null
      ? { ...planned.plan, message: layout.hotplugProblem }
      : planned.plan;
  return { desired, located, refusals, granularity, plan };
}
