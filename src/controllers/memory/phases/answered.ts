/**
 * What a change has led to, as its answer says: it stands for the next look at the virtual machine, unless it may be older
 * than something that is known (docs/adr/0040-answers-that-tell.md).
 */
import type { ClaimRequest, DomainObservation } from '../../../host/port.ts';
import type { AskAgain, PlanStep } from '../../../planner/types.ts';
import type { Hearing } from '../../shared/hearing.ts';
import type { HostEntry } from '../../shared/host-entry.ts';

type Answer = { readonly revision: string; readonly observation?: DomainObservation };

/** Whether the layout is as the step has left it; a module that was asked for may have gone already. */
function shows({ layout }: DomainObservation, step: PlanStep | AskAgain): boolean {
  const module = layout?.modules.find(({ slot }) => slot === step.slot);
  if (step.operation === 'plug') return module?.size === step.size;
  return layout !== null && module?.state !== 'Plugged';
}

/**
 * The observation in the answer to `step`; null where there is none, or it isn't what this change can have led to. Pure.
 * @param before what the step was planned from
 */
export function readAnswered(
  { revision, observation }: Answer,
  step: PlanStep | AskAgain,
  claim: ClaimRequest,
  before: DomainObservation,
): DomainObservation | null {
  if (observation === undefined) return null;
  const { uuid, runtimeId, observedAtMs } = before;
  const isOfThis =
    observation.uuid === uuid &&
    observation.runtimeId === runtimeId &&
    observation.revision === revision &&
    // A clock that was set back tells nothing of what is newer.
    observation.observedAtMs >= observedAtMs &&
    observation.claim?.clusterId === claim.clusterId &&
    observation.claim.objectUid === claim.objectUid;
  return isOfThis && shows(observation, step) ? observation : null;
}

/** It, on the host that has answered, with what is heard there since the change was sent. */
export class Answered {
  readonly #entry: HostEntry;
  readonly #observation: DomainObservation;
  readonly #hearing: Hearing;

  /** @param hearing opened before the change was sent; ended by `drop` */
  constructor(entry: HostEntry, observation: DomainObservation, hearing: Hearing) {
    this.#entry = entry;
    this.#observation = observation;
    this.#hearing = hearing;
  }

  /** What a look at a machine on a host would show at this moment; null: look. */
  find(entry: HostEntry, uuid: string): DomainObservation | null {
    const isIt = entry === this.#entry && uuid === this.#observation.uuid;
    return isIt && this.#hearing.isShownBy(this.#observation) ? this.#observation : null;
  }

  drop(): void {
    this.#hearing.end();
  }
}
