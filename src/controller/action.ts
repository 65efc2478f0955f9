/** From a plan to what is done about it now. Pure. */
import type { Action, Judgement } from './types.ts';

const firstRepeatMs = 5_000;
const longestRepeatMs = 300_000;

/** How long after its `attempts`th request a silent guest is asked again: 5, 10, 20 s and so on, at most 5 min. */
export const computeRepeatMs = (attempts: number): number =>
  Math.min(longestRepeatMs, firstRepeatMs * 2 ** Math.min(Math.max(0, attempts - 1), 10));

/** When the leaving module may be asked for again, by the host's clock; null: nothing is leaving. */
export function nextRepeatMs({ located }: Pick<Judgement, 'located'>): number | null {
  const mark = located.layout.modules.find((module) => module.mark !== null)?.mark ?? null;
  return mark === null ? null : mark.lastAskedAtMs + computeRepeatMs(mark.attempts);
}

/** What is done now. Steps that must wait for the guest to online memory end a run; the next reconcile goes on. */
export function decideAction(judgement: Judgement): Action {
  const { plan, located } = judgement;
  switch (plan.decision) {
    case 'noop':
    case 'blocked':
      return { kind: 'nothing' };
    case 'wait': {
      const dueMs = nextRepeatMs(judgement);
      const isDue = dueMs !== null && dueMs <= located.observation.observedAtMs;
      return plan.askAgain !== undefined && isDue ? { kind: 'ask-again', module: plan.askAgain } : { kind: 'nothing' };
    }
    case 'plug':
    case 'unplug':
    case 'replace': {
      const pause = plan.steps.findIndex((step, index) => index > 0 && step.operation === 'plug' && step.waitForOnline);
      const steps = pause < 0 ? plan.steps : plan.steps.slice(0, pause);
      return { kind: 'run', steps };
    }
    default:
      return plan.decision satisfies never;
  }
}
