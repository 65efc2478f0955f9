/** A VM's slots as bars: what sits where, how large it is, and what becomes of it. Pure. */
import type { ModuleStatus, VirtualMachineMemoryStatus } from '../api/v1alpha1/virtual-machine-memory.ts';
import { parseQuantity } from '../memory/quantity.ts';
import { age, type Look, paint, type Style } from './layout.ts';

const mostBar = 24;
const full = '█';

const sizeOf = ({ size }: { readonly size: string }): number => {
  const parsed = parseQuantity(size);
  return parsed.ok ? parsed.value : 0;
};

/** What is said of a module, and how it is coloured. */
function describeState(module: ModuleStatus, nowMs: number): readonly [string, Style] {
  const { state, refusals = 0, refusedAt, retryAfter } = module;
  if (state === 'Leaving') return ['leaving: the guest was asked for it', 'yellow'];
  if (retryAfter !== undefined && Date.parse(retryAfter) > nowMs) {
    const times = refusals > 1 ? ` ${refusals} times` : '';
    return [`refused${times}; asked again in ${age(Date.parse(retryAfter) - nowMs)}`, 'red'];
  }
  if (refusedAt !== undefined) return [`refused ${age(nowMs - Date.parse(refusedAt))} ago`, 'yellow'];
  return ['', 'green'];
}

/** Free slots, as numbers and ranges: `4-15`. */
function ranges(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let start = 0; start < numbers.length;) {
    let end = start;
    while (numbers[end + 1] === (numbers[end] ?? NaN) + 1) end += 1;
    parts.push(start === end ? `${numbers[start] ?? ''}` : `${numbers[start] ?? ''}-${numbers[end] ?? ''}`);
    start = end + 1;
  }
  return parts.join(', ');
}

/** One line a module, then the slots that have none. */
export function slotPicture(status: VirtualMachineMemoryStatus, look: Look, nowMs: number): readonly string[] {
  const { modules = [], slots, planning } = status;
  const largest = Math.max(1, ...modules.map(sizeOf));
  const manyNodes = new Set(modules.map(({ node }) => node)).size > 1;
  const modulesShown = modules
    .toSorted((a, b) => a.slot - b.slot)
    .map((module) => {
      const [said, style] = describeState(module, nowMs);
      const node = manyNodes ? `  node ${module.node}` : '';
      const head = `${String(module.slot).padStart(5)}  ${module.size.padStart(6)}${node}  `;
      const note = said === '' ? '' : `  ${said}`;
      return { head, note, style, share: sizeOf(module) / largest };
    });
  // All bars in one measure, and room for what is said beside them.
  const room = Math.min(mostBar, ...modulesShown.map(({ head, note }) => look.width - head.length - note.length));
  const lines = modulesShown.map(
    ({ head, note, style, share }) =>
      head + paint(look, style, full.repeat(Math.max(1, Math.round(share * room)))) + note,
  );
  if (slots === undefined) return lines;
  const others = planning?.slots.usedByOthers ?? [];
  const resting = (planning?.slots.resting ?? [])
    .toSorted((a, b) => a - b)
    .filter((slot) => !modules.some((module) => module.slot === slot));
  const taken = new Set([...modules.map(({ slot }) => slot), ...others, ...resting]);
  const free = Array.from({ length: slots.total }, (_, slot) => slot).filter((slot) => !taken.has(slot));
  const rest = [
    ...(free.length > 0 ? [`${ranges(free)} free`] : ['none free']),
    ...(resting.length > 0 ? [`${ranges(resting)} resting: free within a minute`] : []),
    ...(others.length > 0 ? [`${ranges(others)} taken by other devices`] : []),
  ];
  return [...lines, ...rest.map((line) => `       ${paint(look, 'dim', line)}`)];
}
