/** What the page says in words of its own; all that a plan or a reason says is said by them. Pure. */
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import { pausedAnnotation } from '../../../api/v1alpha1/meta.ts';
import type { ShrinkPolicy } from '../../../memory/policies.ts';
import { formatNeeded, formatQuantity } from '../../../memory/quantity.ts';
import type { PlanStep } from '../../../planner/types.ts';
import type { LivePlan } from '../../../preview/live-plan.ts';
import { age } from '../../../view/layout.ts';
import type { Ceiling, Floor } from './sizes.ts';

const modules = (count: number): string => (count === 1 ? '1 module' : `${count} modules`);
const countOf = (steps: readonly PlanStep[], operation: PlanStep['operation']): number =>
  steps.filter((step) => step.operation === operation).length;

/** What the button does. @param wanted what the spec says now; empty: nothing @param way the policy that is set, too */
export function actionOf(live: LivePlan, wanted: string, way: ShrinkPolicy | null = null): string {
  if (way === null) return changeOf(live, wanted);
  const isSizeKept = live.plan.steps.length === 0 && formatQuantity(live.request.desired) === wanted;
  return isSizeKept ? `Set shrinkPolicy ${way}` : `${changeOf(live, wanted)}, with ${way}`;
}

function changeOf({ plan, request }: LivePlan, wanted: string): string {
  const size = formatQuantity(request.desired);
  const [taken, given] = [countOf(plan.steps, 'unplug'), countOf(plan.steps, 'plug')];
  if (taken > 0 && given > 0) return `Plug in ${modules(given)}, then take out ${taken}`;
  if (taken > 0) return `Take out ${modules(taken)}`;
  if (given > 0) return `Plug in ${modules(given)}`;
  if (size === wanted) return 'Nothing to change';
  return plan.decision === 'noop' ? `Keep ${size}` : `Ask for ${size}`;
}

/** How a size that exact sets don't reach is reached; null: by an exact set. */
export function wayOf({ plan }: LivePlan): 'Replace' | 'Nearest' | null {
  if (plan.decision === 'replace') return 'Replace';
  return plan.reason === 'ConvergedNearest' || (plan.residual !== null && plan.residual !== 0) ? 'Nearest' : null;
}

/** A size with the policy that is to reach it; null: that of its spec. */
export const wishText = (size: string, way: ShrinkPolicy | null): string =>
  way === null ? size : `${size} with ${way}`;

/** What a screen reader says of the thumb: the size, how it is reached where that takes more than an exact set, and the plan for it. */
export const valueText = (live: LivePlan): string =>
  `${wishText(formatQuantity(live.request.desired), wayOf(live))}: ${live.plan.message}`;

/** What a policy offers, and at which price. */
export const policyText: Readonly<Record<ShrinkPolicy, string>> = {
  Exact: 'only sizes that the modules make',
  Nearest: 'where no modules make a size, the guest keeps a little more',
  Replace: 'where no modules make a size, one is plugged first',
};

/** The same sentence, as one: it begins with a capital, and ends. */
export const sentence = (text: string): string =>
  text === '' ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

export function floorText({ size, why }: Floor): string {
  switch (why) {
    case 'boot':
      return `${formatQuantity(size)} is boot memory, which stays`;
    case 'inUse':
      return `below ${formatNeeded(size)} the guest would lose memory that it uses`;
    case 'unknown':
      return 'nothing goes: what the guest uses is not known';
    default:
      return why satisfies never;
  }
}

export function ceilingText({ size, why }: Ceiling): string {
  const most = formatQuantity(size);
  switch (why) {
    case 'maximum':
      return `${most} is the most that this VM may have`;
    case 'map':
      return `${most} is the most with so little boot memory`;
    case 'hardLimit':
      return `above ${most} the memory limit of its QEMU would end it`;
    case 'host':
      return `above ${most} the host has no room now`;
    case 'namespace':
      return `above ${most} its namespace may have no more of the host`;
    case 'slots':
      return `above ${most} there is no free slot`;
    case 'cordoned':
      return 'no more: the host is cordoned';
    case 'hotplug':
      return 'no more: nothing can be plugged into this VM';
    default:
      return why satisfies never;
  }
}

export const isPaused = ({ spec, metadata }: VirtualMachineMemory): boolean =>
  spec.paused === true || metadata.annotations?.[pausedAnnotation] === 'true';

/** A figure of the guest is old after this. */
export const freshMs = 15_000;

/** How old what the guest reported is, milliseconds; null: it never reported. @param nowMs epoch milliseconds */
export function reportAge({ status }: VirtualMachineMemory, nowMs: number): number | null {
  const at = status?.planning?.guest?.reportedAt;
  return at === undefined ? null : Math.max(0, nowMs - Date.parse(at));
}

/** `12s ago`; what is in the future by another clock is now. */
export const agoText = (ms: number): string => (ms < 1000 ? 'just now' : `${age(ms)} ago`);
