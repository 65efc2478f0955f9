/** Which sizes can be reached, in words. Pure. */
import type { ReachableStatus } from '../api/v1alpha1/virtual-machine-memory.ts';
import { field, type Look } from './layout.ts';

/** What shrinking reaches, and what is next to what is wanted. */
export function describeReachable(reachable: ReachableStatus, look: Look): readonly string[] {
  const { ranges, complete } = reachable;
  // Mostly all steps are the guest's block: said once.
  const steps = new Set(ranges.filter(({ from, to }) => from !== to).map(({ step }) => step));
  const sizes = ranges.map(({ from, to, step }) => {
    if (from === to) return from;
    return steps.size === 1 ? `${from} to ${to}` : `${from} to ${to} in steps of ${step}`;
  });
  const common = steps.size === 1 ? `, in steps of ${[...steps].join()}` : '';
  const near = nearestSizes(reachable);
  return [
    ...field(look, 'shrinking', `${sizes.join(', ')}${common}${complete ? '' : ', and more'}`),
    ...(near === null ? [] : field(look, 'nearest', near)),
  ];
}

/** The sizes next to what is wanted; null: none. */
export function nearestSizes({ below, above }: Pick<ReachableStatus, 'below' | 'above'>): string | null {
  const near = [...(below === undefined ? [] : [`${below} below`]), ...(above === undefined ? [] : [`${above} above`])];
  return near.length === 0 ? null : near.join(', ');
}
