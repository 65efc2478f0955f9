/** Modules that were asked to go and haven't answered: what is waited for, and whether to ask again. */
import { moduleName, size } from './explain.ts';
import { minUsableOnAskingAgain } from './guest-safety.ts';
import type { Situation } from './situation.ts';
import type { AskAgain } from './types.ts';
import { type Decided, withoutSteps } from './decided.ts';

/**
 * Waits for what is leaving. The guest is asked again only when `desired` is at most the total without it: in
 * between, the late answer (or a person) settles it, and asking again could only overshoot.
 */
export function waitForLeaving(situation: Situation): Decided {
  const { leaving, desired, settled, current } = situation;
  const which = leaving.map((module) => moduleName(module)).join(', ');
  const waiting = withoutSteps(
    'wait',
    'Unplugging',
    `${which} ${leaving.length === 1 ? 'was' : 'were'} asked to leave and the guest hasn't answered: ` +
      `it has ${size(current)} and will have ${size(settled)}; wanted is ${size(desired)}`,
  );
  const [first] = leaving;
  if (first === undefined || desired > settled) return waiting;
  return { ...waiting, askAgain: askAgainFor(situation, first) };
}

const askAgainFor = (
  situation: Situation,
  { slot, base, alias, size: bytes }: Situation['leaving'][number],
): AskAgain => ({
  operation: 'ask-again',
  slot,
  base,
  alias,
  minUsableAfter: minUsableOnAskingAgain(situation, bytes),
});
