/** Requests in few words: sizes in MiB, defaults as in the worked cases (boot 1024, granularity 128, 16 slots). */
import { mib, zeroBytes } from '../../../src/memory/bytes.ts';
import { aliasOfSlot } from '../../../src/memory/module.ts';
import { computePlan } from '../../../src/planner/plan.ts';
import type {
  Plan,
  PlannerModule,
  PlannerObservation,
  PlannerPolicy,
  PlanRequest,
} from '../../../src/planner/types.ts';

/** A module: its size in MiB, or more of it. */
export type ModuleLike = number | (Partial<Omit<PlannerModule, 'size'>> & { readonly size: number });

export function modulesOf(likes: readonly ModuleLike[]): PlannerModule[] {
  let base = mib(4096);
  return likes.map((like, slot) => {
    const { size, ...rest } = typeof like === 'number' ? { size: like } : like;
    const number = rest.slot ?? slot;
    const module: PlannerModule = {
      slot: number,
      alias: aliasOfSlot(number),
      node: 0,
      size: mib(size),
      base,
      state: 'Plugged',
      refusals: 0,
      quarantined: false,
      retryAfter: null,
      ...rest,
    };
    base = mib(base / 1024 / 1024 + size);
    return module;
  });
}

export const defaultObservation: PlannerObservation = {
  boot: [{ node: 0, size: mib(1024) }],
  modules: [],
  slots: { total: 16, usedByOthers: [], resting: [] },
  otherBytes: zeroBytes,
  maxMemory: 'unlimited',
  booting: false,
  cordoned: false,
  granularity: mib(128),
  pageSize: null,
  hostFree: null,
  hugepagesFree: null,
  guest: null,
};

const defaultPolicy: PlannerPolicy = { shrink: 'Exact', grow: 'Whole', guestSafety: 'Off' };

/** A request for `wanted` MiB. */
export const requestFor = (
  wanted: number,
  modules: readonly ModuleLike[],
  policy: Partial<PlannerPolicy> = {},
  observation: Partial<PlannerObservation> = {},
): PlanRequest => ({
  desired: mib(wanted),
  observation: { ...defaultObservation, modules: modulesOf(modules), ...observation },
  policy: { ...defaultPolicy, ...policy },
});

/** The plan of a request that makes sense. */
export function planOf(request: PlanRequest): Plan {
  const result = computePlan(request);
  if (!result.ok) throw new Error(`${result.error.field}: ${result.error.problem}`);
  return result.value;
}

/** {@link planOf} {@link requestFor}. */
export const planFor = (...args: Parameters<typeof requestFor>): Plan => planOf(requestFor(...args));

/** Bytes as MiB, for short expectations. */
export const inMib = (value: number | null): number | null => (value === null ? null : value / 1024 / 1024);

/** `['plug 512', 'unplug 1024@0']`: operation, MiB, and the slot of what goes. */
export const stepsOf = (plan: Plan): string[] =>
  plan.steps.map((step) => `${step.operation} ${step.size / 1024 / 1024}@${step.slot}`);

/** What a plan comes to, in MiB. */
export const outcomeOf = (plan: Plan): string => `${plan.decision} ${plan.reason} ${plan.resultMemory / 1024 / 1024}`;
