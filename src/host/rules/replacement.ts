/** How the record of a begun replacement moves on. Pure, shared by the agent and the simulated host. */
import type { Claim, OperationState, Replacement } from '../../memory/operation-state.ts';
import type { PlugRequest } from '../port.ts';

/** The record that stands beside `claim`, the next claim: it goes with a newer generation and with another object. */
export function keptReplacement(
  state: Pick<OperationState, 'claim' | 'replacement'>,
  claim: Claim,
): Replacement | null {
  const { claim: before, replacement } = state;
  const sameObject = before?.clusterId === claim.clusterId && before.objectUid === claim.objectUid;
  return sameObject && replacement?.generation === claim.generation ? replacement : null;
}

/** The record to write before the plug that `request` asks for, given the one that stands. */
export function replacementOf(
  request: Pick<PlugRequest, 'beginsReplacement' | 'slot' | 'generation'>,
  kept: Replacement | null,
): Replacement | null {
  const { beginsReplacement, slot, generation } = request;
  return beginsReplacement === true ? { slot, generation } : kept;
}

/** Whether two records say the same, so that nothing need be written. */
export const isSameReplacement = (a: Replacement | null, b: Replacement | null): boolean =>
  a === b || (a !== null && b !== null && a.slot === b.slot && a.generation === b.generation);
