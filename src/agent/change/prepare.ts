/** What every change of a domain begins with: a look at it. */
import type { HostAnswer } from '../../host/errors.ts';
import type { Leaders } from '../../host/leaders.ts';
import { succeed } from '../../memory/result.ts';
import type { DomainObservation } from '../../host/port.ts';
import { totalOf } from '../../host/rules/total.ts';
import type { Mark } from '../../memory/operation-state.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { DomainFacts } from '../domain/facts.ts';
import { settledMarks, toObservation } from '../domain/observation.ts';
import type { DomainReader } from '../domain/reader.ts';
import type { Driver } from '../driver.ts';
import type { GuestFollowUp } from '../guest/follow-up.ts';
import type { GuestQuestions } from '../guest/questions.ts';
import type { HostMemory } from '../host-memory.ts';
import type { RepairController } from '../repair/controller.ts';
import type { Totals } from '../with-audit.ts';

export type ChangeContext = {
  readonly driver: Driver;
  readonly reader: DomainReader;
  readonly hostMemory: HostMemory;
  readonly leaders: Leaders;
  readonly repairs: RepairController;
  readonly questions: GuestQuestions;
  readonly followUp: GuestFollowUp;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** The domain as a change finds it. */
export type Found = {
  readonly facts: DomainFacts;
  readonly observation: DomainObservation;
  /** The marks that hold now. */
  readonly marks: readonly Mark[];
};

/** Looks at the domain for a change of it. The caller holds its lock. */
export async function findDomain(
  { reader, clock }: ChangeContext,
  uuid: string,
  totals: Totals,
  need: 'everything' | 'layout',
): Promise<HostAnswer<Found>> {
  const gathered = await reader.gather(uuid, need);
  if (!gathered.ok) return gathered;
  const facts = gathered.value;
  const nowMs = clock.now();
  const observation = toObservation(facts, nowMs);
  if (observation.layout !== null) totals.from = totalOf(observation.layout);
  return succeed({ facts, observation, marks: settledMarks(facts, nowMs) });
}
