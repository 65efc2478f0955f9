/** `status.planning` of a VirtualMachineMemory: what a plan is made from, by whoever has only the object. */
import { boolean, lenient, list, object, type Of, oneOf, text, whole } from '../../memory/shape.ts';

/** What stands behind new modules of some guest nodes. */
const backingStatus = object({
  nodes: list(whole()),
  /** The VM's own huge pages there; absent: ordinary pages. */
  pageSize: lenient(text()),
  preallocated: boolean,
  /** How much more the host could, and may, give this VM there; absent: not known. See docs/planner.md. */
  room: lenient(
    object({
      /** The page size that it was worked out for; absent: ordinary pages. */
      pageSize: lenient(text()),
      host: text(),
      /** By the free huge pages of `pageSize`. */
      pages: lenient(text()),
    }),
  ),
});
export type BackingStatus = Of<typeof backingStatus>;

/**
 * What a planner needs beyond the other fields, as it was when the status was last written: with it the same plan can be
 * made from the object alone. What the host has is told only as far as this VM could use it.
 */
export const planningStatus = object({
  /** By the host's clock, RFC 3339 with milliseconds, as every time here. */
  observedAt: text(),
  /** Boot memory by guest NUMA node. */
  boot: list(object({ node: whole(), size: text() })),
  /** The guest's memory block, whatever `spec.granularity` says. */
  block: text(),
  slots: object({
    usedByOthers: list(whole()),
    resting: list(whole()),
    /** Slots that other devices take without a number; absent: none. */
    unnumbered: lenient(whole()),
  }),
  /** NVDIMM and the like: what counts against the maximum. */
  otherBytes: text(),
  /** What of it counts in the total; absent: nothing. */
  otherTotal: lenient(text()),
  /** The hard limit of the VM's control group, and what QEMU needs of it for itself; absent: none. */
  hardLimit: lenient(
    object({
      size: text(),
      overhead: text(),
      /** Whether huge pages count against it, as a device has them pinned; absent: they don't. */
      pinned: lenient(boolean),
    }),
  ),
  /** Another process that maps every module, and for how many more it has room; absent: none. */
  sharedWith: lenient(object({ backend: text(), left: whole() })),
  /** Why no module can be plugged now; absent: one can. */
  hotplugProblem: lenient(text()),
  booting: boolean,
  /** Whether the host takes no new memory. */
  cordoned: boolean,
  /** The guest's last report; absent: it never gave one. */
  guest: lenient(
    object({
      usable: text(),
      total: text(),
      reportedAt: text(),
      /** Late: made since the guest booted, and too old to judge by. */
      report: oneOf(['Fresh', 'Late', 'BeforeBoot']),
      /** What it has taken of all modules together; absent: not known for certain. */
      takenOfModules: lenient(text()),
    }),
  ),
  /** How far the size can be changed, whatever is wanted now; absent: an older controller, or no module can be plugged at all. */
  reach: lenient(
    object({
      /** What can be had by plugging, as far as the VM goes: the host isn't asked. */
      largest: text(),
      /** What bounds that. */
      limitedBy: oneOf(['MaxMemory', 'BootMemory', 'Slots', 'HardLimit']),
      /** Sizes are so far apart, at the least. */
      step: text(),
      /** Without any module. */
      smallest: text(),
      shrinks: oneOf(['AsAsked', 'NothingPlugged', 'Refused', 'NotKnown', 'Never']),
    }),
  ),
  /** By how much the VM may grow before its namespace has all that it may of the host; absent: no limit. */
  namespaceRoom: lenient(text()),
  /** What stands behind new modules, by guest nodes; every node is in one. */
  backings: list(backingStatus),
});
export type PlanningStatus = Of<typeof planningStatus>;
