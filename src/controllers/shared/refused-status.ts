/** What is said where the API server refuses a status for what it holds. Pure. */
import { type ConditionInput, findCondition, summaryConditions } from '../../api/v1alpha1/conditions.ts';
import type { Condition } from '../../api/v1alpha1/meta.ts';
import { rowOf } from '../../api/v1alpha1/reasons.ts';
import type { RecordedEvent } from '../../runtime/resources.ts';

const reason = 'StatusRefused';

/** @param said the conditions that were refused with the status */
export function explainRefusedStatus(refusal: string, said: readonly Condition[] = []): string {
  const ready = findCondition(said, 'Ready');
  const state = ready === undefined ? '' : `; what it would say: ${ready.reason}, ${ready.message}`;
  return `the API server refuses the status (${refusal.slice(0, 512)}): apply the CRDs of the controller's version${state}`;
}

/** Ready, Reconciling and Stalled of a status that stands for one that was refused. */
export const computeRefusedConditions = (message: string): readonly ConditionInput[] =>
  summaryConditions(rowOf(reason), reason, message);

/** The event about a refusal; null: `stored`, as the API server has them, say so already. */
export const computeRefusedEvent = (refusal: string, stored: readonly Condition[] | undefined): RecordedEvent | null =>
  findCondition(stored, 'Ready')?.reason === reason
    ? null
    : { type: 'Warning', reason, action: 'WriteStatus', message: explainRefusedStatus(refusal) };
