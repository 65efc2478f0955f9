/** What the agent says of a VM's memory: its modules and what they may become. */
import { type Bytes, zeroBytes } from '../../../memory/bytes.ts';
import { balloonDevices, guestSystems } from '../../../memory/guest-facts.ts';
import { moduleStates } from '../../../memory/module.ts';
import { absentAs, described, lenient, object, oneOf, type Shape } from '../../../memory/shape.ts';
import { bytes, flag, list, orNull, text, time, whole } from './words.ts';

/** What callers learn of a mark: the rest of it is the module itself. */
const mark = object({
  generation: whole('Generation of the claim at the first request'),
  firstAskedAtMs: time('When the guest was first asked'),
  lastAskedAtMs: time('When the guest was last asked'),
  attempts: whole('How often the guest was asked'),
});

export const observedModule = object({
  slot: whole('DIMM slot'),
  base: whole('Guest physical address of the first byte') as Shape<Bytes>,
  alias: text('Alias of the device; empty: libvirt shows none'),
  node: whole('Guest NUMA node'),
  size: bytes('Size of the module'),
  state: described(oneOf(moduleStates), 'Leaving: the guest was asked for it'),
  mark: orNull(mark, 'The unplug under way; null unless Leaving'),
  /** A refusal that nobody heard is settled by asking for the same module again. */
  refusedAtMs: orNull(time('When the guest refused'), 'The last refusal that this agent process heard; null: none'),
});

export const memoryLayout = object({
  boot: list(
    object({ node: whole('Guest NUMA node'), size: bytes('Memory of the node') }),
    'Boot memory by guest NUMA node',
  ),
  modules: list(observedModule, 'Plugged modules, ascending by slot'),
  slots: object({
    total: whole('Slots of the VM'),
    usedByOthers: list(whole('Slot'), "Held by devices that aren't modules, or by a module that is being attached"),
    resting: list(whole('Slot'), 'Emptied a moment ago; not reused yet'),
    unnumbered: absentAs(0, whole('Further slots taken by devices that hold none by number')),
  }),
  /** What counts as what: docs/adr/0031. */
  otherBytes: bytes('NVDIMM, virtio-mem and the like, as far as they count against the maximum'),
  /** At most `otherBytes`. */
  otherTotal: absentAs(zeroBytes, bytes("The same devices, as far as they count in the guest's total")),
  maxMemory: orNull(bytes('Maximum'), 'null: nothing can be plugged'),
  hotplugProblem: orNull(text('Why'), 'Why no module can be plugged, with the way out; null: it can'),
  /** null from an older agent, too. */
  hidden: absentAs(
    null,
    orNull(
      object({
        size: bytes('How much'),
        leaves: flag('The agent looks into it, or takes it out'),
        why: text('What it is, with the way out'),
      }),
      'Memory that the hypervisor gives the guest and its description does not show; null: none is known',
    ),
  ),
  /** As libvirt's currentMemory says. */
  balloon: bytes('What the balloon leaves the guest'),
  pageSize: orNull(bytes('Size of a page'), "The VM's own huge pages, of its first node; null: ordinary pages"),
  /** None from an older agent, which knows of `pageSize` only. */
  backings: absentAs(
    [],
    list(
      object({
        nodes: list(whole('Guest NUMA node')),
        pageSize: orNull(bytes('Size of a page'), 'Huge pages; null: ordinary pages'),
        /** And stands still meanwhile. */
        preallocated: flag('QEMU touches all of a module when it is plugged'),
        hostNodes: orNull(list(whole('Host NUMA node')), 'Where the memory must come from; null: anywhere'),
      }),
      'What stands behind new modules, by guest node; every node is in one group',
    ),
  ),
  hardLimit: absentAs(
    null,
    orNull(bytes('Limit'), 'What QEMU may use before its control group ends it; null: no limit is known'),
  ),
  pinned: absentAs(false, flag('A device has all of the memory pinned: huge pages count against that limit, too')),
  sharedWith: absentAs(
    null,
    orNull(
      object({
        backend: text('Kind of device'),
        left: whole('Modules that it surely has room for besides those it has'),
      }),
      'Another process that maps every module; null: none',
    ),
  ),
  /** Absent: an older agent, which doesn't say. */
  balloonDevice: lenient(described(oneOf(balloonDevices), 'What the guest could report its memory by')),
  guestSystem: lenient(
    described(oneOf(guestSystems), 'What runs in the guest, by the definition; absent: it does not say, or Linux'),
  ),
  /** null: the planner's default for the architecture. */
  granularity: orNull(bytes('Size of a block'), "The guest's memory block; null: not known"),
  architecture: text("libvirt's name of the guest's architecture"),
});
