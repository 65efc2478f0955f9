/** The planner: what to do so that a guest has the memory that is wanted. Pure and synchronous. */
import type { Bytes } from '../memory/bytes.ts';
import { size } from './explain.ts';
import { grow } from './grow.ts';
import { waitForLeaving } from './leaving.ts';
import { computeReachable } from './reachable.ts';
import { shrink, type ShrinkTables } from './shrink.ts';
import { type Situation, surveySituation } from './situation.ts';
import { subsetSums } from './subset-sum.ts';
import type { Plan, PlanInputError, PlanRequest } from './types.ts';
import { findInputError } from './validate.ts';
import { type Decided, withoutSteps } from './decided.ts';
import { fail, type Result, succeed } from '../memory/result.ts';

/**
 * The plan for a request. The same request always gives the same plan; nothing is thrown: a request that makes no
 * sense is answered with the field that is wrong.
 */
export function computePlan(request: PlanRequest): Result<Plan, PlanInputError> {
  const error = findInputError(request);
  if (error !== null) return fail(error);
  const situation = surveySituation(request);
  const tables = tabulate(situation);
  return succeed(completePlan(situation, tables, decide(situation, tables)));
}

/** The order of the checks is part of the contract: the first that holds is the reason. */
function decide(situation: Situation, tables: ShrinkTables): Decided {
  const { desired, boot, current, settled, leaving, observation } = situation;
  if (leaving.length > 0 && settled <= desired && desired <= current) return waitForLeaving(situation);
  if (desired === current) return converged(situation);
  if (observation.booting) {
    return withoutSteps(
      'wait',
      'WaitingForGuest',
      'the guest may still be booting: nothing is changed before it reports its memory',
    );
  }
  if (desired < boot) {
    return withoutSteps(
      'blocked',
      'BelowBootMemory',
      `${size(situation.wish)} is below the boot memory of ${size(boot)}, which can't be unplugged: to go lower, shut the virtual machine ` +
        "down and lower the domain's boot memory",
    );
  }
  return desired < current ? shrink(situation, tables) : grow(situation, tables.reachable);
}

function converged({ wish, current, pools }: Situation): Decided {
  if (wish === current) return withoutSteps('noop', 'Converged', `the guest has ${size(current)}, as wanted`);
  const step = size(Math.min(...pools.map(({ unit }) => unit)));
  return withoutSteps(
    'noop',
    'ConvergedNearest',
    `the guest has ${size(current)}, which ${size(wish)} is rounded up to in steps of ${step}`,
  );
}

function tabulate(situation: Situation): ShrinkTables {
  const { candidates, staying } = situation;
  const stayingSums = subsetSums(staying.map((module) => module.size));
  const candidateSums =
    candidates.length === staying.length ? stayingSums : subsetSums(candidates.map((module) => module.size));
  return {
    candidateSums,
    stayingSums,
    reachable: computeReachable({ ...situation, desired: situation.wish }, candidateSums, stayingSums),
  };
}

function completePlan({ wish, current }: Situation, { reachable }: ShrinkTables, decided: Decided): Plan {
  const { decision, steps, reason, message, askAgain } = decided;
  let result: number = current;
  for (const { operation, size } of steps) result = operation === 'plug' ? result + size : result - size;
  return {
    decision,
    steps,
    resultMemory: result as Bytes,
    residual: decision === 'wait' || decision === 'blocked' ? null : result - wish,
    reason,
    message,
    reachable,
    ...(askAgain === undefined ? {} : { askAgain }),
  };
}
