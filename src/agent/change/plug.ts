/** Plugging one module: re-validate under the lock of the domain, record the intent, then act. */
import { isSameClaim } from '../../host/rules/claim.ts';
import { type HostAnswer, hostError } from '../../host/errors.ts';
import { fail } from '../../memory/result.ts';
import { admitPlug } from '../../host/rules/admit.ts';
import type { PlugAnswer, PlugRequest } from '../../host/port.ts';
import { isSameReplacement, replacementOf } from '../../host/rules/replacement.ts';
import { backingOfNode } from '../../memory/backing.ts';
import type { Claim, OperationState } from '../../memory/operation-state.ts';
import { attachModule } from './attach.ts';
import { isInTheWay } from '../repair/suspicion.ts';
import { recordLeader, writeOperationState } from './write-operation-state.ts';
import { saysTheSame } from '../../host/rules/marks.ts';
import type { DomainFacts } from '../domain/facts.ts';
import { toHostError } from '../driver-error.ts';
import { type ChangeContext, findDomain } from './prepare.ts';
import type { Totals } from '../with-audit.ts';

/** Whether the metadata says so already. */
const isWritten = (facts: DomainFacts, next: OperationState & { readonly claim: Claim }): boolean =>
  isSameClaim(facts.claim, next.claim) &&
  saysTheSame(facts.marks, next.marks) &&
  isSameReplacement(facts.replacement, next.replacement);

/** Plugs one module. The caller holds the lock of the domain. */
export async function plugModule(
  context: ChangeContext,
  uuid: string,
  revision: string,
  request: PlugRequest,
  totals: Totals,
): Promise<HostAnswer<PlugAnswer>> {
  const found = await findDomain(context, uuid, totals, 'layout');
  if (!found.ok) return found;
  const { facts, observation, marks } = found.value;
  const led = context.leaders.admit(request.leader);
  if (!led.ok) return led;
  const admitted = admitPlug(observation, revision, request);
  if (!admitted.ok) return admitted;
  const obstacle = await context.repairs.findObstacle(facts);
  if (obstacle !== null) return fail(obstacle);
  if (isInTheWay(facts.run?.repair.hidden ?? null)) {
    return fail(
      hostError('busy', `VM ${observation.name} has more memory than libvirt shows; it may be being plugged`),
    );
  }
  const { pageSize, hostNodes } = backingOfNode(facts.memory, request.node, facts.defaultHugePageSize);
  // Where libvirt itself binds the module, its memory comes from those nodes.
  const bound = hostNodes === null ? request : { hostNodes, ...request };
  const reserved = context.hostMemory.reserve(uuid, bound, request.pageSize ?? pageSize);
  if (!reserved.ok) return fail(reserved.error);
  totals.to = (totals.from ?? 0) + request.size;

  try {
    // The generation is written before the first change that is made for it: the claim keeps older ones away. So is the
    // beginning of a replacement: whoever comes after a crash sees that its module was plugged, or was about to be.
    const { claim, replacement } = admitted.value;
    const record = async (slot: number): Promise<void> => {
      const next = { claim, marks, replacement: replacementOf({ ...request, slot }, replacement) };
      // Before it is written: whatever comes of the plug, it may be theirs from now on.
      context.hostMemory.setHolder(uuid, claim);
      if (!isWritten(facts, next)) await writeOperationState(context, facts, next);
    };
    await recordLeader(context, facts, request.leader);
    await record(request.slot);
    // All that takes its time; another may lead by now.
    const still = context.leaders.admit(request.leader);
    if (!still.ok) return still;
    return await attachModule(context, found.value, request, record);
  } catch (error) {
    return fail(toHostError(error));
  } finally {
    reserved.value();
  }
}
