/** The event about a condition of somebody else's for which there was no room. */
import { maxConditions } from '../../api/v1alpha1/foreign-conditions.ts';
import { eventOf } from '../../api/v1alpha1/reasons.ts';
import type { Condition } from '../../api/v1alpha1/meta.ts';
import type { RecordedEvent } from '../../runtime/resources.ts';

export const computeLeftOutEvent = ({ type, lastTransitionTime }: Condition): RecordedEvent => ({
  ...eventOf('ConditionLeftOut'),
  action: 'WriteStatus',
  message:
    `status.conditions is full (${maxConditions}): ${type}, unchanged since ${lastTransitionTime}, was left out as the ` +
    "oldest that is not the controller's; whoever sets conditions here must remove some",
});
