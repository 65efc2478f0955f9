/**
 * Plans that the hypervisor rejected or failed at. The same plan for the same generation, the same running domain and
 * the same versions of agent and hypervisor would be rejected again: it isn't tried a second time. What failed for a
 * cause that may pass, such as a host short of memory for a moment, is tried again after a growing delay, whatever is
 * heard of the VM meanwhile. Kept in memory only; a restarted controller tries once more.
 */
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { recoveryOf } from '../../host/errors.ts';
import type { HostFacts } from '../../host/port.ts';
import { computeDelayMs } from '../../runtime/backoff.ts';
import { keyOf, type ResourceKey } from '../../runtime/resources.ts';
import type { Action, Judgement, Executed } from './types.ts';

type Failed = Extract<Executed, { kind: 'failed' }>;

/** Each try of a plug is up to some dozen requests to QEMU, and huge pages stop the guest for a moment. */
const delays = { initialMs: 10_000, maxMs: 600_000 };

/** See the file's comment. Times are epoch milliseconds of the controller's clock. */
export class FailedPlans {
  readonly #failed = new Map<ResourceKey, { readonly fingerprint: string; readonly outcome: Failed }>();

  /** The failure of the same action earlier on, while it isn't to be tried again; null: it may be tried. */
  find(resource: VirtualMachineMemory, judgement: Judgement, action: Action, nowMs: number): Failed | null {
    const known = this.#failed.get(keyOf(resource));
    if (known?.fingerprint !== fingerprintOf(resource, judgement, action)) return null;
    const { tried } = known.outcome;
    return tried === undefined || nowMs < tried.againAtMs ? known.outcome : null;
  }

  /** Remembers a failure that trying again at once can't mend; gives it with when it is tried again. */
  remember(
    resource: VirtualMachineMemory,
    judgement: Judgement,
    action: Action,
    outcome: Failed,
    nowMs: number,
  ): Failed {
    const recovery = recoveryOf(outcome.error);
    if (recovery !== 'wait-for-change' && recovery !== 'retry-slowly') return outcome;
    const key = keyOf(resource);
    const fingerprint = fingerprintOf(resource, judgement, action);
    const known = this.#failed.get(key);
    const before = known?.fingerprint === fingerprint ? (known.outcome.tried?.times ?? 0) : 0;
    const tried = { times: before + 1, againAtMs: nowMs + computeDelayMs(before, delays) };
    const kept = recovery === 'retry-slowly' ? { ...outcome, tried } : outcome;
    this.#failed.set(key, { fingerprint, outcome: kept });
    return kept;
  }

  forget(key: ResourceKey): void {
    this.#failed.delete(key);
  }
}

const versionsOf = ({ agentVersion, libvirtVersion, hypervisorVersion }: HostFacts): readonly string[] => [
  agentVersion,
  libvirtVersion,
  hypervisorVersion,
];

function fingerprintOf({ metadata }: VirtualMachineMemory, { located }: Judgement, action: Action): string {
  const { runtimeId, claim } = located.observation;
  // A new version may know what the former did not.
  const versions = located.facts === null ? null : versionsOf(located.facts);
  // Our own claim is written before the first step is tried: it is no change.
  const others = claim?.objectUid === metadata.uid ? null : claim;
  return JSON.stringify([metadata.uid, metadata.generation, runtimeId, others, versions, action]);
}
