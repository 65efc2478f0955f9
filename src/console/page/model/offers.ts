/** Sizes that a resource's own shrink policy doesn't reach and another one does, with that one's name. Pure. */
import type { Bytes } from '../../../memory/bytes.ts';
import type { ShrinkPolicy } from '../../../memory/policies.ts';
import type { Sizes } from './sizes.ts';
import { wayOf } from './words.ts';

/** The sizes by another policy. */
export type OtherWay = { readonly shrink: Exclude<ShrinkPolicy, 'Exact'>; readonly sizes: Sizes };

/** A size that takes another policy. */
export type Offer = {
  readonly shrink: OtherWay['shrink'];
  readonly size: Bytes;
  /** What the guest has then: with Nearest a little more. */
  readonly result: Bytes;
};

/** What comes nearer to a wish than `own` does, by each of the other ways. @param wish bytes */
export function offersFor(wish: number, own: Sizes, others: readonly OtherWay[]): readonly Offer[] {
  const away = Math.abs(own.snap(wish) - wish);
  return others.flatMap(({ shrink, sizes }) => {
    const size = sizes.snap(wish);
    if (Math.abs(size - wish) >= away) return [];
    const planned = sizes.planFor(size);
    if (!planned.ok || wayOf(planned.value) !== shrink) return [];
    return [{ shrink, size, result: planned.value.plan.resultMemory }];
  });
}

/** All sizes between floor and current that `own` doesn't offer and `other` does; none where they would be more than `most`. */
export function sizesBeyond(own: Sizes, other: Sizes, most: number): readonly Bytes[] {
  const [from, to] = [Math.max(own.floor.size, own.least), own.current];
  // Each would be planned to be looked at.
  if ((to - from) / own.block > most) return [];
  const found: Bytes[] = [];
  for (let size = other.next(from - 1, 'up'); size !== null && size < to; size = other.next(size, 'up')) {
    if (own.next(size - 1, 'up') !== size) found.push(size);
  }
  return found;
}
