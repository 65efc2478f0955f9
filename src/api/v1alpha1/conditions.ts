/** The one setter of conditions: keeps the transition time unless the status changes. */
import { withForeign } from './foreign-conditions.ts';
import type { Condition, ConditionStatus } from './meta.ts';

export type ConditionInput = {
  readonly type: string;
  readonly status: ConditionStatus;
  readonly reason: string;
  readonly message: string;
};

/** RFC 3339 ends with the year 9999; a clock that says a later one must not make a status unwritable. */
const latestMs = Date.UTC(9999, 11, 31, 23, 59, 59);

/** RFC 3339 in UTC with milliseconds. `ms`: since the epoch, 0 or more. */
export const preciseTimestamp = (ms: number): string => new Date(Math.min(ms, latestMs)).toISOString();

/** RFC 3339 in UTC with whole seconds, as metav1.Time is written. `ms`: since the epoch, 0 or more. */
export const timestamp = (ms: number): string => preciseTimestamp(ms).replace(/\.\d{3}Z$/, 'Z');

/** metav1.Condition allows 32768 bytes; nobody reads more than this many characters. */
const maxMessageLength = 1024;

const clip = (message: string): string =>
  message.length <= maxMessageLength ? message : `${message.slice(0, maxMessageLength - 1)}…`;

/**
 * The conditions that `inputs` make, in their order. A condition keeps its lastTransitionTime from `previous` while
 * its status is the same, as metav1.Condition demands. After them come those of others from `previous`, untouched; other
 * types without a domain prefix are dropped, since they are ours.
 */
export function computeConditions(
  previous: readonly Condition[],
  inputs: readonly ConditionInput[],
  context: { readonly generation: number; readonly nowMs: number },
): readonly Condition[] {
  const ours = inputs.map((input): Condition => {
    const before = previous.find((condition) => condition.type === input.type);
    return {
      type: input.type,
      status: input.status,
      reason: input.reason,
      message: clip(input.message),
      lastTransitionTime: before?.status === input.status ? before.lastTransitionTime : timestamp(context.nowMs),
      observedGeneration: context.generation,
    };
  });
  return withForeign(ours, previous);
}

/** Ready, Reconciling (goes on without anybody's help) and Stalled (needs a human), as a row of the table of reasons says. */
export function summaryConditions(
  row: { readonly ready: ConditionInput['status']; readonly reconciling: boolean; readonly stalled: boolean },
  reason: string,
  message: string,
): readonly ConditionInput[] {
  return [
    { type: 'Ready', status: row.ready, reason, message },
    { type: 'Reconciling', status: row.reconciling ? 'True' : 'False', reason, message },
    { type: 'Stalled', status: row.stalled ? 'True' : 'False', reason, message },
  ];
}

/** The condition of a type. */
export const findCondition = (conditions: readonly Condition[] | undefined, type: string): Condition | undefined =>
  conditions?.find((condition) => condition.type === type);
