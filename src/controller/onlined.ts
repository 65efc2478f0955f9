/**
 * Whether the guest has taken up what was plugged. libvirt never says (facts-libvirt, section 5, pitfall 6); only the
 * guest's own total does.
 */
import type { VirtualMachineMemoryStatus } from '../api/v1alpha1/virtual-machine-memory.ts';
import { formatQuantity, parseQuantity } from '../memory/quantity.ts';
import { type Bytes, subtractBytes, zeroBytes } from '../memory/bytes.ts';
import type { Located } from './types.ts';

/** How long a guest may take to online plugged memory before it is called out. */
export const onlineTimeoutMs = 60_000;

export type Onlined =
  | { readonly kind: 'yes' }
  /** Not judged: no statistics, or an inflated balloon hides the total. */
  | { readonly kind: 'not-judged' }
  | { readonly kind: 'not-yet'; readonly missing: Bytes };

type LastResize = NonNullable<VirtualMachineMemoryStatus['lastResize']>;

const sizeOf = (text: string): Bytes => {
  const parsed = parseQuantity(text);
  return parsed.ok ? parsed.value : zeroBytes;
};

/**
 * Compares the guest's total with what it was before the resize plus what was plugged since. Less than one module
 * granule missing is the kernel's own bookkeeping.
 */
export function judgeOnlined(resize: LastResize, located: Located, current: Bytes, granularity: Bytes): Onlined {
  const { guest } = located.observation;
  if (guest === null || resize.guestTotalBefore === undefined) return { kind: 'not-judged' };
  if (located.layout.balloon < current) return { kind: 'not-judged' };
  const from = sizeOf(resize.from);
  if (current <= from) return { kind: 'yes' };
  const expected = sizeOf(resize.guestTotalBefore) + subtractBytes(current, from);
  const missing = expected - guest.total;
  if (missing < granularity) return { kind: 'yes' };
  return { kind: 'not-yet', missing: Math.min(missing, current) as Bytes };
}

/** What is said of memory that the guest hasn't onlined. */
export const explainMissing = (missing: Bytes): string =>
  `the guest has not onlined ${formatQuantity(missing)} of what was plugged; check /sys/devices/system/memory/auto_online_blocks and the kernel log in the guest`;
