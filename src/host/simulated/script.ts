/** What a test or a demo can make a simulated host do. */
import type { Bytes } from '../../memory/bytes.ts';
import type { GuestAgentWord } from '../../memory/guest-facts.ts';
import type { HostError } from '../errors.ts';
import type { Host, HostEvent, MemoryLayout } from '../port.ts';
import type { SimulatedDomainSpec } from './domain-spec.ts';
import type { SimulatedDomain, SimulatedStored, UnplugBehaviour } from './model.ts';

export type SimulatedOperation = 'facts' | 'listDomains' | 'observe' | 'plug' | 'unplug' | 'persist' | 'releaseClaim';

/** A fault that hits the next call (or the next `times` calls) of one operation. */
export type SimulatedFault =
  /** Done at once, answered `ms` later. */
  | { readonly kind: 'answer-late'; readonly ms: number }
  /** Done, but the connection drops before the answer: the caller sees `timeout`. */
  | { readonly kind: 'lose-answer' }
  /** The caller sees `timeout` at once, and it is done `ms` later: a call queued behind a held domain job. */
  | { readonly kind: 'act-late'; readonly ms: number }
  /** Nothing is done: the caller sees `unreachable`. */
  | { readonly kind: 'lose-request' }
  /** Nothing is done: the caller sees this error. */
  /** Nothing is done, and the client gives up after `ms`. */
  | { readonly kind: 'hang'; readonly ms: number }
  | { readonly kind: 'fail'; readonly error: HostError };

/** A change that was carried out, in order: what invariant checks look at. */
export type SimulatedChange = {
  readonly atMs: number;
  readonly uuid: string;
  readonly what: 'plugged' | 'asked' | 'removed' | 'refused' | 'plugged-by-hand' | 'unplugged-by-hand';
  readonly slot: number;
  readonly size: Bytes;
  /** The guest's total after the change. */
  readonly total: number;
};

/** Every method acts at once and tells the watchers what libvirt would tell them. Unknown uuids throw RangeError. */
export interface SimulationScript {
  /** The next `times` calls (default 1) of `operation` meet `fault`. */
  inject(operation: SimulatedOperation, fault: SimulatedFault, times?: number): void;
  /** No call meets a fault any more. */
  clearFaults(): void;
  /** False: every call fails with `unreachable` and watchers get `lost`; true: they get `reset`. */
  setReachable(reachable: boolean): void;
  /** The agent dies and comes back: watchers get `lost` and `reset`, what only its process knew is forgotten. @param version of the new one; default: as before */
  restartAgent(version?: string): void;
  /** Available memory of the host; null: what running VMs leave of the total. */
  setAvailable(available: Bytes | null): void;
  /** QEMU fails at every attach, as it does on a host that is short of memory at that moment; null: no more. */
  setAttachProblem(problem: string | null): void;

  /** No stored definition can be written, as on a full disk; null: they can again. */
  setStoreProblem(problem: string | null): void;
  /** Somebody changes the stored definition; null: undefines the domain, which is transient from now on. */
  setStored(uuid: string, stored: Partial<SimulatedStored> | null): void;
  /** False: an older agent, which says nothing of stored definitions. */
  setSaysStored(uuid: string, saysStored: boolean): void;
  /** How often a stored definition was written so far. */
  storeWrites(): number;

  /** Whether answers tell what a change has led to; agents of 0.1.0 don't. */
  setTells(tells: boolean): void;

  addDomain(spec: SimulatedDomainSpec): void;
  /** How the guest answers when asked for the modules of `slots` (`all`: for any), for the next `times` requests. */
  setUnplugBehaviour(
    uuid: string,
    slots: 'all' | readonly number[],
    behaviour: UnplugBehaviour,
    options?: { readonly times?: number },
  ): void;
  /** A silent guest at last lets go of the module that is leaving in `slot`. */
  letGo(uuid: string, slot: number): void;
  /** What the guest's processes use; the guest's next report shows it, and watchers are told of that. */
  setUsed(uuid: string, used: Bytes): void;
  /** Somebody inflates the balloon by virsh until it holds so much, or deflates it. */
  setInflated(uuid: string, held: Bytes): void;
  /** A killed libvirtd forgets a module that QEMU has, and the agent finds out; null: it is out again. */
  setHidden(uuid: string, hidden: MemoryLayout['hidden']): void;
  /** False: an older agent, which doesn't say since when boot and modules are as they are. */
  setSaysSince(uuid: string, saysSince: boolean): void;
  /** True: the guest, which has reported, is late: it neither reports nor answers. False: it does again. */
  setLate(uuid: string, late: boolean): void;
  /** Whether the guest reports statistics. */
  setReports(uuid: string, reports: boolean): void;
  /** What the agent in the guest says when it is next looked at; null: nobody asks it. Watchers are told. */
  setGuestAgent(uuid: string, word: GuestAgentWord | null): void;
  /** How much the guest onlines of each module plugged from now on; false: nothing, ever. */
  setOnlines(uuid: string, onlines: boolean | Bytes): void;
  /** Somebody in the guest onlines all that was plugged. */
  onlineAll(uuid: string): void;
  /** Somebody plugs a module with virsh, unguarded. */
  plugByHand(
    uuid: string,
    module: { readonly slot: number; readonly size: Bytes; readonly node?: number; readonly alias?: string },
  ): void;
  /** Somebody unplugs a module with virsh. */
  unplugByHand(uuid: string, slot: number): void;
  /** The guest resets itself: the QEMU process, its modules and the claim stay; unplugs under way are off. */
  reset(uuid: string): void;
  /** The QEMU process ends; modules and operation state go with it. A transient domain is gone. */
  shutDown(uuid: string): void;
  /** From the stored definition. */
  start(uuid: string): void;
  pause(uuid: string): void;
  resume(uuid: string): void;
  /** The host's admin reserves the domain for a namespace; null: for none. */
  setOwner(uuid: string, namespace: string | null): void;
  /** Whether a migration job runs on the domain. */
  setMigrating(uuid: string, migrating: boolean): void;
  /** The domain leaves this host; the value goes into another host's {@link SimulationScript.arrive}. */
  depart(uuid: string): SimulatedDomain;
  /** A domain arrives from another host, running, with its modules and operation state. */
  arrive(domain: SimulatedDomain): void;

  /** Delivers an event as it is. */
  emit(event: HostEvent): void;
  /** The truth about a domain. */
  domain(uuid: string): Readonly<SimulatedDomain>;
  /** Boot memory and modules, in bytes. */
  total(uuid: string): number;
  /** What was changed so far: the last 10,000 changes. */
  changes(): readonly SimulatedChange[];
  /** How often each operation was called. */
  calls(): Readonly<Record<SimulatedOperation, number>>;
}

export interface SimulatedHost extends Host {
  readonly script: SimulationScript;
}
