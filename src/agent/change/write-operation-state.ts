/** Writing what is kept with a domain into its live metadata. */
import type { Leader } from '../../memory/leader.ts';
import type { OperationState } from '../../memory/operation-state.ts';
import type { DomainFacts } from '../domain/facts.ts';
import type { Driver } from '../driver.ts';

/** Keeps with the domain which leader changes it, unless it says so. The caller holds the lock. Rejects with a DriverError. */
export async function recordLeader(
  { driver }: { readonly driver: Driver },
  { memory: { uuid, leader: kept } }: DomainFacts,
  leader: Leader | undefined,
): Promise<void> {
  if (leader === undefined || (kept?.election === leader.election && kept.epoch === leader.epoch)) return;
  await driver.recordLeader(uuid, leader);
}

/**
 * Writes the state; what `facts` show beside it and only a newer agent knows stays. The caller holds the lock of the
 * domain. Rejects with a DriverError.
 */
export async function writeOperationState(
  { driver }: { readonly driver: Driver },
  facts: DomainFacts,
  state: OperationState,
): Promise<void> {
  await driver.writeOperationState(facts.memory.uuid, state, facts.unread);
  facts.run?.wrote(state);
}
