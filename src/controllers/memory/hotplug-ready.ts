/**
 * The condition HotplugReady: whether this VM and its guest can take memory and give it back, also when nothing is wanted
 * yet, and what a person could change about it. Figures that move stand in `status.planning`: a message changes only when
 * there is news (docs/adr/0047). Pure.
 */
import { type ConditionInput, timestamp } from '../../api/v1alpha1/conditions.ts';
import {
  explainBound,
  explainFull,
  explainGuestAgent,
  explainSilence,
  explainSlots,
  givesNothingBack,
  type Room,
} from '../../host/rules/readiness.ts';
import { takenOfMaximum } from '../../host/rules/total.ts';
import { bytes, sumBytes } from '../../memory/bytes.ts';
import { onlineTimeoutMs } from './onlined.ts';
import { isSuspended } from './settled.ts';
import { explainShort, judgeTakenUp } from './taken-up.ts';
import type { Judgement, KnownModule, Verdict } from './types.ts';
import type { NotOnlined } from './not-onlined.ts';
import { explainWayOut } from './untaken.ts';

/** The condition's reasons. */
export type HotplugReadyReason =
  /** It can take memory and give it back. */
  | 'AsExpected'
  /** It can take memory; what stands in the way of giving it back is said. */
  | 'GuestRefused'
  | 'NotObserved'
  | 'GuestBooting'
  | 'GuestSuspended'
  /** Whether the guest takes up what it is given can't be known, and none is taken from it unless its owner says so. */
  | 'GuestMemoryUnknown'
  | 'HotplugUnsupported'
  | 'SlotsExhausted'
  | 'ExceedsMaxMemory'
  /** The guest has modules that it doesn't use. */
  | 'GuestNotOnlined';

type Said = {
  readonly status: ConditionInput['status'];
  readonly reason: HotplugReadyReason;
  readonly message: string;
};

const unknown = (reason: HotplugReadyReason, message = ''): Said => ({ status: 'Unknown', reason, message });
const not = (reason: HotplugReadyReason, message: string): Said => ({ status: 'False', reason, message });

/**
 * @param judgement what was last planned; null: it can't be planned now
 * @param verdict what is said of it
 * @param notOnlined what the guest has left offline in this run of the VM; undefined: nothing
 */
export function judgeHotplugReady(
  judgement: Judgement | null,
  verdict: Verdict,
  notOnlined: NotOnlined | undefined,
): ConditionInput {
  const said =
    judgement === null
      ? unknown('NotObserved')
      : (judgeGrowing(judgement) ?? judgeGuest(judgement, verdict, notOnlined));
  return { type: 'HotplugReady', ...said };
}

/** What keeps the VM from taking any memory; null: nothing. */
function judgeGrowing({ located: { layout } }: Judgement): Said | null {
  const { hotplugProblem, maxMemory, slots, modules } = layout;
  if (hotplugProblem !== null) return not('HotplugUnsupported', hotplugProblem);
  if (maxMemory === null) return not('HotplugUnsupported', 'The domain has no <maxMemory>; add one and restart the VM');
  const room: Room = {
    boot: sumBytes(layout.boot.map(({ size }) => size)),
    present: takenOfMaximum(layout),
    max: maxMemory,
    slots: {
      total: slots.total,
      // A slot that rests is free in a minute.
      used: modules.length + slots.usedByOthers.length + slots.unnumbered,
    },
  };
  const full = explainFull(room);
  // Who has grown to the maximum is as ready as can be.
  if (full !== null) {
    return modules.length > 0 ? null : not('ExceedsMaxMemory', `${full}: raise <maxMemory> while it is shut down`);
  }
  const noSlot = explainSlots(room);
  if (noSlot !== null) return not('SlotsExhausted', noSlot);
  return null;
}

/** What the guest's own word, and what became of modules before, say. */
function judgeGuest(judgement: Judgement, verdict: Verdict, notOnlined: NotOnlined | undefined): Said {
  const { located, modules } = judgement;
  const { guest, booting } = located.observation;
  if (isSuspended(located)) return unknown('GuestSuspended', `the VM is ${located.observation.state}`);
  const offline = explainOffline(judgement, verdict);
  if (offline !== null) return not('GuestNotOnlined', offline);
  // One that was reporting goes on unless somebody has switched that off.
  const isMuted = located.layout.balloonDevice === 'StatisticsOff' && guest?.fresh !== true;
  if (guest?.ofThisBoot !== true || isMuted) {
    return booting ? unknown('GuestBooting') : unknown('GuestMemoryUnknown', explainMute(judgement));
  }
  const refused = modules.filter(({ history }) => history.refusals > 0);
  const parts = [
    explainRefused(refused),
    explainEarlier(notOnlined),
    located.layout.guestSystem === 'Windows' ? givesNothingBack : '',
    explainLimit(judgement),
    explainGuestAgent(located.observation.guestAgent),
  ];
  return {
    status: 'True',
    reason: refused.length > 0 ? 'GuestRefused' : notOnlined === undefined ? 'AsExpected' : 'GuestNotOnlined',
    message: parts.filter((part) => part !== '').join('; '),
  };
}

/** What the guest has left offline for longer than it may take, and what is to be done in it; null: nothing is known. */
function explainOffline({ located, block }: Judgement, verdict: Verdict): string | null {
  const { observedAtMs, unchangedSinceMs, guestAgent } = located.observation;
  if (verdict.reason === 'GuestNotOnlined') return verdict.message;
  if (unchangedSinceMs === null || observedAtMs - unchangedSinceMs < onlineTimeoutMs) return null;
  const taken = judgeTakenUp(located, block, false);
  if (taken.kind === 'no') return explainShort(taken, located);
  // Also where the guest says nothing else, or its kernel might keep as much: words, by which nothing is decided.
  const offline = guestAgent?.blocks?.offline ?? 0;
  if (offline === 0 || located.layout.modules.length === 0) return null;
  return explainWayOut(located, bytes(offline * (guestAgent?.blocks?.size ?? 0)));
}

/** What was left offline before, and may have been taken out since: what comes next is met the same way. */
function explainEarlier(notOnlined: NotOnlined | undefined): string {
  if (notOnlined === undefined) return '';
  const { times, lastAt } = notOnlined;
  return (
    `what was plugged has not been onlined by the guest (${times === 1 ? 'once' : `${times} times`}, last at ${timestamp(Date.parse(lastAt))}): ` +
    'its auto_online_blocks is probably offline; have what comes onlined by itself (memhp_default_state=online_movable on its kernel command line)'
  );
}

/** Why it says nothing; what it has all the same, where its agent says that. */
function explainMute({ located: { layout, observation } }: Judgement): string {
  const system = layout.guestSystem === 'Windows' ? givesNothingBack : '';
  return [explainSilence(layout.balloonDevice), system, explainGuestAgent(observation.guestAgent)]
    .filter((part) => part !== '')
    .join('; ');
}

/** What the guest has refused, as long as it is there: the kernel keeps something of its own in it, or Windows never gives any. */
function explainRefused(refused: readonly KnownModule[]): string {
  if (refused.length === 0) return '';
  const each = refused.map(({ alias, history: { refusals, refusedAtMs } }) => {
    const last = refusedAtMs === null ? '' : `, last at ${timestamp(refusedAtMs)}`;
    return `${alias} (${refusals === 1 ? 'once' : `${refusals} times`}${last})`;
  });
  return (
    `the guest has refused to give up ${each.join(', ')}: its kernel keeps something there; movable_node or ` +
    `memhp_default_state=online_movable keeps memory that is plugged from now on free of that (Windows never gives a module back)`
  );
}

/** How much of its maximum it will never get. */
function explainLimit({ located: { layout } }: Judgement): string {
  if (layout.maxMemory === null) return '';
  const boot = sumBytes(layout.boot.map(({ size }) => size));
  return explainBound({ boot, max: layout.maxMemory }) ?? '';
}
