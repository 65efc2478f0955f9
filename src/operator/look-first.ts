/** What a guest can spare changes every second, and a status is written when something happens: a look that is asked for before a plan is shown. */
import { planLive } from '../preview/live-plan.ts';
import type { StatusWish } from '../preview/from-status.ts';
import { fullName } from '../view/subject.ts';
import { isOld } from '../view/plan-text.ts';
import type { Backend, Seen } from './backend.ts';

/** After so long the plan is made of what is known. */
const mostMs = 3_000;

/**
 * The resource as a plan for `wish` should know it: where modules would leave by what is too old to judge a guest by, it is observed
 * anew first. Where that can't be had (no right to ask, nobody who looks) it is the one that was seen, and the plan says how
 * old it is. Changes no size and no VM. @param nowMs epoch milliseconds
 */
export async function lookFirst(
  backend: Pick<Backend, 'ask' | 'follow' | 'get'>,
  seen: Seen,
  wish: StatusWish,
  signal: AbortSignal,
  nowMs: number = Date.now(),
): Promise<Seen> {
  const live = planLive(seen.resource, wish);
  if (!live.ok || !isOld(live.value, nowMs)) return seen;
  const name = fullName(seen.resource);
  try {
    const asked = await backend.ask(seen, 'observe', new Date(nowMs).toISOString());
    if (asked.outcome !== 'set') return seen;
    for await (const [now] of backend.follow(name, AbortSignal.any([signal, AbortSignal.timeout(mostMs)]))) {
      if (now?.resource.metadata.uid !== seen.resource.metadata.uid) return seen;
      // Whoever has asked for it: by its time it is another look.
      if (now.resource.status?.planning?.observedAt === live.value.observedAt) continue;
      // A watch leaves out who writes which field.
      return await backend.get(name);
    }
  } catch {
    // It was a wish; what can't be read is said by who reads it next.
  }
  return seen;
}
