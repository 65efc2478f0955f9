/** Writing the operation state into the domain's live metadata. */
import type { Hypervisor } from '../../libvirt/domain/hypervisor.ts';
import { stateNamespace, statePrefix, writeState } from '../../libvirt/xml/operation-state.ts';
import type { OperationState } from '../../memory/operation-state.ts';
import type { DomainFacts } from '../domain/observation.ts';

/**
 * Writes the state; what `facts` show beside it and only a newer agent knows stays. The caller holds the lock of the
 * domain. Rejects with a LibvirtError.
 */
export async function keepState(
  { hypervisor }: { readonly hypervisor: Hypervisor },
  facts: DomainFacts,
  state: OperationState,
): Promise<void> {
  const xml = writeState(state, facts.unread);
  await hypervisor.setMetadata(facts.memory.uuid, stateNamespace, statePrefix, xml);
  if (facts.run !== null) facts.run.operations = state;
}
