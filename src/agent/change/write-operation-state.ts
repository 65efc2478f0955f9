/** Writing the operation state into the domain's live metadata. */
import type { OperationState } from '../../memory/operation-state.ts';
import type { DomainFacts } from '../domain/observation.ts';
import type { Driver } from '../driver.ts';

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
