/**
 * The reasons, shared by condition, event, log and metric: one table says what each means for the conditions.
 * docs/api.md shows the same table to users; what a reason means for people, and what to do about it, is in
 * view/runbooks (docs/adr/0042-a-runbook-a-reason.md).
 */
import type { ConditionStatus } from './meta.ts';

type Row = {
  readonly ready: ConditionStatus;
  readonly reconciling: boolean;
  readonly stalled: boolean;
  /** Whether a Kubernetes event about it is a warning. */
  readonly warning: boolean;
};

const good: Row = { ready: 'True', reconciling: false, stalled: false, warning: false };
/** Under way: nobody needs to do anything. */
const moving: Row = { ready: 'False', reconciling: true, stalled: false, warning: false };
/** Held up by something outside; retried without anybody's help. */
const heldUp: Row = { ready: 'False', reconciling: true, stalled: false, warning: true };
/** Needs a human. */
const stuck: Row = { ready: 'False', reconciling: false, stalled: true, warning: true };

export const reasonTable = {
  Converged: good,
  ConvergedNearest: good,
  ObserveOnly: good,

  Plugging: moving,
  Unplugging: moving,
  Replacing: moving,
  /** Somebody else has changed the modules; they are brought back. */
  DriftCorrected: moving,
  /** The resource is being deleted, and what Dimmer plugged is taken out first. */
  Releasing: moving,
  WaitingForGuest: moving,
  UnplugUnknown: heldUp,
  GuestRefused: heldUp,
  GuestNotOnlined: heldUp,
  GuestMemoryInUse: heldUp,
  BalloonInflated: heldUp,

  HostUnreachable: heldUp,
  HostBusy: heldUp,
  VMBusy: heldUp,
  VMMigrating: moving,
  InsufficientHostMemory: heldUp,
  HugepagesUnavailable: heldUp,
  NamespaceLimitReached: heldUp,
  HostCordoned: heldUp,
  HypervisorFailed: heldUp,
  VMNotRunning: heldUp,

  /** Something is to be done that pausing keeps from being done; what is there already stays Converged. */
  Paused: { ready: 'False', reconciling: false, stalled: false, warning: false },

  UnreachableSize: stuck,
  Misaligned: stuck,
  BelowBootMemory: stuck,
  ExceedsMaxMemory: stuck,
  ExceedsHardLimit: stuck,
  SlotsExhausted: stuck,
  BootMemoryTooSmall: stuck,
  GuestMemoryUnknown: stuck,
  HotplugUnsupported: stuck,
  HypervisorRejected: stuck,
  InvalidSpec: stuck,
  VMNotFoundOrNotAllowed: stuck,
  AmbiguousVM: stuck,
  VMReplaced: stuck,
  ClaimedByOther: stuck,
  DuplicateClaim: stuck,
  HostUnknown: stuck,
  HostUnauthorized: stuck,
  /** Several shards of the controller match the host. */
  ShardConflict: stuck,
  /** None does. */
  NoShard: stuck,
  /** The agent doesn't know what the controller asks it for: it is of another version. */
  UnsupportedAgent: stuck,
  ReplaceRolledBack: stuck,
  DriftReported: stuck,
  DriftContested: stuck,
  StatusRefused: stuck,
} as const satisfies Record<string, Row>;

export type Reason = keyof typeof reasonTable;

/** Whether it is one that this version knows. */
export const isReason = (reason: string): reason is Reason => Object.hasOwn(reasonTable, reason);

/** What `reason` means for the conditions. */
export const rowOf = (reason: Reason): Row => reasonTable[reason];

/** Told by an event only: no condition has these reasons. */
export const eventTable = {
  ConditionLeftOut: { warning: true },
  Released: { warning: false },
  ReleaseIncomplete: { warning: true },
  FinalizerNotWritten: { warning: true },
  Cordoned: { warning: false },
  Uncordoned: { warning: false },
} as const satisfies Record<string, { readonly warning: boolean }>;

export type EventReason = keyof typeof eventTable;

/** Conditions of a HypervisorHost have these beside {@link Reason}: Ready where all is well, OwnersNamed where it is False. */
export type HostReason = 'AgentAnswers' | 'VMsWithoutOwner' | 'OwnerRequired';

/** The condition Persisted has these beside {@link Reason}, where it isn't True. */
export const persistReasons = ['NotConverged', 'DefinitionDiffers', 'DefinitionNotWritten', 'TransientVM'] as const;
export type PersistReason = (typeof persistReasons)[number];

/** Every word that an event or a condition may have for a reason, and somebody may look up. */
export type AnyReason = Reason | EventReason | HostReason | PersistReason;

/** Type and reason of an event that is told by its own word. */
export const eventOf = <R extends EventReason>(
  reason: R,
): { readonly type: 'Normal' | 'Warning'; readonly reason: R } => ({
  type: eventTable[reason].warning ? 'Warning' : 'Normal',
  reason,
});
