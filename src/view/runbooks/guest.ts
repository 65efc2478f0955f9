/** Of reasons that lie with the guest. */
import type { AnyReason } from '../../api/v1alpha1/reasons.ts';
import type { Runbook } from '../runbook.ts';

const keepsItsSize =
  'The VM keeps the size that it has, and the guest runs on. Nothing of its memory is taken by force.';
const readModules =
  '`kubectl get vmmem NAME -o yaml`: `status.modules` says of each module whether it is leaving or refused, how often, and when it is asked for again.';

export const guestRunbooks = {
  UnplugUnknown: {
    meaning: "the guest hasn't answered for `unplugTimeout`; it is asked again after 5, 10, 20 s and so on",
    todo: 'look into the guest: something may hold pages of the module',
    impact: `${keepsItsSize} The module still counts as leaving, and no other is asked for until it is settled.`,
    diagnosis: [
      readModules,
      'In the guest, `dmesg` says of memory that can not be offlined what holds it ("failed to offline", "migration failure", "unmovable page"). Pinned pages are typical: RDMA, VFIO, io_uring with fixed buffers, a guest that runs VMs of its own.',
      'Whether the guest runs at all: its console, or `virsh domstate DOMAIN` on its host. A guest that is paused or hangs answers nobody.',
    ],
    remedy: [
      'End, or restart, what holds the pages. The guest is asked again by itself, ever more rarely; the annotation `dimmer.dev/reconcile-requested-at` with a new value has it asked at once.',
      'Or set `spec.memory` back to what the VM has: nothing more is asked for. A module that the guest lets go of all the same is plugged again.',
      'Where modules are to leave reliably, have the guest online them as movable (`memhp_default_state=online_movable`).',
    ],
  },
  GuestRefused: {
    meaning: 'the guest refused; the module and the time of the next try are named',
    todo: 'free memory in the guest, or choose another size',
    impact: keepsItsSize,
    diagnosis: [
      readModules,
      'In the guest: `dmesg` names what could not be moved; `cat /sys/devices/system/memory/memory*/valid_zones` says `Movable` of blocks that can leave, `Normal` of those that the kernel itself may use.',
      'Memory of the kernel (slab, page tables, huge pages that are in use) in a module of the zone `Normal` is the usual cause.',
      'Windows never gives a module back, whatever is free: `HotplugReady` says so where the definition names it.',
    ],
    remedy: [
      'Free memory in the guest: it is asked again by itself, after a quarantine that grows. At once with the annotation `dimmer.dev/reconcile-requested-at` and a new value.',
      'Choose another size of `status.reachable`: another set of modules may go.',
      'For the future, online new memory as movable (`memhp_default_state=online_movable`). Memory that the kernel has taken for itself comes free for certain only when the guest is rebooted.',
      'Of Windows: set `spec.memory` back to what the guest has; it gets less when the VM is shut down and started.',
    ],
  },
  GuestNotOnlined: {
    meaning:
      "a module is there, whoever plugged it, but the guest hasn't taken it up for a minute; what is left of a growth waits for that",
    todo: 'check `auto_online_blocks` and the kernel log in the guest, or set `spec.memory` back: what the guest never took goes again, whatever memory it can spare',
    impact: 'The host has given the memory, the guest does not use it. Nothing more is plugged into it.',
    diagnosis: [
      'In the guest: `cat /sys/devices/system/memory/auto_online_blocks` (`offline`: nobody onlines new memory), and `grep -l offline /sys/devices/system/memory/memory*/state`.',
      'In the guest: `dmesg` after a plug. Too little boot memory for the map of what is added, a kernel without memory hotplug, and a limit (`mem=`) on its command line are named there.',
      'The message says how much is missing: less than a module means that some of its blocks were taken. Where the host asks the guest agents (`--guest-agent`) it says which blocks are offline, or that the kernel never added them.',
    ],
    remedy: [
      'Online it by hand: `echo online_movable > /sys/devices/system/memory/memoryN/state` for each block, and for good with `memhp_default_state=online_movable` on the kernel command line or a udev rule.',
      'Or set `spec.memory` back: what the guest never took goes again, whatever memory it can spare.',
    ],
  },
  GuestMemoryInUse: {
    meaning: 'the guest is using what would go; retried when that changes',
    todo: 'free memory in the guest, or choose the lowest size that is safe now, which is named; it goes on by itself when there is enough',
    impact: 'The VM stays larger than asked for. The guest has lost nothing: it was not asked.',
    diagnosis: [
      'The message says what the guest can spare, and the lowest size that is safe now.',
      'In the guest: `free -m` (available) and what uses it: processes, tmpfs, locked memory, huge pages.',
    ],
    remedy: [
      'Free memory in the guest; nothing else needs to be done.',
      'Ask for the lowest size that is safe.',
      'Where the guest may swap or kill for it: `guestSafety: BestEffort` asks the guest where it does not say what it can spare, `"Off"` in any case. Linux then decides what goes, and may kill processes.',
    ],
  },
  BalloonInflated: {
    meaning: "all modules are there, but the VM's balloon holds memory back from the guest; how much is named",
    todo: "the message has the command for the host's admin; see what inflates balloons there",
    impact: 'The guest has less than was asked for, by what the balloon holds.',
    diagnosis: [
      "On the VM's host: `virsh dommemstat DOMAIN` (`actual` below the size of the VM), and `virsh dumpxml DOMAIN` (`<currentMemory>` below `<memory>`).",
      'Who sets it: overcommit managers (such as MOM), scripts with `virsh setmem`, or a definition with a small `<currentMemory>`.',
    ],
    remedy: [
      'Deflate it with the command that the message has (`virsh setmem`), as the admin of the host.',
      'Take the VM out of what inflates balloons: two that set the size of one VM end badly.',
    ],
  },
  GuestMemoryUnknown: {
    meaning:
      'the guest has reported no statistics since it booted (`guestSafety: Required`), or none for a minute: nobody knows what it can spare, or whether it has what was plugged',
    todo: 'give the VM a virtio balloon with its driver, or set `guestSafety: BestEffort`; see whether the guest hangs or is paused',
    impact: 'Nothing is unplugged. A growth is carried out, but Ready does not say that the guest has it.',
    diagnosis: [
      'On its host: `virsh dommemstat DOMAIN`. Without `last-update`, or with an old one, the guest reports nothing.',
      '`virsh dumpxml DOMAIN`: is there a `<memballoon model="virtio">` at all (not `none`)?',
      'In the guest: is the driver `virtio_balloon` loaded? Does the guest run, or does it hang, or is it paused?',
      '`dimmer agent check` on the host says of each VM whether it reports its memory.',
    ],
    remedy: [
      'Load the driver in the guest, or give the VM a balloon: a device that is added takes effect when the VM is started again.',
      'Or accept that nobody knows: `guestSafety: BestEffort`.',
    ],
  },
} as const satisfies Partial<Record<AnyReason, Runbook>>;
