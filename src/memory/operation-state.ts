/**
 * The state of operations that lives with the virtual machine, in its live metadata, so that it survives
 * every crash of ours and dies with the QEMU process, as do the facts it records (docs/architecture.md).
 */
import type { Bytes } from './bytes.ts';
import type { ModuleIdentity } from './module.ts';

/** Who acts on a virtual machine, and for which generation of the wish it acted last. */
export type Claim = {
  /** uid of the kube-system namespace, or the standalone instance's id. */
  readonly clusterId: string;
  /** uid of the VirtualMachineMemory. */
  readonly objectUid: string;
  readonly namespace: string;
  /** Newest `metadata.generation` acted for, 1 or more. */
  readonly generation: number;
};

/** Written before a detach: from now on the module counts as leaving, whoever looks, after whatever crash. */
export type Mark = ModuleIdentity & {
  readonly size: Bytes;
  /** As `keptAlias` of kept-text.ts has it. */
  readonly alias: string;
  /** Generation of the claim at the time of the first detach call. */
  readonly generation: number;
  /** When the guest was first asked, epoch milliseconds. */
  readonly firstAskedAtMs: number;
  /** When the guest was last asked, epoch milliseconds. */
  readonly lastAskedAtMs: number;
  /** How often the guest was asked, 1 or more. */
  readonly attempts: number;
  /**
   * `leaving`: no answer yet. `resting`: the module is gone, but a queued detach call may still run in libvirt
   * (its job lock waits 30 s), so the slot isn't reused until {@link restingMs} after the last call.
   */
  readonly phase: 'leaving' | 'resting';
};

/**
 * A replacement that was begun: one module was plugged so that a set can go. Written before the plug, so that a crash
 * in between doesn't plug a second one. It belongs to one generation; a newer claim drops it.
 */
export type Replacement = {
  /** Slot of the module that was plugged. */
  readonly slot: number;
  readonly generation: number;
};

/** Everything that Dimmer keeps in a domain's live metadata. */
export type OperationState = {
  readonly claim: Claim | null;
  readonly marks: readonly Mark[];
  readonly replacement: Replacement | null;
};

/** What a domain that Dimmer never touched holds. */
export const emptyOperationState: OperationState = { claim: null, marks: [], replacement: null };

/** How long after its last detach call a slot isn't reused. */
export const restingMs = 60_000;
