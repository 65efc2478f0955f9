/** Which Kubernetes event a new status deserves: on transitions only, at most one a reconcile. Pure. */
import { findCondition } from '../../api/v1alpha1/conditions.ts';
import { rowOf } from '../../api/v1alpha1/reasons.ts';
import type { VirtualMachineMemoryStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { RecordedEvent } from '../../runtime/resources.ts';
import type { Verdict } from './types.ts';

/** null: nothing has changed that is worth an event. */
export function computeRecordedEvent(
  previous: VirtualMachineMemoryStatus,
  next: VirtualMachineMemoryStatus,
  verdict: Verdict,
): RecordedEvent | null {
  const { reason, message } = verdict;
  const type = rowOf(reason).warning ? 'Warning' : 'Normal';
  const resize = next.lastResize;
  const hasCompleted =
    resize?.completionTime !== undefined &&
    resize.from !== resize.to &&
    (previous.lastResize?.startTime !== resize.startTime ||
      previous.lastResize.to !== resize.to ||
      previous.lastResize.completionTime === undefined);
  if (hasCompleted) {
    return { type, reason, action: 'Resize', message: `resized from ${resize.from} to ${resize.to}` };
  }
  const before = findCondition(previous.conditions, 'Ready');
  if (before?.reason === reason) return null;
  return { type, reason, action: 'Reconcile', message };
}
