/**
 * Whether the guest has taken up what was plugged. libvirt never says (facts-libvirt, section 5, pitfall 6); only the
 * guest's own total does.
 */
import { type Bytes, bytes, subtractBytes } from '../../memory/bytes.ts';
import { formatMeasured } from '../../memory/quantity.ts';
import { type Resize, sizeIn } from './resize.ts';
import type { Located } from './types.ts';
import { explainWayOut } from './untaken.ts';

/** How long a guest may take to online plugged memory before it is called out. */
export const onlineTimeoutMs = 60_000;

export type Onlined =
  | { readonly kind: 'yes' }
  /** Not judged: no statistics, or an inflated balloon hides the total. */
  | { readonly kind: 'not-judged' }
  | { readonly kind: 'not-yet'; readonly missing: Bytes };

/**
 * Compares the guest's total with what it was before the resize plus what was plugged since. Less than one module
 * granule missing is the kernel's own bookkeeping.
 */
export function judgeOnlined(
  resize: Pick<Resize, 'from' | 'guestTotalBefore'>,
  located: Located,
  current: Bytes,
  granularity: Bytes,
): Onlined {
  const { guest } = located.observation;
  const from = sizeIn(resize.from);
  const totalBefore = sizeIn(resize.guestTotalBefore);
  if (guest === null || from === null || totalBefore === null) return { kind: 'not-judged' };
  if (located.layout.balloon < current) return { kind: 'not-judged' };
  if (current <= from) return { kind: 'yes' };
  const missing = totalBefore + subtractBytes(current, from) - guest.total;
  return missing < granularity ? { kind: 'yes' } : { kind: 'not-yet', missing: bytes(Math.min(missing, current)) };
}

/** What is said of memory that the guest hasn't onlined. */
export const explainMissing = (missing: Bytes, located: Located): string =>
  `the guest has not onlined ${formatMeasured(missing)} of what was plugged; ${explainWayOut(located, missing)}`;
