/** Of reasons that lie with the size that is asked for, or with what the VM was built for. */
import type { AnyReason } from '../../api/v1alpha1/reasons.ts';
import type { Runbook } from '../runbook.ts';

const choose =
  'choose another size, or change the VM; `dimmer status` shows which sizes can be reached (`status.reachable`)';
const impact = 'The VM keeps the size that it has. Nothing is done until the spec or the VM changes.';
const reachable =
  '`kubectl get vmmem NAME -o jsonpath={.status.reachable}` has the sizes that can be had, the nearest ones first; `kubectl get vmmem NAME -o yaml | dimmer plan --status - --memory SIZE` says what another size would do.';
const definition = "`virsh dumpxml DOMAIN` on the VM's host has what it was built for.";
const atStart = 'What is changed in the definition takes effect when the VM is shut down and started again.';

export const sizeRunbooks = {
  UnreachableSize: {
    meaning: 'no set of the plugged modules makes the size; the message says which sizes are next to it',
    todo: choose,
    impact,
    diagnosis: [reachable],
    remedy: [
      'Ask for one of the sizes that the message names.',
      '`shrinkPolicy: Nearest` takes the next one above; `Replace` plugs a module first, so that a set can go.',
    ],
  },
  Misaligned: {
    meaning: 'the size is no multiple of the block that the guest takes memory in, or of the pages behind it',
    todo: choose,
    impact,
    diagnosis: ['`status.granularity` has the block; the message has the nearest sizes.', reachable],
    remedy: ['Ask for one of the sizes that the message names.', '`rounding: Up` takes the next larger one by itself.'],
  },
  BelowBootMemory: {
    meaning: "the size is below boot memory, which can't be unplugged",
    todo: choose,
    impact,
    diagnosis: ['`status.memory.boot` has the boot memory.', definition],
    remedy: [
      'Ask for boot memory or more.',
      `Or lower the boot memory of the VM (\`<memory>\` and its NUMA cells). ${atStart}`,
    ],
  },
  ExceedsMaxMemory: {
    meaning: 'the size is above the maximum that the VM was started with',
    todo: choose,
    impact,
    diagnosis: ['`status.memory.max` has the maximum; the message has the largest size.', definition],
    remedy: ['Ask for less.', `Or raise \`<maxMemory>\`. ${atStart}`],
  },
  ExceedsHardLimit: {
    meaning:
      'the VM, with what QEMU itself needs, would be above the `<hard_limit>` of its `<memtune>`: the kernel would kill it',
    todo: choose,
    impact,
    diagnosis: ['`virsh memtune DOMAIN` on its host has the limit; the message has what QEMU itself needs.'],
    remedy: [
      'Ask for less.',
      'Or raise the limit, which takes effect at once: `virsh memtune DOMAIN --hard-limit SIZE`.',
    ],
  },
  SlotsExhausted: {
    meaning: 'the VM has too few free slots for the modules that the size takes',
    todo: choose,
    impact,
    diagnosis: ['`status.slots` has how many there are and how many are used.', reachable],
    remedy: [
      '`growPolicy: Whole` takes the fewest modules.',
      'Shrink first: each module that leaves frees its slot.',
      `Or raise \`<maxMemory slots="...">\`. ${atStart}`,
    ],
  },
  BootMemoryTooSmall: {
    meaning: "the size is more than 16 times boot memory: the guest's map of its memory would not fit into that",
    todo: choose,
    impact,
    diagnosis: ['The message has the most that is safe.'],
    remedy: ['Ask for less.', `Or raise the boot memory of the VM. ${atStart}`],
  },
  HotplugUnsupported: {
    meaning:
      'the VM takes no modules, a device lies in the way of all of them, which is named, or it has memory that libvirt forgot',
    todo: 'the message says what to add before the VM is started again, or that its machine takes none',
    impact,
    diagnosis: [
      'The message names what is missing, or in the way.',
      '`dimmer agent check` on the host says it of all VMs; `dimmer plan --domain-xml FILE --memory SIZE` of a definition, before a VM is started with it.',
    ],
    remedy: [
      `Add what is named (\`<maxMemory slots="...">\`, a NUMA cell, \`<acpi/>\`). ${atStart}`,
      'Where libvirt has forgotten memory that QEMU has, and the message says so: shut the VM down and start it again ([adr/0006](adr/0006-memory-that-libvirt-forgot.md)).',
    ],
  },
  InvalidSpec: {
    meaning: 'a field makes no sense',
    todo: 'mend the field that is named',
    impact: 'The VM is left as it is. Of a HypervisorHost: nothing is changed on the whole host.',
    diagnosis: [
      'The message names the field and what is wrong with it. The API server refuses such a spec, so that the object is older than the CRDs, or they are of another version.',
    ],
    remedy: ['Mend the field.', "Apply the CRDs of the controller's version."],
  },
  ReplaceRolledBack: {
    meaning: 'the guest refused in the middle of a replacement, and what was plugged for it is taken out again',
    todo: 'change the spec, or ask for another try (annotation `dimmer.dev/reconcile-requested-at`)',
    impact,
    diagnosis: [
      '`status.replacement` has how far it came; `status.modules` which modules the guest refused.',
      'Why the guest refuses: see [GuestRefused](#guestrefused).',
    ],
    remedy: [
      'Free memory in the guest, then set the annotation `dimmer.dev/reconcile-requested-at` to a new value.',
      'Or choose a size that needs no replacement (`status.reachable`).',
    ],
  },
  StatusRefused: {
    meaning:
      'the API server takes only this short status; the message has its words, and what the status would say. The VM gets its size all the same',
    todo: "apply the CRDs of the controller's version; else see what the message names: something limits what a status may hold",
    impact: 'VMs get their sizes, but nobody can see what was done. Previews from the object do not work.',
    diagnosis: [
      "The message has the API server's words: mostly a CRD of another version, else a policy or a quota of the cluster.",
      '`kubectl get crd virtualmachinememories.dimmer.dev -o yaml`, beside `crds/` of the version that the controller logs when it starts.',
    ],
    remedy: [
      '`kubectl apply -f crds/` of the version of the controller.',
      'Exempt the status of our kinds from the policy that is named.',
    ],
  },
} as const satisfies Partial<Record<AnyReason, Runbook>>;
