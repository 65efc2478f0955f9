/** Plugging and unplugging one module: re-validate under the lock of the domain, record the intent, then act. */
import { fail, type HostAnswer, hostError, type HostError, succeed } from '../host/errors.ts';
import { isSameClaim, judgeClaim } from '../host/claim.ts';
import { explainSilence, judgeLeaving, judgePlug, judgeRevision, judgeUnplug, totalOf } from '../host/guards.ts';
import type {
  ClaimRequest,
  DomainObservation,
  ObservedModule,
  PlugAnswer,
  PlugRequest,
  UnplugAnswer,
  UnplugRequest,
} from '../host/port.ts';
import { isSameReplacement, keptReplacement, replacementOf } from '../host/replacement.ts';
import { computeRevision } from '../host/revision.ts';
import { writeDimmXml } from '../libvirt/device-xml.ts';
import { isCallError, isLibvirtError, isOutcomeUnknown } from '../libvirt/errors.ts';
import type { Hypervisor } from '../libvirt/hypervisor.ts';
import type { Claim, OperationState } from '../memory/operation-state.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { aliasesOfSlot } from './aliases.ts';
import type { DomainReader } from './domain-reader.ts';
import type { GuestFollowUp } from './guest-follow-up.ts';
import type { GuestAnswer, GuestQuestions } from './guest-questions.ts';
import { isInTheWay } from './hidden-memory.ts';
import type { HostMemory } from './host-memory.ts';
import { keepState } from './keep-state.ts';
import { toHostError } from './libvirt-errors.ts';
import { askForModule, saysTheSame } from './marks.ts';
import { type DomainFacts, modulesOf, ownPageSize, settledMarks, toObservation } from './observation.ts';
import type { OrphanKeeper } from './orphans.ts';
import type { Totals } from './recorded-change.ts';
import type { HeardReport } from './runs.ts';

export type ChangeContext = {
  readonly hypervisor: Hypervisor;
  readonly reader: DomainReader;
  readonly hostMemory: HostMemory;
  readonly orphans: OrphanKeeper;
  readonly questions: GuestQuestions;
  readonly followUp: GuestFollowUp;
  readonly clock: Clock;
  readonly logger: Logger;
};

type Prepared = {
  readonly facts: DomainFacts;
  readonly observation: DomainObservation;
  /** What is to stand in the metadata before anything is changed. */
  readonly operations: OperationState & { readonly claim: Claim };
};

/** What plug and unplug have in common before either looks at memory. */
async function prepare(
  context: ChangeContext,
  uuid: string,
  revision: string,
  request: ClaimRequest,
  totals: Totals,
  need: 'everything' | 'layout',
): Promise<HostAnswer<Prepared>> {
  const gathered = await context.reader.gather(uuid, need);
  if (!gathered.ok) return gathered;
  const facts = gathered.value;
  const nowMs = context.clock.now();
  const observation = toObservation(facts, nowMs);
  if (observation.layout !== null) totals.from = totalOf(observation.layout);
  const claim = judgeClaim(facts.claim, facts.ownerNamespace, request);
  if (!claim.ok) return claim;
  const stale = judgeRevision(observation, revision);
  if (stale !== null) return fail(stale);
  const replacement = keptReplacement(facts, claim.value);
  return succeed({
    facts,
    observation,
    operations: { claim: claim.value, marks: settledMarks(facts, nowMs), replacement },
  });
}

/** Whether the metadata says so already. */
const isWritten = (facts: DomainFacts, next: Prepared['operations']): boolean =>
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
  const prepared = await prepare(context, uuid, revision, request, totals, 'layout');
  if (!prepared.ok) return prepared;
  const { facts, observation, operations } = prepared.value;
  const judged = judgePlug(observation, request);
  if (!judged.ok) return judged;
  const obstacle = await context.orphans.obstacle(facts);
  if (obstacle !== null) return fail(obstacle);
  if (isInTheWay(facts.run?.hidden ?? null)) {
    return fail(
      hostError('busy', `VM ${observation.name} has more memory than libvirt shows; it may be being plugged`),
    );
  }
  const pageSize = request.pageSize ?? ownPageSize(facts.memory, facts.defaultHugePageSize);
  const reserved = context.hostMemory.reserve(request, pageSize);
  if (!reserved.ok) return fail(reserved.error);
  totals.to = (totals.from ?? 0) + request.size;

  try {
    // The generation is written before the first change that is made for it: the claim keeps older ones away. So is the
    // beginning of a replacement: whoever comes after a crash sees that its module was plugged, or was about to be.
    const next = { ...operations, replacement: replacementOf(request, operations.replacement) };
    if (!isWritten(facts, next)) await keepState(context, facts, next);
    return await attach(context, facts, request);
  } catch (error) {
    return fail(toHostError(error));
  } finally {
    reserved.end();
  }
}

async function attach(
  context: ChangeContext,
  { memory: { uuid }, run, statistics }: DomainFacts,
  request: PlugRequest,
): Promise<HostAnswer<PlugAnswer>> {
  const { slot, size, node, pageSize, hostNodes } = request;
  let failure: HostError | null = null;
  for (const alias of aliasesOfSlot(slot)) {
    const xml = writeDimmXml({
      ...{ slot, alias, size, node },
      ...(pageSize === undefined ? {} : { pageSize }),
      ...(hostNodes === undefined ? {} : { hostNodes }),
    });
    try {
      await context.hypervisor.attachDevice(uuid, xml);
    } catch (error) {
      if (isLibvirtError(error) && isOutcomeUnknown(error)) context.orphans.doubt(uuid);
      const settled = await settleFailedPlug(context, uuid, request, error);
      if (settled.kind === 'settled') return settled.answer;
      failure ??= settled.error;
      continue;
    }
    // The name of another alias was taken, though no module has it.
    if (failure !== null) context.orphans.doubt(uuid);
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
  const byQemu = isCallError(error, 'Failed');
  if (!byQemu && !(isLibvirtError(error) && isOutcomeUnknown(error))) return settled(fail(failure));

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

/** What the guest is asked for, and how the domain stood when that was judged. */
type Departing = Prepared & { readonly module: ObservedModule };

/** Judges an unplug, in the end by what the guest says of its memory when it is asked. */
async function prepareUnplug(
  context: ChangeContext,
  uuid: string,
  revision: string,
  request: UnplugRequest,
  totals: Totals,
): Promise<HostAnswer<Departing>> {
  const prepared = await prepare(context, uuid, revision, request, totals, 'everything');
  if (!prepared.ok) return prepared;
  const { facts, observation } = prepared.value;
  const leaving = judgeLeaving(observation, request.slot);
  if (!leaving.ok) return leaving;
  // What was left behind is taken away as a module is, and one leaves at a time.
  const obstacle = await context.orphans.obstacle(facts);
  if (obstacle !== null) return fail(obstacle);
  if (request.minUsableAfter === undefined) return succeed({ ...prepared.value, module: leaving.value });

  const report = await askGuest(context, prepared.value, request);
  if (!report.ok) return report;
  // As it is now: the question takes its time. By the very report that answers it: an older one may arrive after it.
  const again = await prepare(context, uuid, revision, request, totals, 'layout');
  if (!again.ok) return again;
  const nowMs = context.clock.now();
  const answered = { ...again.value.facts, statistics: report.value };
  const judged = judgeUnplug(toObservation(answered, nowMs), request);
  return judged.ok ? succeed({ ...again.value, module: judged.value }) : judged;
}

/** What the guest says now; an error when it doesn't, or says no. */
async function askGuest(
  context: ChangeContext,
  { facts, observation }: Prepared,
  request: UnplugRequest,
): Promise<HostAnswer<HeardReport>> {
  const { run } = facts;
  // A paused guest can't answer.
  const canAnswer = run !== null && (observation.state === 'Running' || observation.state === 'Blocked');
  const answer: GuestAnswer = canAnswer ? await context.questions.ask(run) : { kind: 'late' };
  switch (answer.kind) {
    case 'answered':
      return succeed(answer.report);
    case 'busy':
      return fail(hostError('busy', `VM ${observation.name} is held by another job, so its guest cannot be asked now`));
    case 'absent':
    case 'late': {
      // What it said a moment ago may be a no already.
      const judged = judgeUnplug(observation, request);
      return fail(judged.ok ? explainSilence(observation) : judged.error);
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
  const { facts, operations, module } = prepared.value;
  if (module.alias === '') {
    return fail(hostError('rejected', `libvirt shows no alias for the module in slot ${module.slot}`));
  }
  totals.to = (totals.from ?? 0) - module.size;

  const asked = askForModule(operations.marks, module, operations.claim.generation, context.clock.now());
  try {
    // The mark comes before the detach: from now on the module counts as leaving, whatever crashes.
    await keepState(context, facts, { ...operations, marks: asked });
  } catch (error) {
    return fail(toHostError(error));
  }
  try {
    await context.hypervisor.detachDeviceAlias(uuid, module.alias);
  } catch (error) {
    return fail(await settleFailedUnplug(context, facts, operations, request, error));
  }
  const runtimeId = facts.run?.runtimeId ?? null;
  return succeed({ revision: computeRevision({ runtimeId, modules: modulesOf(facts.memory), marks: asked }) });
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
  if (!isLibvirtError(error) || error.kind !== 'call') return failure;
  const { uuid } = facts.memory;
  const after = await context.reader.gather(uuid);
  if (!after.ok) return after.error.code === 'not-found' ? after.error : failure;
  const there = modulesOf(after.value.memory).some((module) => module.slot === request.slot);
  if (!there) return hostError('no-such-module', `The module in slot ${request.slot} has left meanwhile`, error);
  try {
    await keepState(context, after.value, before);
  } catch (cause) {
    // The mark stays and the module counts as leaving; asking for it again settles that.
    context.logger.warn({ uuid, error: toHostError(cause).message }, 'mark could not be taken back');
  }
  return failure;
}
