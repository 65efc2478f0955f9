/** A plan for a live resource, in titled blocks: what leaves, in which order, and whether the guest can spare it. Pure. */
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import { type Bytes, bytes, sumBytes } from '../memory/bytes.ts';
import { formatMeasured, formatNeeded, formatQuantity } from '../memory/quantity.ts';
import type { Plan, PlanStep } from '../planner/types.ts';
import type { LivePlan } from '../preview/live-plan.ts';
import { age, block, field, type Look, paint, type Style, tellTimes } from './layout.ts';
import { describeReachable } from './reachable.ts';
import { slotPicture } from './slot-picture.ts';
import { adviceFor, goesOn, titleOf } from './subject.ts';
import { reachableText } from '../planner/explain.ts';

/** All that a plan for `resource` says. @param nowMs epoch milliseconds */
export function describePlan(resource: VirtualMachineMemory, live: LivePlan, look: Look, nowMs: number): string {
  const { status = {}, spec, metadata } = resource;
  const { plan, steps } = live;
  const isPaused = spec.paused === true || metadata.annotations?.['dimmer.dev/paused'] === 'true';
  const help = plan.decision === 'blocked' ? adviceFor(plan.reason) : null;
  const blocks = [
    [paint(look, 'bold', titleOf(resource, look.width))],
    block(look, 'Plan', [
      ...field(look, 'wanted', wantedText(live)),
      ...field(look, decisionWord(plan), `${plan.reason}: ${tellTimes(plan.message, nowMs)}`).map((line, index) =>
        index === 0 ? line.replace(plan.reason, paint(look, styleOfDecision(plan), plan.reason)) : line,
      ),
      ...(live.guest === null ? [] : field(look, 'guest', guestText(live, live.guest))),
      ...(help === null ? [] : field(look, 'to do', help)),
      ...(isPaused ? field(look, 'paused', 'nothing is changed until it is resumed') : []),
      ...field(look, 'as of', asOfText(live, nowMs)),
    ]),
    block(look, stepsTitle(plan, steps), stepLines(live)),
    status.slots === undefined ? [] : block(look, 'Slots', slotPicture(status, look, nowMs, steps)),
    block(look, 'Sizes that can be reached', describeReachable(reachableText(plan.reachable), look)),
  ];
  return `${blocks.flat().join('\n')}\n`;
}

/** What a guest can spare changes every second, and a status isn't written while nothing happens to the VM. */
const freshMs = 15_000;

/** Whether modules would leave by what is too old to judge a guest by. @param nowMs epoch milliseconds */
export const isOld = ({ observedAt, steps }: LivePlan, nowMs: number): boolean =>
  steps.some(({ operation }) => operation === 'unplug') && nowMs - Date.parse(observedAt) > freshMs;

function asOfText(live: LivePlan, nowMs: number): string {
  const ms = nowMs - Date.parse(live.observedAt);
  return isOld(live, nowMs)
    ? `${age(ms)} ago: by now the guest may use more or less; it is asked again before a module leaves`
    : `${age(ms)} ago`;
}

const totalOf = ({ observation }: LivePlan['request']): Bytes =>
  bytes(
    sumBytes(observation.boot.map(({ size }) => size)) +
      sumBytes(observation.modules.map(({ size }) => size)) +
      (observation.otherTotal ?? 0),
  );

function wantedText({ request, plan }: LivePlan): string {
  const [wanted, now] = [formatQuantity(request.desired), formatQuantity(totalOf(request))];
  if (plan.residual === null) return `${wanted}; it has ${now} now, and keeps that`;
  const after = formatQuantity(plan.resultMemory);
  const gap = plan.residual === 0 ? '' : ', not what is wanted';
  return after === now
    ? `${wanted}; it has ${now} now${gap}`
    : `${wanted}; it has ${now} now, and ${after} after it${gap}`;
}

const decisionWord = ({ decision }: Plan): string => (decision === 'noop' ? 'nothing' : decision);

function styleOfDecision({ decision, reason }: Plan): Style {
  if (decision === 'blocked') return goesOn(reason) ? 'yellow' : 'red';
  return decision === 'wait' ? 'yellow' : 'green';
}

function guestText({ request }: LivePlan, { taken, safety }: NonNullable<LivePlan['guest']>): string {
  const goes = formatQuantity(taken);
  const usable = formatMeasured(request.observation.guest?.usable ?? bytes(0));
  switch (safety.kind) {
    case 'safe':
      return safety.minUsableAfter === null
        ? (safety.note ?? '')
        : `can spare the ${goes} that leave: ${usable} are usable, ${formatNeeded(safety.minUsableAfter)} must stay so`;
    case 'inUse':
      return `can't spare the ${goes} that would leave: ${usable} are usable, ${formatNeeded(safety.margin)} must stay so`;
    case 'late':
    case 'unknown':
      return `it isn't known whether it can spare the ${goes} that would leave`;
    default:
      return safety satisfies never;
  }
}

const stepsTitle = ({ steps: own }: Plan, steps: readonly PlanStep[]): string =>
  own.length === 0 && steps.length > 0 ? 'Steps, once the guest can spare them' : 'Steps';

function stepLines({ request, steps }: LivePlan): readonly string[] {
  if (steps.length === 0) return ['  none now'];
  const manyNodes = request.observation.boot.length > 1;
  let total: number = totalOf(request);
  return steps.map((step, index) => {
    total += step.operation === 'plug' ? step.size : 0 - step.size;
    const what = `${step.operation.padEnd(6)} ${formatQuantity(step.size).padStart(6)}  slot ${String(step.slot).padEnd(3)}`;
    const node = manyNodes ? `  node ${step.node}` : '';
    const waits = step.operation === 'plug' && step.waitForOnline ? ', once the guest has taken up the last' : '';
    return `  ${String(index + 1).padStart(3)}. ${what}${node}  then ${formatQuantity(bytes(total))}${waits}`;
  });
}
