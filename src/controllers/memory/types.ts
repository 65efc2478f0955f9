/** What travels between the phases of a reconcile: plain data, each union closed. */
import type { HostLimits, DesiredMemory } from '../../api/v1alpha1/spec.ts';
import type { VirtualMachineMemoryStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { Reason } from '../../api/v1alpha1/reasons.ts';
import type { HostError } from '../../host/errors.ts';
import type { HostCalls } from '../../host/host-line.ts';
import type { Tenant } from '../../host/rules/namespace-limit.ts';
import type { DomainObservation, HostFacts, MemoryLayout, ObservedModule } from '../../host/port.ts';
import type { Bytes } from '../../memory/bytes.ts';
import type { AskAgain, Plan, PlannerObservation, PlanStep } from '../../planner/types.ts';

/** Something that keeps the controller from planning: why, in words with the way out. */
export type Problem = {
  readonly reason: Reason;
  readonly message: string;
  /** Whether time alone may mend it (retried with growing delay) or only a change (looked at again slowly). */
  readonly retry: boolean;
  /** What only the cluster's admin may read, for the log; `message` is shown to whoever sees the resource. */
  readonly adminDetail?: string;
  /** The domain, when it was seen all the same. */
  readonly observation?: DomainObservation;
  readonly hostName?: string;
};

/** How a phase ends a reconcile: nothing can be planned. */
export type Stopped = { readonly kind: 'problem'; readonly problem: Problem };

/** Ends it so. */
export const stopped = (problem: Problem): Stopped => ({ kind: 'problem', problem });

/** A virtual machine found on a host, with a running QEMU process. */
export type Located = {
  readonly hostName: string;
  readonly host: HostCalls;
  readonly limits: HostLimits;
  /** For whom the machine is changed. */
  readonly tenant: Tenant;
  readonly observation: DomainObservation;
  readonly layout: MemoryLayout;
  /** null: the host didn't say. */
  readonly facts: HostFacts | null;
  /** uid of the resource whose claim is taken over. */
  readonly replacesUid: string | null;
};

export type Observed = { readonly kind: 'observed'; readonly located: Located } | Stopped;

/** A plugged module with what is known of its refusals, from the observation and the previous status. */
export type KnownModule = ObservedModule & {
  readonly history: {
    readonly refusals: number;
    readonly refusedAtMs: number | null;
    /** Not asked again before, by the host's clock, epoch ms; null: not quarantined. */
    readonly retryAfterMs: number | null;
  };
};

/** What is judged from one observation. */
export type Judgement = {
  readonly desired: DesiredMemory;
  readonly located: Located;
  /** Those of the layout, in its order. */
  readonly modules: readonly KnownModule[];
  /** What every module is a multiple of: the block, or what the spec says instead. */
  readonly granularity: Bytes;
  /** The guest's memory block. */
  readonly block: Bytes;
  /** What the planner was told. */
  readonly seen: PlannerObservation;
  readonly plan: Plan;
  /** The one that was begun for this generation; null: none was, or there is nothing left to do for it. */
  readonly replacement: NonNullable<VirtualMachineMemoryStatus['replacement']> | null;
  /** What Dimmer plugged is to go before the resource does; `isDue`: there is no more time for that. Null: it isn't. */
  readonly release: { readonly isDue: boolean } | null;
};

export type Judged = { readonly kind: 'judged'; readonly judgement: Judgement } | Stopped;

/** What to do now. */
export type Action =
  | { readonly kind: 'nothing' }
  | {
      readonly kind: 'run';
      readonly steps: readonly PlanStep[];
      /** The first step plugs the module of a replacement. */
      readonly beginsReplacement: boolean;
    }
  | { readonly kind: 'ask-again'; readonly module: AskAgain }
  /** Gives the claim up: the last that is done for a resource. */
  | { readonly kind: 'release-claim' };

/** What came of it. */
export type Executed =
  | { readonly kind: 'nothing' }
  /** The claim is given up, or was never known to the agent's version as something to be given up. */
  | { readonly kind: 'released' }
  /** Something was changed, or asked for: observe again. */
  | {
      readonly kind: 'acted';
      readonly plugged: number;
      readonly asked: number;
      /** What it has led to, as the host's answer says; null: that is to be looked at. */
      readonly after: DomainObservation | null;
    }
  | {
      readonly kind: 'failed';
      readonly what: string;
      readonly error: HostError;
      /** Modules plugged before the step that failed. */
      readonly plugged: number;
      /** How often it has failed, and when it may be tried again, epoch ms; absent: that isn't kept. */
      readonly tried?: { readonly times: number; readonly againAtMs: number };
    };

/** What came of it so far. */
export type Outcome =
  | Executed
  /** The host is at its limit of changes at once: this one waits in line. */
  | { readonly kind: 'host-busy' };

/** The stored definition could not be written. */
export type NotStored = {
  readonly error: HostError;
  /** How often it was tried. */
  readonly times: number;
  /** When it is tried again, epoch ms of the controller's clock. */
  readonly againAtMs: number;
};

/** The conclusion of a reconcile. */
export type Verdict = {
  readonly reason: Reason;
  readonly message: string;
  /** See {@link Problem}. */
  readonly adminDetail?: string;
  /** When to look again without being told; null: at the next slow resync. */
  readonly againInMs: number | 'backoff' | null;
};
