/** What every change of a domain begins with: who asks, and whether the domain is as he saw it. */
import { judgeClaim } from '../host/claim.ts';
import { fail, type HostAnswer, succeed } from '../host/errors.ts';
import { judgeRevision, totalOf } from '../host/guards.ts';
import type { ClaimRequest, DomainObservation } from '../host/port.ts';
import { keptReplacement } from '../host/replacement.ts';
import type { Hypervisor } from '../libvirt/hypervisor.ts';
import type { Claim, OperationState } from '../memory/operation-state.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { DomainReader } from './domain-reader.ts';
import type { GuestFollowUp } from './guest-follow-up.ts';
import type { GuestQuestions } from './guest-questions.ts';
import type { HostMemory } from './host-memory.ts';
import { type DomainFacts, settledMarks, toObservation } from './observation.ts';
import type { OrphanKeeper } from './orphans.ts';
import type { Totals } from './recorded-change.ts';

export type ChangeContext = {
  readonly hypervisor: Hypervisor;
  readonly reader: DomainReader;
  readonly hostMemory: HostMemory;
  readonly orphans: OrphanKeeper;
  readonly questions: GuestQuestions;
  readonly followUp: GuestFollowUp;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** A change that may be made as far as claim and revision go. */
export type Prepared = {
  readonly facts: DomainFacts;
  readonly observation: DomainObservation;
  /** What is to stand in the metadata before anything is changed. */
  readonly operations: OperationState & { readonly claim: Claim };
};

/** What plug and unplug have in common before either looks at memory. */
export async function prepareChange(
  context: ChangeContext,
  uuid: string,
  revision: string,
  request: ClaimRequest,
  totals: Totals,
  need: 'everything' | 'layout',
): Promise<HostAnswer<Prepared>> {
  const gathered = await context.reader.gather(uuid, need);
  if (!gathered.ok) return gathered;
  const facts = gathered.value;
  const nowMs = context.clock.now();
  const observation = toObservation(facts, nowMs);
  if (observation.layout !== null) totals.from = totalOf(observation.layout);
  const claim = judgeClaim(facts.claim, facts.ownerNamespace, request);
  if (!claim.ok) return claim;
  const stale = judgeRevision(observation, revision);
  if (stale !== null) return fail(stale);
  const replacement = keptReplacement(facts, claim.value);
  return succeed({
    facts,
    observation,
    operations: { claim: claim.value, marks: settledMarks(facts, nowMs), replacement },
  });
}
