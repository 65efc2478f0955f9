/** From a plan that was shown to a size that is written: onto what was shown, and nothing else. */
import { parseSpec } from '../api/v1alpha1/spec.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import type { ShrinkPolicy } from '../memory/policies.ts';
import { formatQuantity } from '../memory/quantity.ts';
import { type LivePlan, planLive } from '../preview/live-plan.ts';
import { fullName, goesOn } from '../view/subject.ts';
import type { Backend, Seen, SizeSet, SizeWish } from './backend.ts';

/** A controller writes the status while somebody reads a plan: what hasn't changed for the plan is no conflict. */
const mostTries = 5;

/** What is known before anything is changed. */
export type JudgedResize = {
  /** null: none can be made. */
  readonly plan: LivePlan | null;
  /** `impossible`: no waiting will help. */
  readonly verdict: 'possible' | 'impossible';
  /** What stands in the way for now, in sentences. */
  readonly problems: readonly string[];
};

/** What of a spec a wish writes; a policy that isn't wished for is left alone. */
export const specOf = ({
  memory,
  shrinkPolicy,
}: SizeWish): { readonly memory: string; readonly shrinkPolicy?: ShrinkPolicy } => ({
  memory: formatQuantity(memory),
  ...(shrinkPolicy === undefined ? {} : { shrinkPolicy }),
});

/** @throws Error where the size is none that a spec may have */
export function judgeResize(resource: VirtualMachineMemory, wish: SizeWish): JudgedResize {
  const spec = parseSpec({ ...resource.spec, ...specOf(wish) });
  if (!spec.ok) throw new Error(spec.error);
  const { memory, shrinkPolicy: shrink } = wish;
  const live = planLive(resource, { memory, ...(shrink === undefined ? {} : { shrink }) });
  if (!live.ok) {
    return { plan: null, verdict: 'possible', problems: [`No plan can be made now: ${live.error}.`] };
  }
  const { plan } = live.value;
  if (plan.decision === 'blocked' && !goesOn(plan.reason)) {
    return { plan: live.value, verdict: 'impossible', problems: [] };
  }
  const isHeld = plan.decision === 'blocked' || plan.decision === 'wait';
  return {
    plan: live.value,
    verdict: 'possible',
    problems: isHeld ? [`It can't be done now, and is done by itself as soon as it can: ${plan.reason}.`] : [],
  };
}

/**
 * Writes it; where only what doesn't matter for the plan has changed meanwhile, onto that.
 * @param anyPlan the person has decided on the size alone: no status that changes is in the way
 */
export async function writeSize(
  backend: Pick<Backend, 'get' | 'setMemory'>,
  seen: Seen,
  wish: SizeWish,
  judged: JudgedResize,
  anyPlan = false,
): Promise<SizeSet> {
  let onto = seen;
  for (let tries = 1; ; tries++) {
    const set = await backend.setMemory(onto, wish);
    if (set.outcome !== 'changed' || tries === mostTries) return set;
    const now = await backend.get(fullName(seen.resource));
    const [before, after] = [seen.resource.metadata, now.resource.metadata];
    if (after.uid !== before.uid || after.generation !== before.generation) return set;
    if (!anyPlan && outlineOf(judgeResize(now.resource, wish)) !== outlineOf(judged)) return set;
    onto = now;
  }
}

/** What of a plan a person has agreed to. */
const outlineOf = ({ plan, verdict }: JudgedResize): string =>
  JSON.stringify([
    verdict,
    plan?.plan.decision,
    plan?.steps.map(({ operation, slot, size }) => [operation, slot, size]),
  ]);
