/** Of the condition Persisted, where it is False: what is so, and what to do about the stored definition. */
import type { PersistReason } from '../../api/v1alpha1/reasons.ts';
import type { Runbook } from '../runbook.ts';

export const persistedRunbooks = {
  NotConverged: {
    meaning:
      "the running VM doesn't have its size yet (`Ready` says why); the stored definition is written when it has, and stays as it is until then",
    todo: 'see `Ready`',
  },
  DefinitionDiffers: {
    meaning:
      'something in the stored definition is in the way, and the message says what: its boot memory, cells, maximum or slots are not those of the running VM, or with the modules it would not start, or not as it runs',
    todo: 'shut the VM down and start it where the other definition is meant, else change it back; the message says which',
    impact:
      'After a cold start the VM has what `status.memory.atNextBoot` says, and is brought to its size by plugging. Resizing goes on.',
    diagnosis: [
      'The message names what differs, with both values. `status.memory.atNextBoot` is what a start would give.',
      'On its host, the definition beside the running VM: `virsh dumpxml DOMAIN --inactive` and `virsh dumpxml DOMAIN`.',
    ],
    remedy: [
      'Where the definition was changed on purpose (as `RestartRequired` asks for): shut the VM down and start it. The modules are written to it once the VM has its size again.',
      'Where it was not: set it back with `virsh edit`. It is looked at again as soon as libvirt tells of that, else within 10 min.',
      'Where a device of an odd size is in the way: give it a size that is a multiple of the one that is named, or live with plugging after a start (`persistence: Live`).',
    ],
  },
  DefinitionNotWritten: {
    meaning: "libvirt could not write the stored definition; libvirt's words are in the message",
    todo: 'make room on the disk that has the stored definitions, or make it writable; tried again after 10, 20, 40 s and so on, at most 10 min',
    impact:
      'The running VM has its size and keeps it. After a cold start it has what `status.memory.atNextBoot` says, and is brought to its size by plugging.',
    diagnosis: [
      'The message has the words of libvirt. "No space left on device", "Read-only file system": it is the disk of `/etc/libvirt`.',
      'On its host: `df /etc/libvirt`, `journalctl -u dimmer-agent`, and the journal of libvirtd (or virtqemud).',
    ],
    remedy: [
      'Make room, or mount it writable again: the rest is done by itself at the next try. At once with the annotation `dimmer.dev/reconcile-requested-at` and a new value.',
    ],
  },
  TransientVM: {
    meaning: 'the VM has no stored definition, and is gone when it stops: there is nothing to write to',
    todo: 'define it (`virsh dumpxml --inactive`, then `virsh define`) where it is to outlast its run, else use `persistence: Live`',
  },
} as const satisfies Record<PersistReason, Runbook>;
