/**
 * A replacement: one module is plugged so that a set can go. It is begun once for a generation, and that is recorded with
 * the VM; how far it has come is judged from what is seen, and stands in `status.replacement`. Pure.
 */
import type { VirtualMachineMemoryStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { type Bytes, subtractBytes } from '../../memory/bytes.ts';
import type { Replacement as Begun } from '../../memory/operation-state.ts';
import { formatQuantity } from '../../memory/quantity.ts';
import type { Plan, PlanInputError } from '../../planner/types.ts';
import { computeCurrent } from './total.ts';
import type { Judgement, Located } from './types.ts';
import type { Result } from '../../memory/result.ts';

/**
 * Where a replacement stands.
 * - `Unplugging`: its module is plugged; the set that was to go is going. No other module is plugged for it.
 * - `RollingBack`: the guest refused; the plan is to take the module out again.
 * - `CalledOff`: the guest refused, and all that could be taken back was; nothing more is done for this generation.
 */
export type Replacement = NonNullable<VirtualMachineMemoryStatus['replacement']>;

/** Whether the replacement for `generation` was called off, as a status says. */
export const hasCalledOff = ({ replacement }: VirtualMachineMemoryStatus, generation: number): boolean =>
  replacement?.generation === generation && replacement.phase === 'CalledOff';

/**
 * What was begun for `generation`; null: nothing.
 * @param retryNow whether somebody asked to retry: who asks that of one that was rolled back gets a new one
 */
export function findBegun({ observation, layout }: Located, generation: number, retryNow: boolean): Begun | null {
  const { replacement } = observation;
  if (replacement?.generation !== generation) return null;
  const isPlugged = layout.modules.some(({ slot }) => slot === replacement.slot);
  return isPlugged || !retryNow ? replacement : null;
}

/** The shrink can't be finished: the guest refused, or what it refused was needed for every set. */
const isStuck = ({ decision, reason }: Plan): boolean =>
  decision === 'blocked' && (reason === 'GuestRefused' || reason === 'UnreachableSize' || reason === 'Misaligned');

export type ReplacementInput = {
  readonly begun: Begun;
  readonly target: Bytes;
  readonly located: Located;
  readonly generation: number;
  /** See {@link hasCalledOff}. */
  readonly calledOff: boolean;
};

/**
 * A replacement under way. When the guest refuses what was to go, the module plugged for it is taken out again (or one
 * of its size, which is the same to the guest), provided that the guest then has at least what is wanted.
 * @param plan from the modules that are plugged to what is wanted
 * @param planTo the same to another size
 */
export function judgeReplacement(
  { begun, target, located, generation, calledOff }: ReplacementInput,
  plan: Plan,
  planTo: (target: Bytes) => Result<Plan, PlanInputError>,
): Pick<Judgement, 'plan' | 'replacement'> {
  const at = (phase: Replacement['phase'], planned = plan) => ({
    plan: planned,
    replacement: { generation, phase, slot: begun.slot },
  });
  if (plan.decision === 'noop') return { plan, replacement: null };
  if (calledOff) return at('CalledOff');
  if (!isStuck(plan)) return at('Unplugging');

  const { layout } = located;
  const plugged = layout.modules.find(({ slot }) => slot === begun.slot);
  const current = computeCurrent(layout);
  if (plugged === undefined || current - plugged.size < target) return at('CalledOff');
  const back = planTo(subtractBytes(current, plugged.size));
  return back.ok && (back.value.decision === 'unplug' || back.value.decision === 'wait')
    ? at('RollingBack', back.value)
    : at('CalledOff');
}

/** Whether nothing more is begun for this generation; what is leaving already is still waited for. */
export const isOver = ({ replacement, plan }: Pick<Judgement, 'replacement' | 'plan'>): boolean =>
  replacement?.phase === 'CalledOff' && plan.decision !== 'wait';

/** What is said of one that was called off. */
export function explainCalledOff({ located, modules, desired }: Judgement): string {
  const { layout, observation } = located;
  const refused = modules.filter(({ history }) => history.refusals > 0).map(({ alias }) => alias);
  const isBack = !layout.modules.some(({ slot }) => slot === observation.replacement?.slot);
  const current = formatQuantity(computeCurrent(layout));
  const wanted = desired.memory === null ? 'nothing' : formatQuantity(desired.memory);
  return (
    `the guest refused to give up ${refused.length === 0 ? 'a module' : refused.join(', ')}, so the replacement was called off` +
    `${isBack ? ' and the module plugged for it taken out again' : '; the module plugged for it stays'}: the guest has ` +
    `${current}, wanted is ${wanted}; change spec.memory, or request a retry, to try again`
  );
}
