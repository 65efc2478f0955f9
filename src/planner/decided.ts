/** What is decided, before the figures that every plan carries are added. */
import type { AskAgain, Decision, PlanReason, PlanStep } from './types.ts';

export type Decided = {
  readonly decision: Decision;
  readonly reason: PlanReason;
  readonly message: string;
  readonly steps: readonly PlanStep[];
  readonly askAgain?: AskAgain;
};

/** A decision that changes nothing. */
export const withoutSteps = (decision: 'noop' | 'wait' | 'blocked', reason: PlanReason, message: string): Decided => ({
  decision,
  reason,
  message,
  steps: [],
});
