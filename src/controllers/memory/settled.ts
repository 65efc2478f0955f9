/** What is said of a VM that has the modules for what is wanted: whether its guest has that, too. Pure. */
import type { VirtualMachineMemoryStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { isGuestRunning } from '../../host/rules/boot.ts';
import { formatMeasured, formatQuantity } from '../../memory/quantity.ts';
import { explainBalloon, explainUntoldBalloon, judgeBalloon } from './balloon.ts';
import { explainMissing, judgeOnlined, type Onlined, onlineTimeoutMs } from './onlined.ts';
import { lostEventMs, slowPollMs } from './polls.ts';
import { sizeIn } from './resize.ts';
import { explainShort, explainUnheard, explainUnknown, judgeTakenUp, type TakenUp } from './taken-up.ts';
import { computeCurrent } from './total.ts';
import type { Judgement, Located, Verdict } from './types.ts';

export type SettledInput = {
  readonly judgement: Judgement;
  /** The resize under way, or the last one. */
  readonly resize: VirtualMachineMemoryStatus['lastResize'];
};

/** Whether the guest stands still, so that it can neither take memory nor give any. */
export const isSuspended = ({ observation: { state } }: Located): boolean => !isGuestRunning(state);

/** @param more what is there, or what is planned */
export const explainSuspended = ({ observation, hostName }: Located, more: string): string =>
  `VM ${observation.name} is ${observation.state} on host ${hostName}: its guest neither takes memory nor gives any ` +
  `until it runs again (virsh resume, or what suspended it); ${more}`;

/** The verdict on a plan that is to do nothing. */
export function judgeSettled({ judgement, resize }: SettledInput): Verdict {
  const { plan, located, desired, block } = judgement;
  const { layout, observation } = located;
  if (isSuspended(located)) {
    return { reason: 'VMNotRunning', message: explainSuspended(located, plan.message), againInMs: slowPollMs };
  }
  if (layout.hidden !== null) {
    const { size, leaves, why } = layout.hidden;
    const message = `the VM has ${formatQuantity(size)} more than the ${formatQuantity(computeCurrent(layout))} that is wanted: ${why}`;
    return { reason: leaves ? 'VMBusy' : 'HotplugUnsupported', message, againInMs: slowPollMs };
  }
  const held = judgeBalloon(located);
  if (held !== null) {
    return { reason: 'BalloonInflated', message: explainBalloon(held, located), againInMs: slowPollMs };
  }
  const onlined = judgeResize(resize, judgement);
  if (onlined.kind === 'not-yet' && resize !== undefined && observation.guest?.fresh === true) {
    const ageMs = observation.observedAtMs - Date.parse(resize.startTime);
    return ageMs < onlineTimeoutMs
      ? waitForGuest(`waiting for the guest to online ${formatMeasured(onlined.missing)}`, ageMs)
      : { reason: 'GuestNotOnlined', message: explainMissing(onlined.missing, located), againInMs: slowPollMs };
  }
  const taken = judgeTakenUp(located, block, onlined.kind === 'yes');
  return (
    judgeUntaken(taken, located, desired.guestSafety) ?? {
      reason: plan.reason,
      message: `${plan.message}${explainUnknown(taken, located)}${explainUntoldBalloon(located)}`,
      againInMs: null,
    }
  );
}

/** What is known to be otherwise than `the guest has ...` says, and what isn't known; '' where there is nothing. */
export function describeUnjudged({ located, block }: Judgement): string {
  if (isSuspended(located)) return `; the VM is ${located.observation.state}`;
  if (located.layout.hidden !== null) return `; ${located.layout.hidden.why}`;
  const held = judgeBalloon(located);
  if (held !== null) return `; ${explainBalloon(held, located)}`;
  return `${explainUnknown(judgeTakenUp(located, block, false), located)}${explainUntoldBalloon(located)}`;
}

/** Whether the guest has taken up what the last resize has plugged; one that is complete was confirmed then. */
function judgeResize(resize: SettledInput['resize'], { located, granularity }: Judgement): Onlined {
  const current = computeCurrent(located.layout);
  if (resize === undefined) return { kind: 'not-judged' };
  if (resize.completionTime === undefined) return judgeOnlined(resize, located, current, granularity);
  return { kind: sizeIn(resize.to) === current ? 'yes' : 'not-judged' };
}

/**
 * Looked at again when it has been waited for twice as long, and when the time is over: its agent tells, so this is for
 * a word that got lost.
 * @param ageMs since when it is waited for
 */
const waitForGuest = (message: string, ageMs: number): Verdict => ({
  reason: 'WaitingForGuest',
  message,
  againInMs:
    ageMs < lostEventMs ? lostEventMs - ageMs : Math.max(lostEventMs, Math.min(ageMs, onlineTimeoutMs - ageMs)),
});

/** The verdict on a guest that lacks memory or of which nobody knows; null: it counts as having it. */
function judgeUntaken(
  taken: TakenUp,
  located: Located,
  guestSafety: Judgement['desired']['guestSafety'],
): Verdict | null {
  const { guest, booting, observedAtMs, unchangedSinceMs } = located.observation;
  const ageMs = unchangedSinceMs === null ? Infinity : observedAtMs - unchangedSinceMs;
  switch (taken.kind) {
    case 'yes':
    case 'perhaps':
      return null;
    case 'no': {
      const what = taken.isExact ? formatMeasured(taken.missing) : 'all of its modules';
      return ageMs < onlineTimeoutMs
        ? waitForGuest(`waiting for the guest to online ${what}`, ageMs)
        : { reason: 'GuestNotOnlined', message: explainShort(taken, located), againInMs: slowPollMs };
    }
    case 'unheard': {
      const unknown: Verdict = {
        reason: 'GuestMemoryUnknown',
        message: explainUnheard(taken, located),
        againInMs: slowPollMs,
      };
      // A guest that has reported is late, and may hang; one that never does has no driver for it, and its owner may know that.
      if (taken.silentMs !== null) {
        return ageMs < onlineTimeoutMs
          ? waitForGuest('waiting for the guest to say that it has taken up its modules', ageMs)
          : unknown;
      }
      const isRequired = guestSafety === 'Required';
      if (booting && (guest !== null || isRequired)) {
        return waitForGuest(
          'the guest may still be booting: whether it has taken up its modules is not known yet',
          ageMs,
        );
      }
      return isRequired ? unknown : null;
    }
    default:
      return taken satisfies never;
  }
}
