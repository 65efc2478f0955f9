/** What a plan says by an exit code: of `dimmer plan`, and of whatever else ends with a plan. */
import type { Plan } from '../../planner/types.ts';
import { exitOk } from '../io.ts';

export const exitBlocked = 2;
export const exitWait = 3;

export function exitOfPlan({ decision }: Pick<Plan, 'decision'>): number {
  switch (decision) {
    case 'noop':
    case 'plug':
    case 'unplug':
    case 'replace':
      return exitOk;
    case 'blocked':
      return exitBlocked;
    case 'wait':
      return exitWait;
    default:
      return decision satisfies never;
  }
}
