/** From a plan to what is done about it now. Pure. */
import { computeRepeatMs } from '../../../host/rules/repeat.ts';
import { ownOf } from '../release.ts';
import { isOwnAlias } from '../../../memory/module.ts';
import { isOver } from '../replacement.ts';
import type { Action, Judgement } from '../types.ts';

/** When the leaving module may be asked for again, by the host's clock; null: nothing is leaving. */
export function nextRepeatMs({ located }: Pick<Judgement, 'located'>): number | null {
  const mark = located.layout.modules.find((module) => module.mark !== null)?.mark ?? null;
  return mark === null ? null : mark.lastAskedAtMs + computeRepeatMs(mark.attempts);
}

/**
 * What is done now. A run of steps ends before a plug that must wait until the guest has onlined what came before, and
 * before the unplugs of a replacement: both are planned anew from what is seen then.
 * @param isOnlined whether the guest has taken up all that was plugged
 */
export function decideAction(judgement: Judgement, isOnlined: boolean): Action {
  const { plan, located, release } = judgement;
  if (release !== null && (release.isDue || ownOf(located.layout.modules).length === 0))
    return { kind: 'release-claim' };
  if (isOver(judgement)) return { kind: 'nothing' };
  switch (plan.decision) {
    case 'noop':
    case 'blocked':
      return { kind: 'nothing' };
    case 'wait': {
      const dueMs = nextRepeatMs(judgement);
      const isDue = dueMs !== null && dueMs <= located.observation.observedAtMs;
      // Before a deletion what somebody else plugged is waited for at the most.
      if (release !== null && plan.askAgain !== undefined && !isOwnAlias(plan.askAgain.alias))
        return { kind: 'nothing' };
      return plan.askAgain !== undefined && isDue ? { kind: 'ask-again', module: plan.askAgain } : { kind: 'nothing' };
    }
    case 'plug':
    case 'unplug':
    case 'replace': {
      const [first] = plan.steps;
      if (first?.operation === 'plug' && first.waitForOnline && !isOnlined) return { kind: 'nothing' };
      const pause = plan.steps.findIndex(
        (step, index) => index > 0 && (step.operation === 'plug' ? step.waitForOnline : first?.operation === 'plug'),
      );
      const steps = pause < 0 ? plan.steps : plan.steps.slice(0, pause);
      return { kind: 'run', steps, beginsReplacement: plan.decision === 'replace' };
    }
    default:
      return plan.decision satisfies never;
  }
}
