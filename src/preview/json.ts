/** A plan as JSON: the same keys every time, sizes as canonical quantities. */
import type { Bytes } from '../memory/bytes.ts';
import { formatQuantity } from '../memory/quantity.ts';
import type { Plan, PlanStep } from '../planner/types.ts';

const quantity = (size: Bytes | null): string | null => (size === null ? null : formatQuantity(size));

/** `-512Mi`, `0`, `128Mi`. */
const difference = (value: number): string =>
  value < 0 ? `-${formatQuantity(-value as Bytes)}` : formatQuantity(value as Bytes);

const stepToJson = (step: PlanStep): Record<string, unknown> => ({
  operation: step.operation,
  size: quantity(step.size),
  node: step.node,
  slot: step.slot,
  ...(step.operation === 'unplug' ? { alias: step.alias } : {}),
});

/** The object that `dimmer plan -o json` prints; `askAgain`, a slot, is there only when it applies. */
export function planToJson(plan: Plan): Record<string, unknown> {
  const { decision, steps, resultMemory, residual, reason, message, reachable, askAgain } = plan;
  return {
    decision,
    steps: steps.map(stepToJson),
    resultMemory: quantity(resultMemory),
    residual: residual === null ? null : difference(residual),
    reason,
    message,
    reachable: {
      below: quantity(reachable.below),
      above: quantity(reachable.above),
      ranges: reachable.ranges.map(({ from, to, step }) => ({
        from: quantity(from),
        to: quantity(to),
        step: quantity(step),
      })),
      complete: reachable.complete,
    },
    ...(askAgain === undefined ? {} : { askAgain: askAgain.slot }),
  };
}
