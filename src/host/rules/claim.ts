/** Who may act on a domain. Pure, and shared by the agent and the simulated host. */
import type { Claim } from '../../memory/operation-state.ts';
import { type HostAnswer, hostError, type HostErrorCode } from '../errors.ts';
import { fail, succeed } from '../../memory/result.ts';
import type { ClaimRequest } from '../port.ts';

const refuse = (code: HostErrorCode, message: string) => fail(hostError(code, message));

/**
 * Who may act on the domain. Success is the claim that must stand in the domain's metadata before anything is changed.
 * Another cluster, another object (unless it says that it replaces the one that holds the claim), another namespace
 * than the host's admin named, and an older generation are refused (invariant I8).
 */
export function judgeClaim(
  claim: Claim | null,
  ownerNamespace: string | null,
  request: ClaimRequest,
): HostAnswer<Claim> {
  const wanted: Claim = {
    clusterId: request.clusterId,
    objectUid: request.objectUid,
    namespace: request.namespace,
    generation: request.generation,
  };
  if (ownerNamespace !== null && ownerNamespace !== request.namespace) {
    return refuse('claimed-by-other', "The host's admin has reserved this VM for another namespace");
  }
  if (claim === null) return succeed(wanted);
  if (claim.clusterId !== request.clusterId) {
    return refuse(
      'claimed-by-other',
      'The VM is claimed by another cluster; an admin of the host can end that with "dimmer agent release UUID"',
    );
  }
  if (claim.objectUid !== request.objectUid) {
    if (request.replacesUid === claim.objectUid) return succeed(wanted);
    return refuse('claimed-by-other', 'The VM is claimed by another VirtualMachineMemory of the same cluster');
  }
  if (request.generation < claim.generation) {
    return refuse(
      'old-generation',
      `Generation ${claim.generation} has already been acted for; ${request.generation} is older (where an older state of the resource was restored, "dimmer agent release UUID" on the VM's host lets it go on)`,
    );
  }
  return succeed(wanted);
}

/** Whether two claims say the same, so that nothing need be written. */
export const isSameClaim = (a: Claim | null, b: Claim): boolean =>
  a?.clusterId === b.clusterId &&
  a.objectUid === b.objectUid &&
  a.namespace === b.namespace &&
  a.generation === b.generation;
