/** Status, derived purely from (previous status, observation, plan, verdict, now). */
import { boundMemoryStatus } from '../../api/v1alpha1/bounds.ts';
import { computeConditions, type ConditionInput, preciseTimestamp } from '../../api/v1alpha1/conditions.ts';
import { type Reason, rowOf } from '../../api/v1alpha1/reasons.ts';
import type {
  ModuleStatus,
  PlanStatus,
  VirtualMachineMemoryStatus,
} from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { DomainObservation } from '../../host/port.ts';
import { type Bytes, sumBytes } from '../../memory/bytes.ts';
import { formatMeasured, formatQuantity } from '../../memory/quantity.ts';
import type { Plan } from '../../planner/types.ts';
import { computeRefusedConditions, explainRefusedStatus } from '../shared/refused-status.ts';
import { judgeHotplugReady } from './hotplug-ready.ts';
import { judgePersisted, type PersistedInput } from './persisted.ts';
import { computePlanning } from './planning.ts';
import { formatBase } from './refusals.ts';
import { judgeRestart } from './restart-required.ts';
import { computeCurrent } from './total.ts';
import type { Judgement, Problem, Verdict } from './types.ts';
import { reachableText } from '../../planner/explain.ts';

/** What is known of the VM. */
export type MachineInput = {
  readonly previous: VirtualMachineMemoryStatus;
  /** The last one of this reconcile; null: there was none. */
  readonly judgement: Judgement | null;
  /** What was met after that; null: nothing. */
  readonly problem: Problem | null;
  /** The wanted total; null: none (observe only), or none that could be read. */
  readonly target: Bytes | null;
  readonly lastResize: VirtualMachineMemoryStatus['lastResize'];
  readonly drift: VirtualMachineMemoryStatus['drift'];
  readonly release: VirtualMachineMemoryStatus['release'];
  readonly notOnlined: VirtualMachineMemoryStatus['notOnlined'];
};

export type StatusInput = MachineInput & {
  readonly generation: number;
  readonly verdict: Verdict;
  readonly nowMs: number;
  readonly desired: PersistedInput['desired'];
  readonly mode: PersistedInput['mode'];
  readonly notStored: PersistedInput['notStored'];
  /** What pauses it, in words; null: nothing. */
  readonly pausedBy: string | null;
  /** Values of the annotations that asked for a retry and for a look, once that has been done. */
  readonly handled: Pick<VirtualMachineMemoryStatus, 'lastHandledReconcileAt' | 'lastHandledObserveAt'>;
};

const capitalised = {
  noop: 'Noop',
  plug: 'Plug',
  unplug: 'Unplug',
  replace: 'Replace',
  wait: 'Wait',
  blocked: 'Blocked',
} as const;

/** A plan as status shows it. At most 32 steps: the rest is in `message`. */
const computePlanStatus = (plan: Plan): PlanStatus => ({
  decision: capitalised[plan.decision],
  steps: plan.steps.slice(0, 32).map((step) => ({
    operation: capitalised[step.operation],
    size: formatQuantity(step.size),
    node: step.node,
    slot: step.slot,
    ...(step.operation === 'plug' && step.waitForOnline ? { waitForOnline: true } : {}),
  })),
  message: plan.message,
});

function computeModules({ modules }: Judgement): readonly ModuleStatus[] {
  return modules.map((module): ModuleStatus => {
    const { refusals, refusedAtMs, retryAfterMs } = module.history;
    return {
      slot: module.slot,
      alias: module.alias,
      node: module.node,
      size: formatQuantity(module.size),
      base: formatBase(module.base),
      state: module.state === 'Leaving' ? 'Leaving' : retryAfterMs === null ? 'Plugged' : 'Refused',
      ...(module.mark === null ? {} : { leavingSince: preciseTimestamp(module.mark.firstAskedAtMs) }),
      ...(refusals === 0 ? {} : { refusals }),
      ...(refusedAtMs === null ? {} : { refusedAt: preciseTimestamp(refusedAtMs) }),
      ...(retryAfterMs === null ? {} : { retryAfter: preciseTimestamp(retryAfterMs) }),
    };
  });
}

const computeVirtualMachine = (
  observation: DomainObservation,
): NonNullable<VirtualMachineMemoryStatus['virtualMachine']> => ({
  uuid: observation.uuid,
  name: observation.name,
  state: observation.state,
  ...(observation.runtimeId === null ? {} : { runtimeId: observation.runtimeId }),
});

/** The part of the status that comes from a layout. */
function computeObserved(judgement: Judgement, target: Bytes | null): Partial<VirtualMachineMemoryStatus> {
  const { located, plan, granularity, replacement } = judgement;
  const { layout, observation } = located;
  const nextBoot = observation.stored?.memory ?? undefined;
  return {
    hostName: located.hostName,
    virtualMachine: computeVirtualMachine(observation),
    memory: {
      boot: formatQuantity(sumBytes(layout.boot.map(({ size }) => size))),
      plugged: formatQuantity(sumBytes(layout.modules.map(({ size }) => size))),
      current: formatQuantity(computeCurrent(layout)),
      ...(target === null ? {} : { target: formatQuantity(target) }),
      ...(observation.guest === null ? {} : { guestTotal: formatMeasured(observation.guest.total) }),
      balloon: formatQuantity(layout.balloon),
      ...(layout.maxMemory === null ? {} : { max: formatQuantity(layout.maxMemory) }),
      ...(nextBoot === undefined ? {} : { atNextBoot: formatQuantity(nextBoot.total) }),
    },
    slots: { total: layout.slots.total, used: layout.modules.length + layout.slots.usedByOthers.length },
    granularity: formatQuantity(granularity),
    modules: computeModules(judgement),
    plan: computePlanStatus(plan),
    reachable: reachableText(plan.reachable),
    planning: computePlanning(judgement),
    ...(replacement === null ? {} : { replacement }),
  };
}

/**
 * What stays of what was last known when a problem was met: all of it while the host doesn't answer; without a running
 * QEMU process only who the virtual machine is.
 */
function computeUnplanned(
  last: Partial<VirtualMachineMemoryStatus>,
  { observation, hostName }: Problem,
): Partial<VirtualMachineMemoryStatus> {
  if (observation === undefined) return last;
  const known = { virtualMachine: computeVirtualMachine(observation), ...(hostName === undefined ? {} : { hostName }) };
  return observation.layout === null ? known : { ...last, ...known };
}

const unreachableReasons: ReadonlySet<Reason> = new Set<Reason>(['HostUnreachable', 'HostUnauthorized', 'HostUnknown']);

/** A plan that plugs, and nobody could judge what the host has left. */
const isHostUnjudged = (judgement: Judgement | null): boolean =>
  judgement?.located.facts === null && judgement.plan.steps.some(({ operation }) => operation === 'plug');

function computeConditionInputs({ verdict, problem, pausedBy, ...input }: StatusInput): readonly ConditionInput[] {
  const { reason, message } = verdict;
  const row = rowOf(reason);
  const aside = (type: string, isFalse: boolean, isKnown: boolean, falseReason: string, why: string): ConditionInput =>
    isFalse
      ? { type, status: 'False', reason: falseReason, message: why }
      : isKnown
        ? { type, status: 'True', reason: 'AsExpected', message: '' }
        : { type, status: 'Unknown', reason: 'NotObserved', message: '' };

  const judgement = problem === null ? input.judgement : null;
  const refused = judgement === null ? [] : computeModules(judgement).filter(({ state }) => state === 'Refused');
  const plan = judgement?.plan ?? null;
  return [
    { type: 'Ready', status: row.ready, reason, message },
    // Said once, and where it is why the condition is True: the object is what everybody who watches is sent.
    {
      type: 'Reconciling',
      status: row.reconciling ? 'True' : 'False',
      reason,
      message: row.reconciling ? message : '',
    },
    { type: 'Stalled', status: row.stalled ? 'True' : 'False', reason, message: row.stalled ? message : '' },
    aside(
      'HostReachable',
      unreachableReasons.has(reason),
      judgement !== null || problem?.observation !== undefined,
      reason,
      message,
    ),
    isHostUnjudged(judgement)
      ? { type: 'PlanFeasible', status: 'Unknown', reason: 'HostNotJudged', message: plan?.message ?? '' }
      : aside('PlanFeasible', plan?.decision === 'blocked', plan !== null, plan?.reason ?? reason, plan?.message ?? ''),
    reason === 'UnplugUnknown'
      ? { type: 'GuestAccepted', status: 'Unknown', reason, message }
      : aside(
          'GuestAccepted',
          refused.length > 0,
          judgement !== null,
          'GuestRefused',
          `the guest refused to give up ${refused.map(({ alias, size, retryAfter }) => `module ${alias} (${size}, asked again after ${retryAfter ?? 'now'})`).join(', ')}`,
        ),
    judgeHotplugReady(judgement, verdict, input.notOnlined),
    judgeRestart(judgement),
    ...[judgePersisted({ ...input, judgement, verdict })].filter((persisted) => persisted !== null),
    pausedBy === null
      ? { type: 'Paused', status: 'False', reason: 'NotPaused', message: '' }
      : { type: 'Paused', status: 'True', reason: 'Paused', message: `paused by ${pausedBy}` },
  ];
}

/** The part of the status that is about the VM, and not about what is said of it. */
export function computeMachine(input: MachineInput): VirtualMachineMemoryStatus {
  const { previous, judgement, problem, target, lastResize, drift, release, notOnlined } = input;
  const last = judgement === null ? previous : computeObserved(judgement, target);
  const known = problem === null ? last : computeUnplanned(last, problem);
  return boundMemoryStatus({ ...known, ...withoutAbsent({ lastResize, drift, release, notOnlined }) });
}

/** The whole status. It is written only if it differs from the previous one. */
export function computeStatus(input: StatusInput): VirtualMachineMemoryStatus {
  const { previous, generation, nowMs } = input;
  return {
    ...computeMachine(input),
    observedGeneration: generation,
    conditions: computeConditions(previous.conditions ?? [], computeConditionInputs(input), { generation, nowMs }),
    ...input.handled,
  };
}

/**
 * What is written where the API server refuses `status`: that it does, who the VM is, and what must not be forgotten.
 * @param stored as the API server has it, and so took it once
 */
export function computeShortStatus(
  stored: VirtualMachineMemoryStatus,
  status: VirtualMachineMemoryStatus,
  refusal: string,
  nowMs: number,
): VirtualMachineMemoryStatus {
  const { observedGeneration: generation = 0, lastHandledReconcileAt, lastHandledObserveAt } = status;
  const { hostName, virtualMachine, lastResize, replacement, drift, notOnlined } = stored;
  const inputs = computeRefusedConditions(explainRefusedStatus(refusal, status.conditions));
  return {
    ...withoutAbsent({
      hostName,
      virtualMachine,
      lastResize,
      replacement,
      drift,
      notOnlined,
      lastHandledReconcileAt,
      lastHandledObserveAt,
    }),
    observedGeneration: generation,
    conditions: computeConditions(stored.conditions ?? [], inputs, { generation, nowMs }),
  };
}

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** `fields` without those that are undefined: such a member of a status is no member. */
const withoutAbsent = <T extends object>(fields: T): Present<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
