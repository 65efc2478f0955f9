/** What is said of a host: one reason, and what it means for the conditions. Pure. */
import { type ConditionInput, findCondition, summaryConditions } from '../../api/v1alpha1/conditions.ts';
import type { HypervisorHostStatus } from '../../api/v1alpha1/hypervisor-host.ts';
import { eventOf, type HostReason, type Reason, rowOf } from '../../api/v1alpha1/reasons.ts';
import type { HostAnswer } from '../../host/errors.ts';
import type { HostFacts } from '../../host/port.ts';
import type { RecordedEvent } from '../../runtime/resources.ts';
import type { Unserved } from '../shared/shards.ts';
import { explainHostError } from '../shared/explain-host-error.ts';

/** `AgentAnswers`: all is well; else a reason that VMs on the host are told, too. */
export type HostVerdict = { readonly reason: Extract<HostReason, 'AgentAnswers'> | Reason; readonly message: string };

/** The verdict on a host's answer; `limitsProblem`: what is wrong with its spec, null: nothing. */
export function judgeHost(limitsProblem: string | null, answer: HostAnswer<HostFacts>, name: string): HostVerdict {
  if (limitsProblem !== null) return { reason: 'InvalidSpec', message: limitsProblem };
  if (answer.ok) return { reason: 'AgentAnswers', message: `agent ${answer.value.agentVersion} answers` };
  const { reason, message } = explainHostError(answer.error, name);
  return { reason, message };
}

/** The verdict on a host that no controller is there for. */
export const judgeUnserved = ({ reason, message, adminDetail }: Unserved): HostVerdict => ({
  reason,
  message: `${message}; ${adminDetail}`,
});

const answers = { ready: 'True', reconciling: false, stalled: false, warning: false } as const;
const rowOfHost = ({ reason }: HostVerdict): ReturnType<typeof rowOf> =>
  reason === 'AgentAnswers' ? answers : rowOf(reason);

/** Ready, Reconciling (asked again without anybody's help) and Stalled (needs a human), by the table of reasons. */
export const computeHostConditions = (verdict: HostVerdict): readonly ConditionInput[] =>
  summaryConditions(rowOfHost(verdict), verdict.reason, verdict.message);

/** The event that a new status of a host deserves: where the reason of Ready has changed; null: none. */
export function computeHostEvent(previous: HypervisorHostStatus, verdict: HostVerdict): RecordedEvent | null {
  const { reason, message } = verdict;
  if (findCondition(previous.conditions, 'Ready')?.reason === reason) return null;
  return { type: rowOfHost(verdict).warning ? 'Warning' : 'Normal', reason, action: 'Connect', message };
}

/** The event about a cordon; `before` as the status had it, undefined: it said nothing yet, and nothing has changed. */
export function computeCordonEvent(before: boolean | undefined, isCordoned: boolean): RecordedEvent | null {
  if (before === undefined || before === isCordoned) return null;
  return isCordoned
    ? {
        ...eventOf('Cordoned'),
        action: 'Cordon',
        message: 'no memory is plugged on this host until spec.cordoned is false again; unplugging goes on',
      }
    : { ...eventOf('Uncordoned'), action: 'Cordon', message: 'memory is plugged on this host again' };
}
