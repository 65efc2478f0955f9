/** From a plan and what came of it to the one reason that is told. Pure. */
import { timestamp } from '../../api/v1alpha1/conditions.ts';
import { reasonTable } from '../../api/v1alpha1/reasons.ts';
import type { VirtualMachineMemoryStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { sumBytes } from '../../memory/bytes.ts';
import { formatQuantity } from '../../memory/quantity.ts';
import { nextRepeatMs } from './phases/action.ts';
import { explainHostError } from '../shared/explain-host-error.ts';
import { type Drift, explainCorrecting, explainLeft, isLeft } from './drift.ts';
import { explainMissing, judgeOnlined, onlineTimeoutMs } from './onlined.ts';
import { guestPollMs, inUsePollMs, longestLatePollMs, lostEventMs, slowPollMs } from './polls.ts';
import { explainCalledOff, isOver } from './replacement.ts';
import { describeUnjudged, explainSuspended, isSuspended, judgeSettled } from './settled.ts';
import { isOpen } from './resize.ts';
import type { Mode } from './scope.ts';
import { computeCurrent } from './total.ts';
import type { Judgement, Outcome, Problem, Verdict } from './types.ts';

export type VerdictInput = {
  readonly judgement: Judgement;
  readonly outcome: Outcome;
  readonly mode: Mode;
  /** The resize under way, or the last one. */
  readonly resize: VirtualMachineMemoryStatus['lastResize'];
  readonly drift: Drift | undefined;
  /** Modules that somebody else has changed will be brought back as soon as the status says so. */
  readonly isBeginning: boolean;
  /** The controller's clock, epoch ms. */
  readonly nowMs: number;
};

/** The verdict on a problem found before planning. */
export const judgeProblem = (problem: Problem): Verdict => ({
  reason: problem.reason,
  message: problem.message,
  ...(problem.adminDetail === undefined ? {} : { adminDetail: problem.adminDetail }),
  againInMs: problem.retry ? 'backoff' : null,
});

/** The verdict on a plan and its execution. Nothing tells that a guest which says nothing should have booted by now: it is looked at again. */
export function computeVerdict(input: VerdictInput): Verdict {
  const verdict = judgeOutcome(input);
  const { located } = input.judgement;
  const isAwaited = located.observation.booting && !isSuspended(located) && verdict.againInMs === null;
  return isAwaited ? { ...verdict, againInMs: slowPollMs } : verdict;
}

function judgeOutcome(input: VerdictInput): Verdict {
  const { judgement, outcome, mode, drift } = input;
  const { plan, located } = judgement;
  if (outcome.kind === 'host-busy') {
    const limit = located.limits.maxConcurrentOperations;
    const message = `host ${located.hostName} is at its limit of ${limit} operations at once; this VM waits in line`;
    return { reason: 'HostBusy', message, againInMs: null };
  }
  if (outcome.kind === 'failed') {
    return judgeFailed(outcome, input);
  }
  if (mode.kind === 'observe') {
    const current = formatQuantity(computeCurrent(located.layout));
    const message = `the guest has ${current}; spec.memory is not set${describeUnjudged(judgement)}`;
    return { reason: 'ObserveOnly', message, againInMs: null };
  }
  const there = plan.decision === 'noop' ? judgeSettled(input) : null;
  if (mode.kind === 'paused' && (there === null || !isConverged(there))) {
    const message = `paused by ${mode.by}; ${there?.message ?? `the plan: ${plan.message}`}`;
    return { reason: 'Paused', message, againInMs: there?.againInMs ?? null };
  }
  if (there !== null) return there;
  if (drift !== undefined && isLeft(drift)) return judgeLeft(drift);
  // What can't be had of a VM that runs can't be had of this one; what hangs on the guest can't be told.
  if (isSuspended(located) && (plan.decision !== 'blocked' || plan.reason.startsWith('Guest'))) {
    return { reason: 'VMNotRunning', message: explainSuspended(located, plan.message), againInMs: slowPollMs };
  }
  if (drift?.phase === 'Correcting' && plan.steps.length > 0) {
    const message = `${explainCorrecting(drift)}; the plan: ${plan.message}`;
    return { reason: 'DriftCorrected', message, againInMs: input.isBeginning ? 0 : computePollMs(judgement) };
  }
  if (isOver(judgement)) {
    return { reason: 'ReplaceRolledBack', message: explainCalledOff(judgement), againInMs: null };
  }
  const stuck = judgeStage(input);
  if (stuck !== null) return stuck;
  if (plan.decision === 'wait' && plan.reason === 'Unplugging') return judgeLeaving(judgement);
  if (judgement.replacement !== null && plan.reason === 'Unplugging') {
    return { reason: 'Replacing', message: plan.message, againInMs: guestPollMs };
  }
  return { reason: plan.reason, message: plan.message, againInMs: computePollMs(judgement) };
}

const judgeLeft = (drift: Drift): Verdict => ({
  reason: drift.phase === 'Reported' ? 'DriftReported' : 'DriftContested',
  message: explainLeft(drift),
  againInMs: null,
});

function judgeFailed(
  { what, error, tried }: Extract<Outcome, { kind: 'failed' }>,
  { judgement, nowMs }: VerdictInput,
): Verdict {
  const { located } = judgement;
  const { reason, message, retry } = explainHostError(error, located.hostName);
  const said = { reason, message: `${what}: ${message}${explainRegions(judgement, reason)}` };
  if (tried !== undefined) {
    const times = tried.times === 1 ? '1 time' : `${tried.times} times`;
    const again = `tried ${times}, again at ${timestamp(tried.againAtMs)}`;
    return { ...said, message: `${said.message}; ${again}`, againInMs: Math.max(0, tried.againAtMs - nowMs) };
  }
  return { ...said, againInMs: error.code === 'guest-late' ? computeLatePollMs(located) : retry ? 'backoff' : null };
}

/** What a module may have failed for, and the way out, where another process has to map it. */
function explainRegions({ located: { layout }, desired }: Judgement, reason: Verdict['reason']): string {
  if (!/^Hypervisor(Rejected|Failed)$/.test(reason) || layout.sharedWith === null) return '';
  const wayOut = desired.growPolicy === 'Whole' ? '' : '; growPolicy Whole takes the fewest modules';
  return `; the VM has a ${layout.sharedWith.backend} device, whose backend may have no room for another module${wayOut}`;
}

/** A stage that the guest hasn't onlined for long: the next isn't plugged before; null: there is no such. */
function judgeStage({ judgement, resize }: VerdictInput): Verdict | null {
  const { plan, located, granularity } = judgement;
  const [next] = plan.steps;
  if (next?.operation !== 'plug' || !next.waitForOnline || !isOpen(resize)) return null;
  const { observedAtMs, unchangedSinceMs } = located.observation;
  const sinceMs = unchangedSinceMs ?? Date.parse(resize.startTime);
  if (observedAtMs - sinceMs < onlineTimeoutMs) return null;
  const onlined = judgeOnlined(resize, located, computeCurrent(located.layout), granularity);
  if (onlined.kind !== 'not-yet') return null;
  const rest = formatQuantity(sumBytes(plan.steps.map(({ size }) => size)));
  const message = `${explainMissing(onlined.missing, located)}; the other ${rest} that is wanted is not plugged before`;
  return { reason: 'GuestNotOnlined', message, againInMs: slowPollMs };
}

function judgeLeaving(judgement: Judgement): Verdict {
  const { plan, located, desired } = judgement;
  const nowMs = located.observation.observedAtMs;
  const mark = located.layout.modules.find((module) => module.mark !== null)?.mark ?? null;
  const repeatMs = plan.askAgain === undefined ? null : nextRepeatMs(judgement);
  const untilRepeatMs = repeatMs === null ? slowPollMs : Math.max(guestPollMs, repeatMs - nowMs);
  if (mark === null) return { reason: 'Unplugging', message: plan.message, againInMs: untilRepeatMs };

  const untilTimeoutMs = mark.firstAskedAtMs + desired.unplugTimeoutMs - nowMs;
  if (untilTimeoutMs > 0) {
    return { reason: 'Unplugging', message: plan.message, againInMs: Math.min(untilRepeatMs, untilTimeoutMs) };
  }
  const askedForS = Math.round((nowMs - mark.firstAskedAtMs) / 1000);
  const message = `${plan.message}; the guest has not answered for ${askedForS} s (asked ${mark.attempts} times); the module counts as leaving until it does`;
  return { reason: 'UnplugUnknown', message, againInMs: untilRepeatMs };
}

/** A late guest is asked again after 1, 2, 4 s and so on: about as long again as it has been silent. */
function computeLatePollMs({ observation: { guest, observedAtMs } }: Judgement['located']): number {
  const silentMs = Math.max(0, observedAtMs - (guest?.reportedAtMs ?? observedAtMs));
  const seconds = 2 ** Math.floor(Math.log2(Math.max(1, silentMs / 2_000)));
  return Math.min(longestLatePollMs, 1_000 * seconds);
}

function computePollMs({ plan, modules, located }: Judgement): Verdict['againInMs'] {
  switch (plan.reason) {
    case 'WaitingForGuest': {
      const { guest } = located.observation;
      return guest?.ofThisBoot === true && !guest.fresh ? computeLatePollMs(located) : lostEventMs;
    }
    case 'Plugging':
      return lostEventMs;
    case 'Unplugging':
    case 'Replacing':
    case 'VMBusy':
      return guestPollMs;
    case 'GuestMemoryInUse':
      return inUsePollMs;
    case 'GuestRefused': {
      const dues = modules.flatMap(({ history: { retryAfterMs } }) => (retryAfterMs === null ? [] : [retryAfterMs]));
      return Math.max(guestPollMs, Math.min(...dues) - located.observation.observedAtMs);
    }
    case 'GuestMemoryUnknown':
    case 'InsufficientHostMemory':
    case 'HugepagesUnavailable':
    case 'NamespaceLimitReached':
    case 'HostCordoned':
      return slowPollMs;
    case 'HotplugUnsupported':
      // What libvirt forgot leaves without a word of libvirt's.
      return located.layout.hidden === null ? null : slowPollMs;
    default:
      return null;
  }
}

/** Whether a verdict means that the resize has come to its end. */
export const isConverged = (verdict: Verdict): boolean => reasonTable[verdict.reason].ready === 'True';
