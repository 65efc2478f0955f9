/** What the agent says of VMs, and of changes to them. */
import type { Claim, Replacement } from '../../../memory/operation-state.ts';
import { guestAgentProblems } from '../../../memory/guest-facts.ts';
import { absentAs, described, lenient, object, oneOf, optional, type Shape } from '../../../memory/shape.ts';
import { memoryLayout } from './layout.ts';
import { storedMemory } from './stored.ts';
import { bytes, domainList, eventId, flag, name, orNull, revision, state, text, time, uuid, whole } from './words.ts';

export const domainSummary = object({ uuid, name, state });
export const domainSummaries = domainList(domainSummary);

/** From virtio-balloon statistics. */
export const guestStatistics = object({
  total: bytes('MemTotal of the guest'),
  usable: bytes('MemAvailable of the guest'),
  free: bytes('MemFree of the guest'),
  reportedAtMs: time('When the guest reported this'),
  fresh: flag('At most 10 s old, and from the present boot'),
  /** An agent of 0.1.0: a guest that may only be late is waited for before anything is done unjudged. */
  ofThisBoot: absentAs(true, flag('From the present boot; one that is and is not fresh any more is late')),
  /** It costs the guest no more than this when modules go. null: all of it counts as taken. */
  takenOfModules: absentAs(
    null,
    orNull(
      bytes('Memory in whole blocks'),
      'What the guest has taken of all modules together; null: not known for certain',
    ),
  ),
  /** null from an older agent, too. */
  totalWithoutModules: absentAs(
    null,
    orNull(bytes('MemTotal'), 'What the guest had in its present boot when it had no module; null: not known'),
  ),
});

const claim: Shape<Claim> = object({
  clusterId: text('Identity of the cluster'),
  objectUid: text('uid of the VirtualMachineMemory'),
  namespace: text('Its namespace'),
  generation: whole('Newest generation acted for'),
});

const replacement: Shape<Replacement> = object({
  slot: whole('Slot of the module that was plugged'),
  generation: whole('Generation of the claim that it belongs to'),
});

export const domainObservation = described(
  object({
    uuid,
    name,
    state,
    runtimeId: orNull(text('Identity'), 'Changes with every start of the VM; null: it is not running'),
    migrating: flag('A migration is under way; nothing is changed meanwhile'),
    layout: orNull(memoryLayout, 'null: the VM is not running'),
    guest: orNull(guestStatistics, "The guest's own report; null: it never gave one"),
    /** Absent: nobody asks it, or an older agent. */
    guestAgent: lenient(
      described(
        object({
          blocks: orNull(
            object({
              size: bytes('Size of a block'),
              online: whole('Blocks that are online'),
              offline: whole('Blocks that are not'),
            }),
            'The memory blocks of the guest; null: it did not say',
          ),
          problem: orNull(described(oneOf(guestAgentProblems), 'Why'), 'Why it did not say; null: it did'),
        }),
        'What the QEMU guest agent said, since boot and modules are as they are; for people only',
      ),
    ),
    /** It has had that long to take up its modules. null: it is not running, or an older agent doesn't say. */
    unchangedSinceMs: absentAs(
      null,
      orNull(
        time('When the guest last booted or its modules last changed'),
        'As far as the agent has heard; not much before it first saw the VM. null: not known',
      ),
    ),
    /** Absent: it is not running, it could not be read just now, or an older agent doesn't say. */
    stored: optional(storedMemory),
    /** No statistics since the guest booted, and booted (or first seen) less than 60 s ago. */
    booting: flag('The guest may still be booting; nothing is changed meanwhile'),
    claim: orNull(claim, 'Who acts on the VM; null: nobody'),
    replacement: orNull(replacement, 'A replacement that was begun; null: none'),
    ownerNamespace: orNull(
      text('Namespace'),
      "The only namespace that may claim the VM, by the host's admin; null: any",
    ),
    /** Hash of the running domain's id, its modules and the marks. */
    revision,
    /** Marks and statistics go by the same clock. */
    observedAtMs: time('When this was observed'),
    /** Absent: an older agent doesn't say. */
    asOfEvent: optional(
      described(eventId, 'Id of the newest event before this look: what older events tell of the memory is in it'),
    ),
  }),
  'The memory of a VM as it is now',
);
export const domainObservations = domainList(domainObservation);

/**
 * What the change has led to, for a client that prefers to be told. One that can't be understood is left out: the change
 * was made all the same, and whoever wants to know more observes.
 */
const observation = lenient(domainObservation);

/** `revision` is what the next change of the same plan is guarded by. */
export const plugAnswer = object({
  done: flag('false: not finished yet, or not as asked for (another slot was taken); observe'),
  revision,
  observation,
});
/** The guest was asked; that means nothing yet. */
export const unplugAnswer = object({ revision, observation });
/** The stored definition as it is now; `revision` is the running VM's, which is as before. */
export const persistAnswer = object({ revision, stored: storedMemory });
/** Nobody acts on the VM any more. */
export const releaseAnswer = object({ revision });

/** The `data` of an event. */
export const eventData = object({ uuid });
