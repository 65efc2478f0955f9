/** The one table of what reasons mean for people. */
import type { AnyReason } from '../../api/v1alpha1/reasons.ts';
import type { Runbook } from '../runbook.ts';
import { guestRunbooks } from './guest.ts';
import { hostRunbooks } from './host.ts';
import { ownershipRunbooks } from './ownership.ts';
import { persistedRunbooks } from './persisted.ts';
import { settledRunbooks } from './settled.ts';
import { sizeRunbooks } from './size.ts';

/** By reason: the compiler misses one that is not there. */
export const runbooks: Readonly<Record<AnyReason, Runbook>> = {
  ...settledRunbooks,
  ...guestRunbooks,
  ...hostRunbooks,
  ...sizeRunbooks,
  ...ownershipRunbooks,
  ...persistedRunbooks,
};

/** The runbook of what a resource says; undefined: nobody has written such a reason. */
export const runbookOf = (reason: string): Runbook | undefined =>
  Object.hasOwn(runbooks, reason) ? runbooks[reason as AnyReason] : undefined;
