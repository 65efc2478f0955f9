/**
 * VirtualMachineMemory: the memory that a virtual machine should have. Namespaced, short name `vmmem`.
 * The schema is crds/dimmer.dev_virtualmachinememories.yaml; a test holds it and the shapes here to each other. Quantities
 * in `spec` are as the user wrote them (a number or a text); those in `status` have the one canonical form of
 * `formatQuantity`. A part of a status whose required members aren't there, or have another type, is left out as a whole;
 * the controller writes it anew.
 */
import { moduleStates } from '../../memory/module.ts';
import {
  deletionPolicies,
  driftPolicies,
  growPolicies,
  guestSafeties,
  persistences,
  roundings,
  shrinkPolicies,
} from '../../memory/policies.ts';
import { boolean, lenient, list, object, type Of, oneOf, orElse, text, those, whole } from '../../memory/shape.ts';
import { condition } from './foreign-conditions.ts';
import type { apiVersion, namespacedMeta } from './meta.ts';
import { quantity } from './meta.ts';
import { planningStatus } from './planning-status.ts';

export const virtualMachineMemorySpec = object({
  /** Exactly one of uuid and name; a name needs `hostRef`. Immutable. */
  virtualMachine: orElse({}, object({ uuid: lenient(text()), name: lenient(text()) })),
  hostRef: lenient(object({ name: text() })),
  /** Desired total guest memory; absent: observe only. */
  memory: lenient(quantity),
  shrinkPolicy: lenient(oneOf(shrinkPolicies)),
  growPolicy: lenient(oneOf(growPolicies)),
  rounding: lenient(oneOf(roundings)),
  /** Overrides the guest's memory block size. */
  granularity: lenient(quantity),
  /** Huge pages behind new modules. */
  pageSize: lenient(quantity),
  guestSafety: lenient(oneOf(guestSafeties)),
  /** A duration such as `30s`; after it an unanswered unplug is reported as unknown. */
  unplugTimeout: lenient(text()),
  driftPolicy: lenient(oneOf(driftPolicies)),
  deletionPolicy: lenient(oneOf(deletionPolicies)),
  /** How long a deletion may wait for what deletionPolicy Release asks for. */
  releaseTimeout: lenient(text()),
  persistence: lenient(oneOf(persistences)),
  paused: lenient(boolean),
});
export type VirtualMachineMemorySpec = Of<typeof virtualMachineMemorySpec>;

const moduleStatus = object({
  slot: whole(),
  alias: text(),
  node: whole(),
  size: text(),
  /** Guest physical address, hexadecimal with 0x. */
  base: text(),
  state: oneOf([...moduleStates, 'Refused']),
  /** When the guest was first asked to give it up, RFC 3339 with milliseconds; absent: it isn't leaving. */
  leavingSince: lenient(text()),
  /** How often the guest refused to give it up; absent: never. */
  refusals: lenient(whole()),
  /** When the guest refused last, RFC 3339 with milliseconds; absent: never. */
  refusedAt: lenient(text()),
  /** Not asked again before; absent: not quarantined. */
  retryAfter: lenient(text()),
});
export type ModuleStatus = Of<typeof moduleStatus>;

// Half of a list of steps, or of ranges, would say something else.
const planStatus = object({
  decision: oneOf(['Noop', 'Plug', 'Unplug', 'Replace', 'Wait', 'Blocked']),
  steps: list(
    object({
      operation: oneOf(['Plug', 'Unplug']),
      size: text(),
      node: whole(),
      slot: whole(),
      /** It begins a stage: the guest must have onlined all that came before. Absent: it needn't. */
      waitForOnline: lenient(boolean),
    }),
  ),
  message: text(),
});
export type PlanStatus = Of<typeof planStatus>;

const reachableStatus = object({
  below: lenient(text()),
  above: lenient(text()),
  ranges: list(object({ from: text(), to: text(), step: text() })),
  complete: boolean,
});
export type ReachableStatus = Of<typeof reachableStatus>;

export const virtualMachineMemoryStatus = object({
  /** -1: no controller has looked yet (the schema's default). */
  observedGeneration: lenient(whole({ minimum: -1 })),
  conditions: lenient(those(condition)),
  hostName: lenient(text()),
  virtualMachine: lenient(
    object({
      /** Pinned at the first observation. */
      uuid: text(),
      name: text(),
      state: text(),
      /** Host and running domain; changes with every start. */
      runtimeId: lenient(text()),
    }),
  ),
  memory: lenient(
    object({
      boot: text(),
      plugged: text(),
      /** boot + plugged; counts modules that are leaving. */
      current: text(),
      target: lenient(text()),
      guestTotal: lenient(text()),
      balloon: lenient(text()),
      max: lenient(text()),
      /** What the guest would have after a start from the stored definition; absent: there is none, or it isn't known. */
      atNextBoot: lenient(text()),
    }),
  ),
  slots: lenient(object({ total: whole(), used: whole() })),
  granularity: lenient(text()),
  modules: lenient(those(moduleStatus)),
  plan: lenient(planStatus),
  reachable: lenient(reachableStatus),
  planning: lenient(planningStatus),
  lastResize: lenient(
    object({
      from: text(),
      to: text(),
      startTime: text(),
      completionTime: lenient(text()),
      /** The guest's own total when the resize began; absent: the guest had reported none. */
      guestTotalBefore: lenient(text()),
    }),
  ),
  /** What the guest has left offline in this run of the VM, until it takes something up; absent: nothing. */
  notOnlined: lenient(object({ times: whole(), lastAt: text() })),
  /** A replacement (shrinkPolicy Replace) that was begun and hasn't reached its end. */
  replacement: lenient(
    object({
      /** The generation it was begun for. */
      generation: whole(),
      phase: oneOf(['Unplugging', 'RollingBack', 'CalledOff']),
      /** Of the module that was plugged for it; absent: an older controller didn't say. */
      slot: lenient(whole()),
    }),
  ),
  /** The last convergence, and what somebody else has changed since. */
  drift: lenient(
    object({
      /** The generation that was reached. */
      generation: whole(),
      /** Of the run of the VM in which it was. */
      runtimeId: text(),
      /** Boot memory and modules then; absent: changed since for another cause. */
      size: lenient(text()),
      /** What is done about a change by somebody else; absent: there is none. */
      phase: lenient(oneOf(['Correcting', 'Reported', 'Contested'])),
      /** Boot memory and modules as somebody else left them. */
      found: lenient(text()),
      /** When such changes were brought back, within an hour; absent: never. */
      corrections: lenient(those(text())),
    }),
  ),
  /** A deletion that waits for modules to leave (deletionPolicy Release). */
  release: lenient(
    object({
      /** When the resource goes whatever is still plugged, RFC 3339. */
      deadline: text(),
      /** Modules that Dimmer plugged and that are still there, together. */
      left: lenient(text()),
    }),
  ),
  /** The last value of the reconcile-requested-at annotation that was acted on. */
  lastHandledReconcileAt: lenient(text()),
  /** The last value of the observe-requested-at annotation for which this status was written. */
  lastHandledObserveAt: lenient(text()),
});
export type VirtualMachineMemoryStatus = Of<typeof virtualMachineMemoryStatus>;

export type VirtualMachineMemory = {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'VirtualMachineMemory';
  readonly metadata: Of<typeof namespacedMeta>;
  readonly spec: VirtualMachineMemorySpec;
  readonly status?: VirtualMachineMemoryStatus;
};
