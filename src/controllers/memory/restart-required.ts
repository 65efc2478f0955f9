/**
 * The condition RestartRequired: the wanted size can't be had of the VM as it was started, whatever is plugged. It says
 * what its stored definition has to be before it is started anew, and clears itself when it was, or the wish is another
 * (docs/adr/0047). Pure.
 */
import type { ConditionInput } from '../../api/v1alpha1/conditions.ts';
import type { StoredMemory } from '../../host/port.ts';
import { type Bytes, bytes, ceilTo, sumBytes } from '../../memory/bytes.ts';
import { maxSlots, maxTotalPerBootMemory } from '../../memory/module.ts';
import { formatQuantity } from '../../memory/quantity.ts';
import type { PlanReason } from '../../planner/types.ts';
import type { Judgement } from './types.ts';

const isFalse: ConditionInput = { type: 'RestartRequired', status: 'False', reason: 'NotRequired', message: '' };

/** @param judgement what was last planned; null: it can't be planned now */
export function judgeRestart(judgement: Judgement | null): ConditionInput {
  if (judgement === null) return { type: 'RestartRequired', status: 'Unknown', reason: 'NotObserved', message: '' };
  const { plan, desired } = judgement;
  if (plan.decision !== 'blocked' || desired.memory === null) return isFalse;
  const change = explainChange(plan.reason, judgement, desired.memory);
  if (change === null) return isFalse;
  const { name, stored } = judgement.located.observation;
  const message = explain(change, name, stored);
  return { type: 'RestartRequired', status: 'True', reason: plan.reason, message };
}

/** What has to be another in the definition that the VM is started from. */
type Change = {
  readonly what: string;
  /** Whether a stored definition says so already. */
  readonly isMade: (stored: NonNullable<StoredMemory['memory']>) => boolean;
};

const reboot = 'a reboot of the guest changes nothing';

function explain({ what, isMade }: Change, name: string, stored: StoredMemory | undefined): string {
  if (stored?.isTransient === true) {
    return `${what} in the definition that VM ${name} is created from (it is transient, and has no stored one), then shut it down and create it anew: ${reboot}`;
  }
  const memory = stored?.memory ?? null;
  return memory !== null && isMade(memory)
    ? `${what}: its stored definition says so already; shut it down and start it: ${reboot}`
    : `${what} in its stored definition (virsh edit ${name}), then shut it down and start it: ${reboot}`;
}

/** null: nothing would help, or it needn't be restarted. */
function explainChange(reason: PlanReason, { located, block }: Judgement, wanted: Bytes): Change | null {
  const { layout } = located;
  const nodes = layout.boot.length > 1 ? ', and the cells of <numa> so that they make as much' : '';
  switch (reason) {
    case 'BelowBootMemory':
      return {
        what: `lower its boot memory of ${formatQuantity(sumBytes(layout.boot.map(({ size }) => size)))} (<memory> less its modules${nodes}) to at most ${formatQuantity(wanted)}`,
        isMade: ({ boot }) => boot <= wanted,
      };
    case 'ExceedsMaxMemory': {
      const needed = bytes(wanted + layout.otherBytes - layout.otherTotal);
      return {
        what: `raise <maxMemory> to at least ${formatQuantity(needed)}`,
        isMade: ({ maxMemory }) => maxMemory !== null && maxMemory >= needed,
      };
    }
    case 'BootMemoryTooSmall': {
      const needed = ceilTo(bytes(Math.ceil(wanted / maxTotalPerBootMemory)), block);
      return {
        what: `raise its boot memory (<memory> less its modules${nodes}) to at least ${formatQuantity(needed)}`,
        isMade: ({ boot }) => boot >= needed,
      };
    }
    case 'HotplugUnsupported':
      return layout.maxMemory === null
        ? {
            what: `add <maxMemory slots='16'> of at least ${formatQuantity(wanted)}`,
            isMade: ({ maxMemory, slots }) => maxMemory !== null && maxMemory >= wanted && slots > 0,
          }
        : null;
    case 'SlotsExhausted':
      return layout.slots.total < maxSlots
        ? {
            what: `raise the slots of its <maxMemory> from ${layout.slots.total}`,
            isMade: ({ slots }) => slots > layout.slots.total,
          }
        : null;
    default:
      return null;
  }
}
