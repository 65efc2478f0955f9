/** The record of the resize under way. Pure. */
import { preciseTimestamp } from '../../api/v1alpha1/conditions.ts';
import type { VirtualMachineMemoryStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { type Bytes, bytes } from '../../memory/bytes.ts';
import { formatQuantity, parseQuantity } from '../../memory/quantity.ts';

export type Resize = NonNullable<VirtualMachineMemoryStatus['lastResize']>;

/** How the guest stood before this reconcile changed anything. */
export type Before = {
  readonly current: Bytes;
  /** The guest's own total and when it reported it; null: it never has. */
  readonly guest: { readonly total: Bytes; readonly reportedAtMs: number } | null;
};

export type ResizeInput = {
  /** The last one of the QEMU process that runs now. */
  readonly previous: Resize | undefined;
  readonly target: Bytes;
  readonly before: Before;
  readonly nowMs: number;
};

/** Whether a resize has begun and not come to its end. */
export const isOpen = (resize: Resize | undefined): resize is Resize =>
  resize !== undefined && resize.completionTime === undefined;

/**
 * The resize that a change to the VM belongs to. One that hasn't completed goes on under a new target: its `from` and the
 * guest's total at that time stay the baseline, since nothing in between was ever confirmed.
 */
export function computeResize({ previous, target, before, nowMs }: ResizeInput): Resize {
  const to = formatQuantity(target);
  if (isOpen(previous) && previous.to === to) return previous;
  const startTime = preciseTimestamp(nowMs);
  if (isOpen(previous)) return { ...previous, to, startTime };
  const resize = { from: formatQuantity(before.current), to, startTime };
  const total = computeBaseline(before, previous);
  return total === null ? resize : { ...resize, guestTotalBefore: formatQuantity(total) };
}

/** Closes a resize that has reached its target. */
export const completeResize = (resize: Resize | undefined, nowMs: number): Resize | undefined =>
  isOpen(resize) ? { ...resize, completionTime: preciseTimestamp(nowMs) } : resize;

/** The size in a status field; null when it isn't one. */
export function sizeIn(text: string | undefined): Bytes | null {
  const parsed = text === undefined ? null : parseQuantity(text);
  return parsed?.ok === true ? parsed.value : null;
}

/**
 * The guest's own total that belongs to `before.current`; null: not known. Guests report every 2 s: a report that is
 * older than the end of the last resize still shows the memory before it, and what that resize was confirmed to have
 * made of it is used instead.
 */
function computeBaseline({ current, guest }: Before, previous: Resize | undefined): Bytes | null {
  if (guest === null) return null;
  // Versions before wrote whole seconds, and so does the guest: the end lies up to a second later.
  const endedMs = previous?.completionTime === undefined ? null : Date.parse(previous.completionTime) + 1_000;
  if (endedMs === null || guest.reportedAtMs > endedMs) return guest.total <= current ? guest.total : null;
  const from = sizeIn(previous?.from);
  const total = sizeIn(previous?.guestTotalBefore);
  if (from === null || total === null || sizeIn(previous?.to) !== current) return null;
  const expected = total + current - from;
  return expected > 0 ? bytes(expected) : null;
}
