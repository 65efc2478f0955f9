/** Words for people: sizes, modules and slots in the sentences that plans carry. */
import type { Bytes } from '../memory/bytes.ts';
import { formatMeasured, formatNeeded, formatQuantity } from '../memory/quantity.ts';
import type { PlannerModule, Reachable } from './types.ts';
import { counted } from '../memory/lines.ts';

/** More groups of sizes than this aren't listed. */
const maxGroups = 6;

/** `256Mi` from bytes that are known to be a size. */
export const size = (value: number): string => formatQuantity(value as Bytes);

/** `789Mi` from bytes that the guest reported: to the MiB, rounded down. */
export const measured = (value: number): string => formatMeasured(value as Bytes);

/** A size that is needed, in words. */
export const needed = (value: number): string => formatNeeded(value as Bytes);

/** `2 x 1Gi + 512Mi`, largest first; `none` for no module. */
export function sizes(values: readonly number[]): string {
  if (values.length === 0) return 'none';
  const copies = new Map<number, number>();
  for (const value of [...values].sort((a, b) => b - a)) copies.set(value, (copies.get(value) ?? 0) + 1);
  const groups = [...copies].map(([value, count]) => (count === 1 ? size(value) : `${count} x ${size(value)}`));
  return join(groups);
}

const join = (groups: readonly string[]): string => {
  const hidden = groups.length - maxGroups;
  return hidden <= 0
    ? groups.join(' + ')
    : `${groups.slice(0, maxGroups).join(' + ')} and ${counted(hidden, 'other size')}`;
};

/** `512Mi (slot 2) + 2 x 128Mi (slots 0, 3)`, largest first. */
export function modules(values: readonly Pick<PlannerModule, 'size' | 'slot'>[]): string {
  const bySize = new Map<number, number[]>();
  for (const module of [...values].sort((a, b) => b.size - a.size || a.slot - b.slot)) {
    const known = bySize.get(module.size);
    if (known === undefined) bySize.set(module.size, [module.slot]);
    else known.push(module.slot);
  }
  const groups = [...bySize].map(([value, numbers]) => {
    const copies = numbers.length === 1 ? '' : `${numbers.length} x `;
    return `${copies}${size(value)} (${slots(numbers)})`;
  });
  return join(groups);
}

/** `slot 3` or `slots 3, 4`. */
export function slots(numbers: readonly number[]): string {
  const shown = numbers.slice(0, 2 * maxGroups).join(', ');
  const hidden = numbers.length - 2 * maxGroups;
  return `${numbers.length === 1 ? 'slot' : 'slots'} ${shown}${hidden > 0 ? ` and ${hidden} more` : ''}`;
}

/** `ua-dimmer-3 (512Mi, slot 3)`; `more` is added to what stands in brackets. */
export function moduleName(module: Pick<PlannerModule, 'alias' | 'size' | 'slot'>, more = ''): string {
  const alias = module.alias === '' ? 'the module' : module.alias;
  return `${alias} (${size(module.size)}, slot ${module.slot}${more})`;
}

/** Reachable sizes as canonical quantities. */
export type ReachableText = {
  readonly below?: string;
  readonly above?: string;
  readonly ranges: readonly { readonly from: string; readonly to: string; readonly step: string }[];
  readonly complete: boolean;
};

/** The same sizes as a status says them. */
export const reachableText = ({ below, above, ranges, complete }: Reachable): ReachableText => ({
  ...(below === null ? {} : { below: formatQuantity(below) }),
  ...(above === null ? {} : { above: formatQuantity(above) }),
  ranges: ranges.map(({ from, to, step }) => ({
    from: formatQuantity(from),
    to: formatQuantity(to),
    step: formatQuantity(step),
  })),
  complete,
});

/** `reachable: 5632Mi, 6Gi`, the nearest sizes below and above. */
export function nearest({ below, above }: Reachable): string {
  const near = [below, above].filter((value) => value !== null).map(size);
  return near.length === 0 ? 'no other size is reachable' : `reachable: ${near.join(', ')}`;
}
