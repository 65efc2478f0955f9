/**
 * What was concluded about a resource and isn't in its status yet: a change was begun, or a write failed. The next
 * reconcile begins with it instead of with the status, and says what people haven't been told. Kept in memory only: a
 * process that is killed takes it along.
 */
import { isDeepStrictEqual } from 'node:util';
import type { VirtualMachineMemory, VirtualMachineMemoryStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { keyOf, type ResourceKey } from '../../runtime/resources.ts';

type Status = VirtualMachineMemoryStatus;

export type Kept = {
  /** What is known, as the status would say it. */
  readonly known: Status;
  /** The status of which people were last told by events. */
  readonly told: Status;
};

type Entry = {
  readonly uid: string;
  /** The status that was stored when this was kept. */
  readonly stored: Status;
  readonly told: Status;
  /** Computed when it is first asked for. */
  known: Status | (() => Status);
};

/** See the file's comment. */
export class Unwritten {
  readonly #entries = new Map<ResourceKey, Entry>();

  /** What is kept of `resource`; null: its status says all. Void once somebody else has written another status. */
  find(resource: VirtualMachineMemory): Kept | null {
    const entry = this.#entries.get(keyOf(resource));
    if (entry === undefined) return null;
    const { status = {}, metadata } = resource;
    const known = typeof entry.known === 'function' ? entry.known() : entry.known;
    entry.known = known;
    const { told } = entry;
    if (entry.uid === metadata.uid && (isSame(status, entry.stored) || isSame(status, known))) return { known, told };
    this.forget(keyOf(resource));
    return null;
  }

  /**
   * Keeps `known` until it is written.
   * @param resource as it is stored
   * @param known or how to compute it, for what is seldom asked for
   */
  keep(resource: VirtualMachineMemory, known: Entry['known'], told: Status): void {
    this.#entries.set(keyOf(resource), { uid: resource.metadata.uid, stored: resource.status ?? {}, known, told });
  }

  /** It is written, or the resource is gone. */
  forget(key: ResourceKey): void {
    this.#entries.delete(key);
  }
}

/** What a status says to people. */
const said = ['conditions', 'observedGeneration', 'lastHandledReconcileAt', 'lastHandledObserveAt'] as const;

/** The members of a status that are among `said`, or those that aren't. */
const membersOf = (status: Status, areSaid: boolean): Status =>
  Object.fromEntries(Object.entries(status).filter(([name]) => (said as readonly string[]).includes(name) === areSaid));

/** What a status says about the VM. */
const aboutMachine = (status: Status): Status => membersOf(status, false);

const isSame = (a: Status, b: Status): boolean => a === b || isDeepStrictEqual(aboutMachine(a), aboutMachine(b));

/** What a reconcile begins with: what is known of the VM, and what `status` says to people. */
export const withUnwritten = (status: Status, kept: Kept | null): Status =>
  kept === null ? status : { ...aboutMachine(kept.known), ...membersOf(status, true) };
