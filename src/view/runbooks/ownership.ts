/** Of reasons that lie with whose a VM is, where it is, and who else changes it. */
import type { AnyReason } from '../../api/v1alpha1/reasons.ts';
import type { Runbook } from '../runbook.ts';

const leftAlone = 'The VM is left as it is.';
const seeOperations = '[whose a VM is](operations.md#whose-a-vm-is)';
const findOut = [
  '`status.drift` has the size that was reached, what was found since and when it was brought back; events have the words.',
  "On the VM's host, the agent's log has an audit record for each change of Dimmer's: what is not there was somebody else. libvirt's own log, and the histories of admins' shells, say who.",
];
const stopThem =
  'Have whoever changes the VM stop: other automation, a script with `virsh attach-device`, a second tool that resizes.';

export const ownershipRunbooks = {
  VMNotFoundOrNotAllowed: {
    meaning: "on no host that this namespace may use, or reserved for others; you aren't told which",
    todo: 'check `spec.virtualMachine` (`virsh list --all --uuid`), and which hosts the namespace may use',
    impact: 'Nothing is done, and nothing is told of the VM.',
    diagnosis: [
      '`virsh list --all --uuid --name` on the host that should have it.',
      'As an admin of the cluster: `kubectl get hvh -o yaml`, `spec.allowedNamespaces`, beside the labels of the namespace; `kubectl get hvh` shows whether the host answers.',
      'As an admin of the host: has the VM an owner element with another namespace, or does `--allow-domains` leave it out (`dimmer agent check`)?',
    ],
    remedy: [
      'Mend uuid or name. They can not be changed in a resource: delete it and create it anew, which changes nothing on the VM.',
      `Allow the namespace, or reserve the VM for it: ${seeOperations}.`,
    ],
  },
  AmbiguousVM: {
    meaning: 'two hosts have it',
    todo: 'set `spec.hostRef`, or remove the wrong copy',
    impact: `${leftAlone} Both copies are.`,
    diagnosis: [
      'The message names the hosts. Which copy runs: `virsh domstate UUID` on each. After a migration the definition may have stayed behind.',
    ],
    remedy: [
      'Remove the wrong one: `virsh undefine UUID` on that host, once you are sure.',
      'Or say which is meant, with `spec.hostRef`.',
    ],
  },
  VMReplaced: {
    meaning: 'the name now belongs to another VM',
    todo: 'delete the resource and create it anew',
    impact: 'The new VM is left as it is: nobody has said what size it should have.',
    diagnosis: ['The message has both uuids; `status.virtualMachine.uuid` is the one that the resource was made for.'],
    remedy: [
      'If the new VM is meant: delete the resource and create it anew. That changes nothing on the VM.',
      'Refer to VMs by uuid, which is never given twice.',
    ],
  },
  DuplicateClaim: {
    meaning: 'an older resource that may have the VM has it; one of your namespace is named',
    todo: 'delete one of the two resources, or have the VM reserved for your namespace',
    impact: 'This resource does nothing; the VM has the size that the older one says.',
    diagnosis: ['`kubectl get vmmem -A -o wide`, as somebody who may see all namespaces: which name the same VM.'],
    remedy: [
      'Delete the one that is not meant: the other has the VM at once.',
      `Where it is another namespace's, and should be yours: ${seeOperations}.`,
    ],
  },
  ClaimedByOther: {
    meaning: "another cluster has claimed the VM, or what is kept in its metadata can't be read",
    todo: "`dimmer agent release UUID` on the VM's host ends a claim of a cluster or a state directory that is gone; `dimmer agent check` there says which it is",
    impact: leftAlone,
    diagnosis: [
      'On its host: `virsh metadata DOMAIN https://dimmer.dev/xmlns/state/1` shows the claim: which cluster (the uid of its kube-system), which object, which generation.',
      'Does that cluster still act on the VM? Then two of them name it.',
    ],
    remedy: [
      'Delete the resource in the one cluster or in the other.',
      'Where the other one is gone for good: `dimmer agent release UUID` on the host. It changes no memory.',
    ],
  },
  HostUnknown: {
    meaning: 'there is no such HypervisorHost that this namespace may use',
    todo: 'check `spec.hostRef`',
    impact: leftAlone,
    diagnosis: [
      '`kubectl get hvh` as an admin of the cluster: is it there, and does its `spec.allowedNamespaces` let the namespace in?',
    ],
    remedy: ['Mend `spec.hostRef`, or leave it out where the VM is named by uuid.', 'Allow the namespace on the host.'],
  },
  DriftReported: {
    meaning: 'somebody else has changed the modules, and nothing is done about it (`driftPolicy: Report`)',
    todo: 'find out who changes the VM; change the spec, or request a retry, to bring them back',
    impact: 'The VM has another size than the resource says.',
    diagnosis: findOut,
    remedy: [
      'Bring them back: the annotation `dimmer.dev/reconcile-requested-at` with a new value, or `driftPolicy: Correct` for good.',
      'Or take the new size over into `spec.memory`.',
      stopThem,
    ],
  },
  DriftContested: {
    meaning: 'somebody else has changed them again, after they were brought back three times within an hour',
    todo: 'find out who changes the VM; then change the spec, or request a retry, which begins anew',
    impact: 'Nothing is changed any more: the VM has the size that somebody else gave it.',
    diagnosis: findOut,
    remedy: [
      stopThem,
      'Then the annotation `dimmer.dev/reconcile-requested-at` with a new value, or a change of the spec.',
      'Where both are meant to change the VM: `driftPolicy: Report`.',
    ],
  },
  ReleaseIncomplete: {
    meaning: 'a deletion with Release has ended, and the event says what stays plugged, and why',
    todo: 'what stays belongs to nobody now: unplug it by hand, or create a resource anew',
    impact: 'The VM keeps memory that nobody asks for any more, until it is shut down.',
    diagnosis: ['The event, or the log of the controller, names the modules and the cause.'],
    remedy: [
      'Create a resource for the VM anew, with the size that it should have, and delete it when it is reached.',
      'Or by hand: `virsh detach-device-alias DOMAIN ua-dimmer-N --live`.',
    ],
  },
  FinalizerNotWritten: {
    meaning: "a deletion with Release wouldn't wait, since the controller may not set its finalizer",
    todo: "apply `deploy/` of the controller's version",
    impact: 'Resources get their sizes. One that is deleted goes at once, and its VM keeps its memory.',
    diagnosis: [
      'The event has the words of the API server: a missing right (`patch` on VirtualMachineMemory), or the policy `dimmer-controller-fence` with another service account.',
      '`kubectl auth can-i patch vmmem --as=system:serviceaccount:dimmer-system:dimmer-controller`',
    ],
    remedy: ['`kubectl apply -k deploy/`; an overlay that renames the service account must change the policy with it.'],
  },
  ConditionLeftOut: {
    meaning: 'the status has no room for all conditions of others: the oldest was left out',
    todo: 'see who sets so many conditions; those of the controller are never left out',
    impact: 'Whoever set the condition does not find it any more.',
    diagnosis: ['The event names the condition. `kubectl get vmmem NAME -o yaml`: whose domains the other types have.'],
    remedy: ['Have that tool remove what it does not need. There is room for 64 conditions.'],
  },
} as const satisfies Partial<Record<AnyReason, Runbook>>;
