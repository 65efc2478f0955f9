/** Plugging one module: re-validate under the lock of the domain, record the intent, then act. */
import { isSameClaim } from '../../host/rules/claim.ts';
import { fail, type HostAnswer, hostError, type HostError, succeed } from '../../host/errors.ts';
import { admitPlug } from '../../host/rules/admit.ts';
import type { PlugAnswer, PlugRequest } from '../../host/port.ts';
import { isSameReplacement, replacementOf } from '../../host/rules/replacement.ts';
import { backingOfNode } from '../../memory/backing.ts';
import type { Claim, OperationState } from '../../memory/operation-state.ts';
import { aliasesOfSlot } from './aliases.ts';
import { isInTheWay } from '../repair/suspicion.ts';
import { writeOperationState } from './write-operation-state.ts';
import { saysTheSame } from '../../host/rules/marks.ts';
import { type DomainFacts, toObservation } from '../domain/observation.ts';
import { isDriverError, toHostError } from '../driver-error.ts';
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
  const reserved = context.hostMemory.reserve(bound, request.pageSize ?? pageSize);
  if (!reserved.ok) return fail(reserved.error);
  totals.to = (totals.from ?? 0) + request.size;

  try {
    // The generation is written before the first change that is made for it: the claim keeps older ones away. So is the
    // beginning of a replacement: whoever comes after a crash sees that its module was plugged, or was about to be.
    const { claim, replacement } = admitted.value;
    const next = { claim, marks, replacement: replacementOf(request, replacement) };
    if (!isWritten(facts, next)) await writeOperationState(context, facts, next);
    return await attach(context, facts, request);
  } catch (error) {
    return fail(toHostError(error));
  } finally {
    reserved.end();
  }
}

async function attach(
  context: ChangeContext,
  { memory: { uuid, hasNumaNodes }, run, statistics }: DomainFacts,
  request: PlugRequest,
): Promise<HostAnswer<PlugAnswer>> {
  const { slot, size, node, pageSize, hostNodes } = request;
  let failure: HostError | null = null;
  for (const alias of aliasesOfSlot(slot)) {
    try {
      await context.driver.attach(uuid, {
        ...{ slot, alias, size, node: hasNumaNodes ? node : null },
        ...(pageSize === undefined ? {} : { pageSize }),
        ...(hostNodes === undefined ? {} : { hostNodes }),
      });
    } catch (error) {
      if (isDriverError(error, 'OutcomeUnknown')) context.repairs.requireInspection(uuid);
      const settled = await settleFailedPlug(context, uuid, request, error);
      if (settled.kind === 'settled') return settled.answer;
      failure ??= settled.error;
      continue;
    }
    // The name of another alias was taken, though no module has it.
    if (failure !== null) context.repairs.requireInspection(uuid);
    if (run !== null) context.followUp.plugged(run, statistics?.available ?? null, size);
    const after = await context.reader.gather(uuid, 'layout');
    if (!after.ok) {
      return fail(hostError('outcome-unknown', `The module was plugged, but then: ${after.error.message}`));
    }
    return succeed({ done: true, revision: toObservation(after.value, context.clock.now()).revision });
  }
  return fail(failure ?? hostError('internal-error', 'There is no alias for the slot'));
}

type SettledPlug =
  | { readonly kind: 'settled'; readonly answer: HostAnswer<PlugAnswer> }
  /** QEMU refused and nothing was plugged; another alias may do. */
  | { readonly kind: 'failed'; readonly error: HostError };

/** A failed attach may have happened all the same: the XML tells. */
async function settleFailedPlug(
  context: ChangeContext,
  uuid: string,
  request: PlugRequest,
  error: unknown,
): Promise<SettledPlug> {
  const failure = toHostError(error);
  const settled = (answer: HostAnswer<PlugAnswer>): SettledPlug => ({ kind: 'settled', answer });
  const byQemu = isDriverError(error, 'Failed');
  if (!byQemu && !isDriverError(error, 'OutcomeUnknown')) return settled(fail(failure));

  const after = await context.reader.gather(uuid);
  if (!after.ok) return settled(fail(after.error.code === 'not-found' ? after.error : failure));
  const observation = toObservation(after.value, context.clock.now());
  if (observation.layout === null) {
    return settled(fail(hostError('not-running', `VM ${observation.name} stopped meanwhile`, error)));
  }
  const there = observation.layout.modules.find((module) => module.slot === request.slot);
  if (there?.size === request.size && aliasesOfSlot(request.slot).includes(there.alias)) {
    return settled(succeed({ done: true, revision: observation.revision }));
  }
  return byQemu && there === undefined ? { kind: 'failed', error: failure } : settled(fail(failure));
}
