/** The record of the resize under way. Pure. */
import { timestamp } from '../api/v1alpha1/conditions.ts';
import type { VirtualMachineMemoryStatus } from '../api/v1alpha1/virtual-machine-memory.ts';
import type { Bytes } from '../memory/bytes.ts';
import { formatQuantity } from '../memory/quantity.ts';

type Resize = NonNullable<VirtualMachineMemoryStatus['lastResize']>;

/** How the guest stood before this reconcile changed anything. */
export type Before = { readonly current: Bytes; readonly guestTotal: Bytes | null };

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
  const { previous, before, nowMs } = input;
  const to = formatQuantity(input.target);
  const open = previous !== undefined && previous.completionTime === undefined && input.sameRuntime ? previous : null;
  if (open?.to === to) return open;
  if (!input.acted) return previous;
  const startTime = timestamp(nowMs);
  if (open !== null) return { ...open, to, startTime };
  const from = formatQuantity(before.current);
  return before.guestTotal === null
    ? { from, to, startTime }
    : { from, to, startTime, guestTotalBefore: formatQuantity(before.guestTotal) };
}

/** Closes a resize that has reached its target. */
export const completeResize = (resize: Resize | undefined, nowMs: number): Resize | undefined =>
  resize === undefined || resize.completionTime !== undefined
    ? resize
    : { ...resize, completionTime: timestamp(nowMs) };
