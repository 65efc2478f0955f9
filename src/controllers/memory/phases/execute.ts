/**
 * Executing a plan's steps through the host. Each step is guarded by the revision the plan was made from; plugs follow
 * each other, an unplug ends the run (its outcome is observed, never waited for here).
 */
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import { formatQuantity } from '../../../memory/quantity.ts';
import type { HostAnswer, HostError, HostErrorCode } from '../../../host/errors.ts';
import type { ClaimRequest, DomainObservation, PersistAnswer, UnplugRequest } from '../../../host/port.ts';
import type { AskAgain, PlanStep } from '../../../planner/types.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { HostEntry } from '../../shared/host-entry.ts';
import { readAnswered } from './answered.ts';
import { isToBeStored } from '../persisted.ts';
import { pageSizeOn } from '../backing.ts';
import type { Action, Executed, Judgement, Located } from '../types.ts';

export type ExecuteContext = {
  readonly resource: VirtualMachineMemory;
  readonly clusterId: string;
  readonly entry: HostEntry;
  readonly logger: Logger;
  /** Asked between two steps: whether the resource still wants this and may do it. */
  readonly mayGoOn: () => boolean;
};

type Claimant = Pick<ExecuteContext, 'resource' | 'clusterId' | 'logger'>;

function buildClaim({ resource, clusterId }: Claimant, located: Located): ClaimRequest {
  const { uid, namespace, generation } = resource.metadata;
  const claim = { clusterId, objectUid: uid, namespace, generation };
  return located.replacesUid === null ? claim : { ...claim, replacesUid: located.replacesUid };
}

/** Has the modules of the running VM written to its stored definition. */
export function store({ located }: Judgement, context: Claimant): Promise<HostAnswer<PersistAnswer>> {
  const { uuid, revision } = located.observation;
  context.logger.info({ uuid }, 'writing the stored definition');
  return located.host.persist(uuid, revision, buildClaim(context, located));
}

/** Agents of 0.1.0 have no such call: their claim stays, and whoever has the VM next takes it over. */
const isUnknownCall: ReadonlySet<HostErrorCode> = new Set<HostErrorCode>(['no-such-route', 'method-not-allowed']);

async function releaseClaim(judgement: Judgement, context: ExecuteContext): Promise<Executed> {
  const { located } = judgement;
  const { uuid, revision } = located.observation;
  if (isToBeStored(judgement)) {
    // What has left would be back after a start.
    const stored = await store(judgement, context);
    if (!stored.ok)
      context.logger.warn({ code: stored.error.code, err: stored.error.cause }, 'stored definition stays');
  }
  context.logger.info({ uuid }, 'giving the claim up');
  const { replacesUid: _, ...holder } = buildClaim(context, located);
  const answer = await located.host.releaseClaim(uuid, revision, holder);
  if (answer.ok || isUnknownCall.has(answer.error.code)) return { kind: 'released' };
  return { kind: 'failed', what: 'giving the claim up', error: answer.error, plugged: 0 };
}

function describeStep(step: PlanStep | AskAgain): string {
  switch (step.operation) {
    case 'plug':
      return `plugging ${formatQuantity(step.size)} into slot ${step.slot}`;
    case 'unplug':
      return `unplugging ${formatQuantity(step.size)} (module ${step.alias})`;
    case 'ask-again':
      return `asking again for module ${step.alias}`;
  }
}

/** Carries out `action`; the caller has a place for it on the host. Never throws; stops at the first step that fails. */
export async function execute(action: Action, judgement: Judgement, context: ExecuteContext): Promise<Executed> {
  if (action.kind === 'nothing') return { kind: 'nothing' };
  const executed =
    action.kind === 'release-claim'
      ? await releaseClaim(judgement, context)
      : await runSteps(action, judgement, context);
  // What it said last was more than it has.
  if (executed.kind === 'failed' && isShortage(executed.error)) context.entry.forgetFacts();
  return executed;
}

const shortages: ReadonlySet<HostErrorCode> = new Set<HostErrorCode>([
  'insufficient-host-memory',
  'hugepages-unavailable',
  'namespace-limit',
]);

/** Whether the host, or the namespace of it, has less than was thought when the step was planned. */
export const isShortage = ({ code }: HostError): boolean => shortages.has(code);

async function runSteps(
  action: Extract<Action, { kind: 'run' | 'ask-again' }>,
  { located, desired }: Judgement,
  context: ExecuteContext,
): Promise<Executed> {
  const { host, limits } = located;
  const { observation } = located;
  const { uuid } = observation;
  const claim = buildClaim(context, located);
  let { revision } = observation;
  let after: DomainObservation | null = null;
  const steps = action.kind === 'run' ? action.steps : [action.module];
  const beginsReplacement = action.kind === 'run' && action.beginsReplacement;
  let plugged = 0;

  for (const [index, step] of steps.entries()) {
    if (index > 0 && !context.mayGoOn()) break;
    const what = describeStep(step);
    context.logger.info({ uuid, step }, 'executing step');
    if (step.operation === 'plug') {
      const pageSize = pageSizeOn(located, desired, step.node);
      const answer = await host.plug(uuid, revision, {
        ...claim,
        slot: step.slot,
        size: step.size,
        node: step.node,
        ...(pageSize === null ? {} : { pageSize }),
        ...(beginsReplacement ? { beginsReplacement } : {}),
        ...(steps[index + 1]?.operation === 'plug' ? { isMidway: true } : {}),
        hostReserve: limits.memoryReserve,
        hostOvercommit: limits.memoryOvercommit,
        ...(limits.namespaceLimit === null ? {} : { namespaceLimit: limits.namespaceLimit }),
      });
      if (!answer.ok) return { kind: 'failed', what, error: answer.error, plugged };
      plugged += 1;
      revision = answer.value.revision;
      after = answer.value.done ? readAnswered(answer.value, step, claim, observation) : null;
      if (!answer.value.done) break;
    } else {
      const request: UnplugRequest = { ...claim, slot: step.slot };
      const guarded = step.minUsableAfter === null ? request : { ...request, minUsableAfter: step.minUsableAfter };
      const answer = await host.unplug(uuid, revision, guarded);
      if (!answer.ok) return { kind: 'failed', what, error: answer.error, plugged };
      return { kind: 'acted', plugged, asked: 1, after: readAnswered(answer.value, step, claim, observation) };
    }
  }
  return { kind: 'acted', plugged, asked: 0, after };
}
