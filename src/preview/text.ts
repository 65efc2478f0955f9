/** A plan for people: before, steps, after, and which sizes can be reached. */
import { type Bytes, sumBytes, zeroBytes } from '../memory/bytes.ts';
import { formatQuantity } from '../memory/quantity.ts';
import { applyStep } from '../planner/simulate.ts';
import type { Plan, PlannerObservation, PlanRequest, PlanStep, SizeRange } from '../planner/types.ts';
import { columns, wrap } from '../memory/lines.ts';

const lineWidth = 100;

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
const capitalise = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const stepRow = (step: PlanStep, index: number, manyNodes: boolean): string[] => [
  `${index + 1}.`,
  step.operation,
  formatQuantity(step.size),
  `slot ${step.slot}`,
  manyNodes ? `node ${step.node}` : '',
  step.operation === 'unplug' ? step.alias : step.waitForOnline ? 'once the guest has onlined the last' : '',
];

/** `0: 384Mi, 1: 256Mi (leaving)`, slot by slot. */
function describeModules({ modules }: PlannerObservation): string {
  if (modules.length === 0) return 'none';
  return modules
    .toSorted((a, b) => a.slot - b.slot)
    .map(({ slot, size, state, quarantined }) => {
      const note = state === 'Leaving' ? ' (leaving)' : quarantined ? ' (quarantined)' : '';
      return `${slot}: ${formatQuantity(size)}${note}`;
    })
    .join(', ');
}

const describeRange = ({ from, to, step }: SizeRange): string => {
  if (from === to) return formatQuantity(from);
  if (from + step === to) return `${formatQuantity(from)}, ${formatQuantity(to)}`;
  return `${formatQuantity(from)} to ${formatQuantity(to)} in steps of ${formatQuantity(step)}`;
};

function memoryRows({ observation, desired }: PlanRequest, after: PlannerObservation): string[][] {
  const boot = sumBytes(observation.boot.map(({ size }) => size));
  const plugged = ({ modules }: PlannerObservation): Bytes => sumBytes(modules.map(({ size }) => size));
  const { otherTotal = zeroBytes } = observation;
  const total = (state: PlannerObservation): string => formatQuantity((boot + otherTotal + plugged(state)) as Bytes);
  return [
    ['', 'now', 'after', 'wanted'],
    ['boot', formatQuantity(boot), formatQuantity(boot), ''],
    ['plugged', formatQuantity(plugged(observation)), formatQuantity(plugged(after)), ''],
    ...(otherTotal === 0 ? [] : [['other', formatQuantity(otherTotal), formatQuantity(otherTotal), '']]),
    ['total', total(observation), total(after), formatQuantity(desired)],
  ];
}

/** The plan as text, lines ended. */
export function planToText(request: PlanRequest, plan: Plan): string {
  const { observation } = request;
  const { below, above, ranges, complete } = plan.reachable;
  const after = plan.steps.reduce(applyStep, observation);
  const manyNodes = observation.boot.length > 1;
  const steps =
    plan.steps.length === 0
      ? ['nothing to do now']
      : columns(
          plan.steps.map((step, index) => stepRow(step, index, manyNodes)),
          [0, 2],
        );
  const sizes = ranges.map(describeRange);
  if (!complete) sizes.push('and possibly more');
  const near = [
    ...(below === null ? [] : [`${formatQuantity(below)} below`]),
    ...(above === null ? [] : [`${formatQuantity(above)} above`]),
  ];
  return [
    ...wrap(`${capitalise(plan.decision)} (${plan.reason}): ${plan.message}.`, lineWidth),
    '',
    'Memory',
    ...indent(columns(memoryRows(request, after), [1, 2, 3])),
    '',
    'Steps',
    ...indent(steps),
    '',
    'Modules by slot',
    ...indent(columns([['now', describeModules(observation)], ...afterRow(plan, after)])),
    '',
    'Reachable by unplugging',
    ...indent(sizes),
    'Nearest to what is wanted',
    ...indent([near.length === 0 ? 'nothing else' : near.join(', ')]),
    '',
  ].join('\n');
}

const afterRow = (plan: Plan, after: PlannerObservation): string[][] =>
  plan.steps.length === 0 ? [] : [['after', describeModules(after)]];
