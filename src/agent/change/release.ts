/** Giving up a claim: whose resource goes leaves nothing behind that speaks of it. The memory stays as it is. */
import { admitRelease } from '../../host/rules/admit.ts';
import type { HostAnswer } from '../../host/errors.ts';
import type { ReleaseAnswer, ReleaseRequest } from '../../host/port.ts';
import { fail, succeed } from '../../memory/result.ts';
import { toHostError } from '../driver-error.ts';
import type { Totals } from '../with-audit.ts';
import { type ChangeContext, findDomain } from './prepare.ts';
import { writeOperationState } from './write-operation-state.ts';

/** Takes the claim out of the metadata of the domain. What was asked to leave stays marked. The caller holds its lock. */
export async function releaseClaim(
  context: ChangeContext,
  uuid: string,
  revision: string,
  request: ReleaseRequest,
  totals: Totals,
): Promise<HostAnswer<ReleaseAnswer>> {
  try {
    const found = await findDomain(context, uuid, totals, 'layout');
    if (!found.ok) return found;
    const { facts, observation, marks } = found.value;
    const led = context.leaders.admit(request.leader);
    if (!led.ok) return led;
    const admitted = admitRelease(observation, revision, request);
    if (!admitted.ok) return admitted;
    totals.to = totals.from;
    if (observation.claim !== null) {
      await writeOperationState(context, facts, { claim: null, replacement: null, marks });
    }
    return succeed({ revision });
  } catch (error) {
    return fail(toHostError(error));
  }
}
