/** What to do about a reason, in one line: the last column of the table in docs/user-guide.md. */
import type { Reason } from '../api/v1alpha1/reasons.ts';

const size = "choose another size, or change the VM; 'reach' below says which sizes can be had";

export const advice: Readonly<Partial<Record<Reason, string>>> = {
  WaitingForGuest: 'wait',
  UnplugUnknown: 'look into the guest: something may hold pages of the module',
  GuestRefused: 'free memory in the guest, or choose another size',
  GuestNotOnlined:
    'check auto_online_blocks and the kernel log in the guest, or set spec.memory back: what the guest never took goes again',
  GuestMemoryInUse: 'free memory in the guest; it goes on by itself when there is enough',
  BalloonInflated: "see what inflates balloons on the VM's host",
  GuestMemoryUnknown:
    'give the VM a virtio balloon with its driver, or set guestSafety: BestEffort; see whether the guest hangs or is paused',
  HostUnreachable: 'it goes on by itself when the host answers',
  HostBusy: 'it goes on by itself; maxConcurrentOperations says how much a host does',
  HostUnauthorized: 'see to the certificates (docs/operations.md)',
  HostUnknown: 'check spec.hostRef',
  ShardConflict: "ask the cluster's admin: the message of the HypervisorHost names the shards",
  NoShard: "ask the cluster's admin: no shard of the controller is there for the HypervisorHost",
  HostCordoned: 'it goes on by itself when the host takes memory again',
  InsufficientHostMemory: 'it goes on by itself when the host has memory free',
  HugepagesUnavailable: 'it goes on by itself when the host has such pages free',
  DriftReported: 'find out who changes the VM, or set driftPolicy: Correct',
  DriftContested: 'find out who changes the VM; a new wish, or a retry, begins anew',
  VMBusy: 'wait',
  VMMigrating: 'wait',
  VMNotRunning: 'start the VM',
  VMNotFoundOrNotAllowed: 'check spec.virtualMachine (virsh list --uuid)',
  AmbiguousVM: 'set spec.hostRef, or remove the wrong copy',
  VMReplaced: 'delete the resource and create it anew',
  DuplicateClaim: 'delete one of the two resources',
  ClaimedByOther:
    "'dimmer agent release UUID' on the VM's host ends a claim of a cluster or a state directory that is gone",
  Paused: 'resume it: spec.paused, the annotation dimmer.dev/paused, or --observe-only',
  UnreachableSize: size,
  Misaligned: size,
  BelowBootMemory: size,
  ExceedsMaxMemory: size,
  ExceedsHardLimit: size,
  SlotsExhausted: size,
  BootMemoryTooSmall: size,
  HotplugUnsupported: 'the message says what to add before the VM is started again',
  HypervisorFailed: 'it is tried again by itself, ever more rarely',
  HypervisorRejected: 'it is tried again when the resource or the VM changes',
  InvalidSpec: 'mend the field that is named',
  StatusRefused: 'see what the message names: something else limits what a status may hold',
  ReplaceRolledBack: 'change the spec, or ask for another try (annotation dimmer.dev/reconcile-requested-at)',
};
