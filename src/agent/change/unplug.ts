/** Unplugging one module: re-validate under the lock of the domain, ask the guest what it can spare, mark, then act. */
import { type HostAnswer, hostError } from '../../host/errors.ts';
import { fail, succeed } from '../../memory/result.ts';
import { type Admitted, admitUnplug, silenceError, judgeByReport } from '../../host/rules/admit.ts';
import { isGuestRunning } from '../../host/rules/boot.ts';
import type { ObservedModule, UnplugAnswer, UnplugRequest } from '../../host/port.ts';
import { computeRevision } from '../../host/rules/revision.ts';
import type { OperationState } from '../../memory/operation-state.ts';
import type { GuestAnswer } from '../guest/questions.ts';
import { recordLeader, writeOperationState } from './write-operation-state.ts';
import { askForModule } from '../../host/rules/marks.ts';
import { type DomainFacts, modulesOf } from '../domain/facts.ts';
import { tellObservation, toObservation } from '../domain/observation.ts';
import { isAnswered, toHostError } from '../driver-error.ts';
import { type ChangeContext, findDomain, type Found } from './prepare.ts';
import type { Totals } from '../with-audit.ts';
import type { HeardReport } from '../domain/guest-reports.ts';

/** What the guest is asked for, and how the domain stood when that was judged. */
type Departing = Found & Admitted & { readonly module: ObservedModule };

/** Judges an unplug, in the end by what the guest says of its memory when it is asked. */
async function prepareUnplug(
  context: ChangeContext,
  uuid: string,
  revision: string,
  request: UnplugRequest,
  totals: Totals,
): Promise<HostAnswer<Departing>> {
  const found = await findDomain(context, uuid, totals, 'everything');
  if (!found.ok) return found;
  const led = context.leaders.admit(request.leader);
  if (!led.ok) return led;
  const admitted = admitUnplug(found.value.observation, revision, request, 'layout');
  if (!admitted.ok) return admitted;
  // What was left behind is taken away as a module is, and one leaves at a time.
  const obstacle = await context.repairs.findObstacle(found.value.facts);
  if (obstacle !== null) return fail(obstacle);
  if (request.minUsableAfter === undefined) return succeed({ ...found.value, ...admitted.value });

  const report = await askGuest(context, found.value, request);
  if (!report.ok) return report;
  // As it is now: the question takes its time. By the very report that answers it: an older one may arrive after it.
  const again = await findDomain(context, uuid, totals, 'layout');
  if (!again.ok) return again;
  const still = context.leaders.admit(request.leader);
  if (!still.ok) return still;
  const answered = toObservation({ ...again.value.facts, statistics: report.value }, context.clock.now());
  const judged = admitUnplug(answered, revision, request, 'guest');
  return judged.ok ? succeed({ ...again.value, ...judged.value }) : judged;
}

/** What the guest says now; an error when it doesn't, or says no. */
async function askGuest(
  context: ChangeContext,
  { facts, observation }: Found,
  request: UnplugRequest,
): Promise<HostAnswer<HeardReport>> {
  const { run } = facts;
  // A paused guest can't answer.
  const canAnswer = run !== null && isGuestRunning(observation.state);
  const answer: GuestAnswer = canAnswer ? await context.questions.ask(run) : { kind: 'late' };
  switch (answer.kind) {
    case 'answered':
      return succeed(answer.report);
    case 'busy':
      return fail(hostError('busy', `VM ${observation.name} is held by another job, so its guest cannot be asked now`));
    case 'unable':
      return fail(
        hostError(
          'guest-memory-unknown',
          `The agent's driver (${context.driver.name}) cannot ask the guest of VM ${observation.name} for its memory`,
        ),
      );
    case 'absent':
    case 'late': {
      // What it said a moment ago may be a no already.
      const judged = judgeByReport(observation, request);
      return fail(judged.ok ? silenceError(observation) : judged.error);
    }
  }
}

/** Asks the guest for one module. The caller holds the lock of the domain. */
export async function unplugModule(
  context: ChangeContext,
  uuid: string,
  revision: string,
  request: UnplugRequest,
  totals: Totals,
): Promise<HostAnswer<UnplugAnswer>> {
  let prepared: HostAnswer<Departing>;
  try {
    prepared = await prepareUnplug(context, uuid, revision, request, totals);
  } catch (error) {
    return fail(toHostError(error));
  }
  if (!prepared.ok) return prepared;
  const { facts, marks, claim, replacement, module } = prepared.value;
  if (module.alias === '') {
    return fail(hostError('rejected', `libvirt shows no alias for the module in slot ${module.slot}`));
  }
  totals.to = (totals.from ?? 0) - module.size;

  const asked = askForModule(marks, module, claim.generation, context.clock.now());
  try {
    await recordLeader(context, facts, request.leader);
    // The mark comes before the detach: from now on the module counts as leaving, whatever crashes.
    await writeOperationState(context, facts, { claim, replacement, marks: asked });
  } catch (error) {
    return fail(toHostError(error));
  }
  try {
    await context.driver.detach(uuid, module.alias);
  } catch (error) {
    return fail(await settleFailedUnplug(context, facts, { claim, replacement, marks }, request, error));
  }
  const after = await context.reader.gather(uuid, 'layout');
  if (!after.ok) {
    const runtimeId = facts.run?.runtimeId ?? null;
    return succeed({ revision: computeRevision({ runtimeId, modules: modulesOf(facts.memory), marks: asked }) });
  }
  // The guest may have answered already.
  const observation = tellObservation(after.value, context.clock);
  return succeed({ revision: observation.revision, observation });
}

/** A detach that libvirt refused asked nobody: the mark is taken back. One without an answer keeps it. */
async function settleFailedUnplug(
  context: ChangeContext,
  facts: DomainFacts,
  before: OperationState,
  request: UnplugRequest,
  error: unknown,
) {
  const failure = toHostError(error);
  if (!isAnswered(error)) return failure;
  const { uuid } = facts.memory;
  const after = await context.reader.gather(uuid);
  if (!after.ok) return after.error.code === 'not-found' ? after.error : failure;
  const there = modulesOf(after.value.memory).some((module) => module.slot === request.slot);
  if (!there) return hostError('no-such-module', `The module in slot ${request.slot} has left meanwhile`, error);
  try {
    await writeOperationState(context, after.value, before);
  } catch (cause) {
    // The mark stays and the module counts as leaving; asking for it again settles that.
    context.logger.warn({ uuid, err: toHostError(cause).message }, 'mark could not be taken back');
  }
  return failure;
}
