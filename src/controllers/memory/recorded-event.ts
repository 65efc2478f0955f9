/** Which Kubernetes event a new status deserves: on transitions only, at most one a reconcile. Pure. */
import { findCondition } from '../../api/v1alpha1/conditions.ts';
import { rowOf } from '../../api/v1alpha1/reasons.ts';
import type { VirtualMachineMemoryStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { RecordedEvent } from '../../runtime/resources.ts';
import type { ResizeOutcome } from './metrics.ts';
import { type Resize, sizeIn } from './resize.ts';
import type { Verdict } from './types.ts';

/** Whether a resize has come to its end of which `previous` doesn't say so. */
const hasCompleted = (previous: Resize | undefined, resize: Resize | undefined): resize is Resize =>
  resize?.completionTime !== undefined &&
  resize.from !== resize.to &&
  (previous?.startTime !== resize.startTime || previous.to !== resize.to || previous.completionTime === undefined);

/** null: nothing has changed that is worth an event. */
export function computeRecordedEvent(
  previous: VirtualMachineMemoryStatus,
  next: VirtualMachineMemoryStatus,
  verdict: Verdict,
): RecordedEvent | null {
  const { reason, message } = verdict;
  const type = rowOf(reason).warning ? 'Warning' : 'Normal';
  const resize = next.lastResize;
  if (hasCompleted(previous.lastResize, resize)) {
    return { type, reason, action: 'Resize', message: `resized from ${resize.from} to ${resize.to}` };
  }
  const before = findCondition(previous.conditions, 'Ready');
  if (before?.reason === reason) return null;
  return { type, reason, action: 'Reconcile', message };
}

/**
 * What has become of a resize, where that wasn't told before: it has come to its end, or something holds it up. null:
 * nothing has.
 */
export function computeResizeOutcome(
  previous: VirtualMachineMemoryStatus,
  next: VirtualMachineMemoryStatus,
  { reason }: Verdict,
  nowMs: number,
): ResizeOutcome | null {
  const { lastResize: resize } = next;
  const before = previous.lastResize;
  if (resize === undefined || resize.from === resize.to) return null;
  const isOpen = resize.completionTime === undefined;
  const isNews =
    before?.startTime !== resize.startTime || findCondition(previous.conditions, 'Ready')?.reason !== reason;
  const row = rowOf(reason);
  const isHeldUp = isOpen && isNews && (row.stalled || row.warning);
  if (!isHeldUp && !hasCompleted(before, resize)) return null;
  const [from, to] = [sizeIn(resize.from) ?? 0, sizeIn(resize.to) ?? 0];
  const seconds = Math.max(0, (nowMs - Date.parse(resize.startTime)) / 1000);
  return { direction: to > from ? 'grow' : 'shrink', outcome: reason, seconds };
}
