/** Of reasons that lie with the host: its agent, its memory, what it is busy with. */
import type { AnyReason } from '../../api/v1alpha1/reasons.ts';
import type { Runbook } from '../runbook.ts';

const lookAtHost = '`kubectl get hvh` and `kubectl describe hvh HOST`: since when, and since which event.';
const growthWaits =
  'Growth of VMs on this host waits; shrinking goes on. It is tried again by itself when the host has more.';

export const hostRunbooks = {
  HostUnreachable: {
    meaning: "the agent doesn't answer",
    todo: "it goes on by itself when the host answers; see the host's `kubectl get hvh`",
    impact:
      'VMs on the host run on, with the size that they have; nobody changes it. A VM without `hostRef` that is found nowhere else is HostUnreachable as well, since it may be there.',
    diagnosis: [
      lookAtHost,
      'Is it one host or all? All: the network of the controller, its certificate, or a policy that keeps it from port 9443.',
      'On the host: `systemctl status dimmer-agent`, and `journalctl -u dimmer-agent`: an agent that can not reach libvirt answers, and says so in the message.',
      'From the controller\'s network: does `spec.address` lead to an agent? "answered something that is not its API" means a proxy, another service, or an agent of a version that this controller can\'t read.',
    ],
    remedy: [
      'Start the agent, or libvirt; mend the network or `spec.address` (which takes effect at once).',
      'A host that is gone for good: delete its HypervisorHost; resources then say `HostUnknown`, or that their VM is not found. Nothing happens to VMs.',
    ],
  },
  HostUnauthorized: {
    meaning: "certificates don't fit",
    todo: 'see to the certificates (docs/operations.md)',
    impact: 'As where the host is unreachable: VMs run on with the size that they have.',
    diagnosis: [
      'The message says which side turned which down: an expired certificate, another CA, or a name that the agent does not allow.',
      'When they end: `dimmer_agent_certificate_expiry_timestamp_seconds` and `dimmer_agent_client_certificate_expiry_timestamp_seconds`.',
      'On the host, `dimmer agent check` with the options of its unit names the clients that it allows, and what is wrong with its files.',
    ],
    remedy: [
      "Renew what has expired: agent and controller read their files again when they change. The controller's are in the Secret `dimmer-agent-client`.",
      "Add the controller's name to the agent with `--allow-client`.",
      'Where the certificate names another host than `spec.address` does: `spec.tlsServerName`.',
    ],
  },
  UnsupportedAgent: {
    meaning:
      "the agent doesn't know what the controller asks it for, or that kind of it: they are of different versions",
    todo: 'bring the agent, or the controller, to the version of the other; then it goes on by itself',
    impact: 'What the two have in common works; this one change does not happen. Nothing is half done.',
    diagnosis: [
      '`kubectl get hvh HOST -o jsonpath={.status.agentVersion}` says which version the agent has; the controller logs its own when it starts.',
      'The message has the words of the agent.',
    ],
    remedy: [
      'Upgrade the older one of the two. Any order is fine, and VMs keep what is going on with them. It is tried again as soon as the agent is back.',
    ],
  },
  ShardConflict: {
    meaning: "several shards of the controller match the VM's host: nothing is changed on it",
    todo: "ask the cluster's admin: the message of the HypervisorHost names the shards",
    impact: 'VMs on the host run on, with the size that they have; nobody changes it.',
    diagnosis: [
      '`kubectl describe hvh HOST` names the shards; `kubectl get lease -n dimmer-system -l dimmer.dev/shard` lists all, each with its selector in an annotation.',
    ],
    remedy: [
      "Change the host's labels, or the selectors (`--shard-selector`), so that one matches: [shards](operations.md#shards).",
    ],
  },
  NoShard: {
    meaning: "no shard of the controller is there for the VM's host: nothing is changed on it",
    todo: "ask the cluster's admin: no shard of the controller is there for the HypervisorHost",
    impact: 'VMs on the host run on, with the size that they have; nobody changes it.',
    diagnosis: [
      '`kubectl get hvh HOST --show-labels`, beside the selectors in the annotations of the Leases: `kubectl get lease -n dimmer-system -l dimmer.dev/shard -o yaml`.',
    ],
    remedy: [
      'Give the host the label of a shard, start the shard that it is meant for, or widen a selector: [shards](operations.md#shards).',
    ],
  },
  HostBusy: {
    meaning: "the VM has waited for 10 s or more in its host's line: the host has its hands full",
    todo: 'it goes on by itself; `maxConcurrentOperations` says how much a host does',
    impact: 'Changes on this host come late, those that users have just made first. Other hosts are not affected.',
    diagnosis: [
      'How many resources wait: `dimmer_resources{reason="HostBusy"}`; how long calls to libvirt take: `dimmer_agent_libvirt_call_duration_seconds`.',
      'Plugs of memory that is touched at once (huge pages, VFIO) take seconds each.',
    ],
    remedy: [
      'Wait: the line moves.',
      'Where the host has cores and memory bandwidth to spare, raise `spec.maxConcurrentOperations` of its HypervisorHost; it takes effect at once.',
    ],
  },
  HostCordoned: {
    meaning: 'the host takes no more memory now, since somebody has set `spec.cordoned`',
    todo: 'it goes on by itself when the host takes memory again',
    impact: growthWaits,
    diagnosis: ['`kubectl describe hvh HOST`: the event `Cordoned` says since when.'],
    remedy: ['Set `spec.cordoned: false` when the work on the host is done, or move the VM to another host.'],
  },
  InsufficientHostMemory: {
    meaning: 'the host has too little memory left, or has promised as much as it may',
    todo: 'it goes on by itself when the host has memory free',
    impact: growthWaits,
    diagnosis: [
      'The message says which of the two it is, and the figures.',
      '`kubectl get hvh HOST -o yaml`: `status.memory` beside `spec.memoryReserve` and `spec.memoryOvercommit`; `dimmer_host_memory_available_bytes`, `dimmer_host_memory_committed_bytes`.',
    ],
    remedy: [
      'Shrink, move or shut down other VMs there.',
      'Lower `spec.memoryReserve`, or raise `spec.memoryOvercommit`, where you know that VMs will not use what they are promised.',
    ],
  },
  HugepagesUnavailable: {
    meaning: 'the host has too few huge pages of the size that is needed, on the node that is needed',
    todo: 'it goes on by itself when the host has such pages free',
    impact: growthWaits,
    diagnosis: [
      '`kubectl get hvh HOST -o yaml`: `status.nodes` has total and free pages by size. Pages that are promised already do not count as free.',
    ],
    remedy: [
      'Set more aside on the host (`/sys/devices/system/node/nodeN/hugepages/hugepages-SIZEkB/nr_hugepages`), best at its boot.',
      'Shrink or move other VMs with such pages. `spec.pageSize` of a resource chooses others for new modules.',
    ],
  },
  NamespaceLimitReached: {
    meaning: 'the VMs of the namespace have as much of the host as one namespace may have',
    todo: 'it goes on by itself when others of the namespace there have less, or the limit is raised',
    impact: growthWaits,
    diagnosis: [
      'The message has the figures. What counts is all memory of the running VMs on that host that the namespace has or is the owner of, boot memory included; a VM of nobody counts from its first change on.',
      '`kubectl get hvh HOST -o yaml`: `spec.namespaceLimit`, and `status.namespaces`, which has what the largest have. `kubectl get vmmem -n NAMESPACE` has the sizes.',
    ],
    remedy: [
      'Shrink, move or shut down other VMs of the namespace there.',
      'Raise `spec.namespaceLimit` of the HypervisorHost; it takes effect at once.',
      'Memory that a deleted resource left plugged counts until its VM stops, or until `dimmer agent release UUID` on the host ends the claim.',
    ],
  },
  HypervisorFailed: {
    meaning: "QEMU failed at a plug, mostly for want of memory; libvirt's words are in the message",
    todo: 'tried again after 10, 20, 40 s and so on, at most 10 min; how often and when next is in the message',
    impact: 'The VM keeps its size.',
    diagnosis: [
      'The message has the words of QEMU. "Cannot allocate memory": the host, or the control group of the VM, is at its limit.',
      'On the host: `journalctl -u dimmer-agent`, the log of QEMU (`/var/log/libvirt/qemu/DOMAIN.log`), `dmesg`.',
    ],
    remedy: [
      'Give the host, or the control group, memory; it is then tried again by itself. At once with the annotation `dimmer.dev/reconcile-requested-at` and a new value.',
    ],
  },
  HypervisorRejected: {
    meaning: 'libvirt said no; its words are in the message',
    todo: 'not retried until the resource, the VM or the version of its agent changes',
    impact: 'The VM keeps its size.',
    diagnosis: [
      'The message has the words of libvirt. `dimmer agent check` on the host says what is wrong with the VM, where it can be known beforehand.',
    ],
    remedy: [
      'Mend what libvirt names, in the definition of the VM or on the host. Then ask for another try with the annotation `dimmer.dev/reconcile-requested-at` and a new value.',
      'Where the words make no sense to you, please report them with the definition of the VM.',
    ],
  },
  VMBusy: {
    meaning:
      "the VM can't be changed now: somebody else works on it (a job, a backup), a module that libvirt forgot is being taken out, or it isn't known yet whether an older resource has it",
    todo: 'wait',
    impact: 'The change comes late.',
    diagnosis: ['On its host: `virsh domjobinfo DOMAIN`. The message says what is waited for.'],
    remedy: ['Wait: it is tried again by itself. A job that hangs is ended with `virsh domjobabort DOMAIN`.'],
  },
  VMNotRunning: {
    meaning: "the VM can't be changed now: it is off, suspended, or paused by somebody on its host",
    todo: 'start the VM, or resume it',
    impact: 'Nothing is changed; when it runs it is brought to its size. A VM that was off has lost its modules.',
    diagnosis: [
      '`virsh domstate DOMAIN --reason` on its host. Paused with an I/O error: the storage of the VM is full or away.',
    ],
    remedy: ['`virsh start DOMAIN` or `virsh resume DOMAIN`, as the admin of the host.'],
  },
  VMsWithoutOwner: {
    meaning:
      'VMs without an owner run on a host that several namespaces may use: each is had by the first that asks for it',
    todo: 'reserve each VM for its namespace (docs/operations.md), or set `spec.requireOwner: true`',
    impact: 'A tenant can take the VM of another one, as long as nobody has it.',
    diagnosis: ['`dimmer agent check` on the host names them.'],
    remedy: [
      'Give each VM its owner element: [whose a VM is](operations.md#whose-a-vm-is).',
      'Set `spec.requireOwner: true`: VMs without one are then refused.',
    ],
  },
  OwnerRequired: {
    meaning: 'VMs without an owner run on a host that requires one: nobody may have them',
    todo: 'reserve each VM for its namespace (docs/operations.md)',
    impact: 'Resources that name one of these VMs are `VMNotFoundOrNotAllowed`.',
    diagnosis: ['`dimmer agent check` on the host names them.'],
    remedy: ['Give each VM its owner element: [whose a VM is](operations.md#whose-a-vm-is).'],
  },
} as const satisfies Partial<Record<AnyReason, Runbook>>;
