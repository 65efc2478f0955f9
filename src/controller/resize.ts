/** The record of the resize under way. Pure. */
import { timestamp } from '../api/v1alpha1/conditions.ts';
import type { VirtualMachineMemoryStatus } from '../api/v1alpha1/virtual-machine-memory.ts';
import { type Bytes, bytes } from '../memory/bytes.ts';
import { formatQuantity, parseQuantity } from '../memory/quantity.ts';

export type Resize = NonNullable<VirtualMachineMemoryStatus['lastResize']>;

/** How the guest stood before this reconcile changed anything. */
export type Before = {
  readonly current: Bytes;
  /** The guest's own total and when it reported it; null: it never has. */
  readonly guest: { readonly total: Bytes; readonly reportedAtMs: number } | null;
};

export type ResizeInput = {
  readonly previous: Resize | undefined;
  /** Whether `previous` is about the QEMU process that runs now. */
  readonly sameRuntime: boolean;
  readonly target: Bytes;
  readonly before: Before;
  /** Whether something was changed or asked for in this reconcile, or is still leaving. */
  readonly acted: boolean;
  readonly nowMs: number;
};

/**
 * The resize that is under way. One that hasn't completed goes on under a new target: its `from` and the guest's
 * total at that time stay the baseline, since nothing in between was ever confirmed.
 */
export function computeResize(input: ResizeInput): Resize | undefined {
  const { before, nowMs } = input;
  const previous = input.sameRuntime ? input.previous : undefined;
  const to = formatQuantity(input.target);
  const open = previous !== undefined && previous.completionTime === undefined ? previous : null;
  if (open?.to === to) return open;
  if (!input.acted) return input.previous;
  const startTime = timestamp(nowMs);
  if (open !== null) return { ...open, to, startTime };
  const resize = { from: formatQuantity(before.current), to, startTime };
  const total = computeBaseline(before, previous);
  return total === null ? resize : { ...resize, guestTotalBefore: formatQuantity(total) };
}

/** Closes a resize that has reached its target. */
export const completeResize = (resize: Resize | undefined, nowMs: number): Resize | undefined =>
  resize === undefined || resize.completionTime !== undefined
    ? resize
    : { ...resize, completionTime: timestamp(nowMs) };

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
  // Written with whole seconds: the end lies up to a second later.
  const endedMs = previous?.completionTime === undefined ? null : Date.parse(previous.completionTime) + 1_000;
  if (endedMs === null || guest.reportedAtMs > endedMs) return guest.total <= current ? guest.total : null;
  const from = sizeIn(previous?.from);
  const total = sizeIn(previous?.guestTotalBefore);
  if (from === null || total === null || sizeIn(previous?.to) !== current) return null;
  const expected = total + current - from;
  return expected > 0 ? bytes(expected) : null;
}
