/** A VM's slots as bars: what sits where, how large it is, and what becomes of it. Pure. */
import type { ModuleStatus, VirtualMachineMemoryStatus } from '../api/v1alpha1/virtual-machine-memory.ts';
import { formatQuantity, parseQuantity } from '../memory/quantity.ts';
import type { PlanStep } from '../planner/types.ts';
import { age, type Look, paint, type Style } from './layout.ts';

const mostBar = 24;
const full = '█';
const planned = '░';

const sizeOf = (size: string): number => {
  const parsed = parseQuantity(size);
  return parsed.ok ? parsed.value : 0;
};

/** What is said of a module, and how it is coloured. */
function describeState(module: ModuleStatus, nowMs: number): readonly [string, Style] {
  const { state, refusals = 0, refusedAt, retryAfter, leavingSince } = module;
  if (state === 'Leaving') {
    const since = leavingSince === undefined ? '' : ` ${age(nowMs - Date.parse(leavingSince))} ago`;
    return [`leaving: the guest was asked for it${since}`, 'yellow'];
  }
  if (retryAfter !== undefined && Date.parse(retryAfter) > nowMs) {
    const times = refusals > 1 ? ` ${refusals} times` : '';
    return [`refused${times}; asked again in ${age(Date.parse(retryAfter) - nowMs)}`, 'red'];
  }
  if (refusedAt !== undefined) return [`refused ${age(nowMs - Date.parse(refusedAt))} ago`, 'yellow'];
  return ['', 'green'];
}

/** Slots, as numbers and ranges: `4-15`. */
export function rangesOf(numbers: readonly number[], dash = '-'): string {
  const parts: string[] = [];
  for (let start = 0; start < numbers.length;) {
    let end = start;
    while (numbers[end + 1] === (numbers[end] ?? NaN) + 1) end += 1;
    const [first, last] = [String(numbers[start]), String(numbers[end])];
    parts.push(start === end ? first : `${first}${dash}${last}`);
    start = end + 1;
  }
  return parts.join(', ');
}

type Row = {
  readonly slot: number;
  readonly size: string;
  readonly node: number;
  readonly note: string;
  readonly style: Style;
  readonly bar: string;
};

/** What the steps of a plan make of the slots: which go, in which order, and which come. */
function rowsOf(modules: readonly ModuleStatus[], steps: readonly PlanStep[], nowMs: number): readonly Row[] {
  const orderOf = (operation: PlanStep['operation'], slot: number): number =>
    1 + steps.findIndex((step) => step.operation === operation && step.slot === slot);
  const there = modules.map((module): Row => {
    const [said, style] = describeState(module, nowMs);
    const order = orderOf('unplug', module.slot);
    const { slot, size, node } = module;
    return order === 0
      ? { slot, size, node, note: said, style, bar: full }
      : { slot, size, node, note: `${order}. leaves`, style: 'red', bar: full };
  });
  const coming = steps.flatMap((step, index): readonly Row[] => {
    if (step.operation !== 'plug') return [];
    const { slot, node } = step;
    return [{ slot, node, size: formatQuantity(step.size), note: `${index + 1}. comes`, style: 'green', bar: planned }];
  });
  return [...there, ...coming].sort((a, b) => a.slot - b.slot);
}

/** One line a module, then the slots that have none. `steps`: of a plan, which is then shown in it. */
export function slotPicture(
  status: VirtualMachineMemoryStatus,
  look: Look,
  nowMs: number,
  steps: readonly PlanStep[] = [],
): readonly string[] {
  const { modules = [], slots, planning } = status;
  const rows = rowsOf(modules, steps, nowMs);
  const largest = Math.max(1, ...rows.map(({ size }) => sizeOf(size)));
  const manyNodes =
    new Set([...rows.map(({ node }) => node), ...(planning?.boot ?? []).map(({ node }) => node)]).size > 1;
  const shown = rows.map(({ slot, size, node, note, style, bar }) => {
    const head = `${String(slot).padStart(5)}  ${size.padStart(6)}${manyNodes ? `  node ${node}` : ''}  `;
    return { head, note: note === '' ? '' : `  ${note}`, style, bar, share: sizeOf(size) / largest };
  });
  // All bars in one measure, and room for what is said beside them.
  const room = Math.min(mostBar, ...shown.map(({ head, note }) => look.width - head.length - note.length));
  const lines = shown.map(
    ({ head, note, style, bar, share }) =>
      head + paint(look, style, bar.repeat(Math.max(1, Math.round(share * room)))) + note,
  );
  return slots === undefined ? lines : [...lines, ...restOf(rows, slots.total, planning, look)];
}

/** The slots without a module. */
function restOf(
  rows: readonly Row[],
  total: number,
  planning: VirtualMachineMemoryStatus['planning'],
  look: Look,
): readonly string[] {
  const others = planning?.slots.usedByOthers ?? [];
  const resting = (planning?.slots.resting ?? [])
    .toSorted((a, b) => a - b)
    .filter((slot) => !rows.some((row) => row.slot === slot));
  const taken = new Set([...rows.map(({ slot }) => slot), ...others, ...resting]);
  const free = Array.from({ length: total }, (_, slot) => slot).filter((slot) => !taken.has(slot));
  const rest = [
    ...(free.length > 0 ? [`${rangesOf(free)} free`] : ['none free']),
    ...(resting.length > 0 ? [`${rangesOf(resting)} resting: free within a minute`] : []),
    ...(others.length > 0 ? [`${rangesOf(others)} taken by other devices`] : []),
  ];
  return rest.map((line) => `       ${paint(look, 'dim', line)}`);
}
