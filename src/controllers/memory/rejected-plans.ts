/**
 * Plans that the hypervisor rejected. The same plan for the same generation and the same running domain would be
 * rejected again: it isn't tried a second time. Kept in memory only; a restarted controller tries once more.
 */
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { recoveryOf } from '../../host/errors.ts';
import { keyOf, type ResourceKey } from '../../runtime/resources.ts';
import type { Action, Judgement, Executed } from './types.ts';

type Failed = Extract<Executed, { kind: 'failed' }>;

/** See the file's comment. */
export class RejectedPlans {
  readonly #rejected = new Map<ResourceKey, { readonly fingerprint: string; readonly outcome: Failed }>();

  /** The rejection of the same action earlier on; null: none. */
  find(resource: VirtualMachineMemory, judgement: Judgement, action: Action): Failed | null {
    const known = this.#rejected.get(keyOf(resource));
    return known?.fingerprint === fingerprintOf(resource, judgement, action) ? known.outcome : null;
  }

  /** Remembers a failure that nothing but a change can mend. */
  remember(resource: VirtualMachineMemory, judgement: Judgement, action: Action, outcome: Failed): void {
    if (recoveryOf(outcome.error) !== 'wait-for-change') return;
    this.#rejected.set(keyOf(resource), { fingerprint: fingerprintOf(resource, judgement, action), outcome });
  }

  forget(key: ResourceKey): void {
    this.#rejected.delete(key);
  }
}

const fingerprintOf = (resource: VirtualMachineMemory, { located }: Judgement, action: Action): string =>
  JSON.stringify([
    resource.metadata.uid,
    resource.metadata.generation,
    located.observation.runtimeId,
    located.observation.claim,
    action,
  ]);
