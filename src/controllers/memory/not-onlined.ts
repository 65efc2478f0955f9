/** What a guest has left offline in this run of its VM: experience, which outlasts the modules themselves. Pure. */
import { preciseTimestamp } from '../../api/v1alpha1/conditions.ts';
import type { VirtualMachineMemoryStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { judgeTakenUp } from './taken-up.ts';
import type { Judgement, Verdict } from './types.ts';

export type NotOnlined = NonNullable<VirtualMachineMemoryStatus['notOnlined']>;

/** @param previous of the same run of the VM; undefined: nothing is known */
export function computeNotOnlined(
  previous: NotOnlined | undefined,
  judgement: Judgement | null,
  verdict: Verdict,
  lastReason: string | undefined,
  nowMs: number,
): NotOnlined | undefined {
  if (judgement === null) return previous;
  if (verdict.reason === 'GuestNotOnlined') {
    // Once a time that it is called out, however long it lasts.
    if (previous !== undefined && lastReason === 'GuestNotOnlined') return previous;
    return { times: (previous?.times ?? 0) + 1, lastAt: preciseTimestamp(nowMs) };
  }
  // It has what it was given: whatever kept it from that is gone.
  const { located, block } = judgement;
  const hasAll = located.layout.modules.length > 0 && judgeTakenUp(located, block, false).kind === 'yes';
  return hasAll ? undefined : previous;
}
