/**
 * The condition Persisted: whether the size is reached and a start from the stored definition gives it, for resources that want that
 * (`persistence: LiveAndConfig`); others have no such condition. What it says never makes a resize fail (docs/adr/0048). Pure.
 */
import { type ConditionInput, timestamp } from '../../api/v1alpha1/conditions.ts';
import type { PersistReason, Reason } from '../../api/v1alpha1/reasons.ts';
import type { DesiredMemory } from '../../api/v1alpha1/spec.ts';
import { explainHostError } from '../shared/explain-host-error.ts';
import type { Mode } from './scope.ts';
import type { Judgement, NotStored, Verdict } from './types.ts';
import { isConverged } from './verdict.ts';

export type PersistedInput = {
  /** null: the spec makes no sense. */
  readonly desired: DesiredMemory | null;
  /** What was last planned; null: it can't be planned now. */
  readonly judgement: Judgement | null;
  readonly mode: Mode;
  readonly verdict: Verdict;
  /** null: it could, or nothing was to be written. */
  readonly notStored: NotStored | null;
};

/** Whether the stored definition is to be written, and can be. */
export const isToBeStored = ({ desired, located: { observation } }: Judgement): boolean =>
  desired.persistence === 'LiveAndConfig' &&
  observation.stored?.isSame === false &&
  observation.stored.obstacle === null;

type Said = {
  readonly status: ConditionInput['status'];
  readonly reason: PersistReason | Reason | 'AsExpected' | 'NotObserved';
  readonly message: string;
};

const not = (reason: Said['reason'], message: string): Said => ({ status: 'False', reason, message });

/** null: nobody wants it. */
export function judgePersisted(input: PersistedInput): ConditionInput | null {
  const { desired, judgement } = input;
  if (desired?.persistence !== 'LiveAndConfig') return null;
  const said: Said =
    judgement === null ? { status: 'Unknown', reason: 'NotObserved', message: '' } : judge(judgement, input);
  return { type: 'Persisted', ...said };
}

function judge({ located, desired }: Judgement, { mode, verdict, notStored }: PersistedInput): Said {
  const { stored } = located.observation;
  if (stored === undefined) {
    return not(
      'UnsupportedAgent',
      `the agent of host ${located.hostName} is too old to say or write what a VM would be started with; bring it to the controller's version`,
    );
  }
  if (stored.isTransient) return not('TransientVM', stored.obstacle ?? '');
  if (stored.obstacle !== null) return not('DefinitionDiffers', stored.obstacle);
  const hasSize = isConverged(verdict);
  if (hasSize && stored.isSame) return { status: 'True', reason: 'AsExpected', message: '' };
  if (mode.kind === 'paused') return not('Paused', `paused by ${mode.by}, so nothing is written`);
  if (!hasSize) return not('NotConverged', 'the stored definition is written once the running VM has its size');
  if (desired.memory === null) return not('ObserveOnly', 'spec.memory is not set, so nothing is written');
  if (notStored !== null) return not('DefinitionNotWritten', explain(notStored, located.hostName));
  return not('NotConverged', 'the stored definition is about to be written');
}

function explain({ error, times, againAtMs }: NotStored, hostName: string): string {
  const tried = times === 1 ? '1 time' : `${times} times`;
  const { message } = explainHostError(error, hostName);
  return `the stored definition could not be written: ${message}; tried ${tried}, again at ${timestamp(againAtMs)}`;
}
