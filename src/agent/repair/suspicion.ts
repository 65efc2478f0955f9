/**
 * Memory that QEMU has and libvirt doesn't know of. A libvirtd that is killed between QEMU's device_add and saving the
 * domain's status forgets the module: the guest has it, no XML shows it, no alias detaches it (seen with libvirt 9.0 in
 * 17 of 30 kills 4 to 18 ms after an attach began; a daemon that is ended with SIGTERM finishes first). Only the balloon
 * shows it: its size is all of QEMU's memory and modules. Nothing may be plugged on top of what can't be seen. What is
 * seen here leads to a look into QEMU itself (inspector.ts).
 */
import { type Bytes, bytes } from '../../memory/bytes.ts';
import { countedAs } from '../../host/rules/total.ts';
import { formatQuantity } from '../../memory/quantity.ts';
import type { DomainDescription } from '../domain/description.ts';
import type { MemoryStatistics } from '../driver.ts';

/** What a look into QEMU made of it. */
export type Diagnosis =
  /** There is nothing: the figure is old (libvirt 9.0 reads it anew only when it starts or the guest's balloon moves). */
  | 'old-figure'
  /** It isn't a module of the agent's. */
  | 'not-ours'
  /** The monitor couldn't be asked. */
  | 'denied';

export type HiddenMemory = {
  readonly size: Bytes;
  readonly sinceMs: number;
  /** Absent: nobody has looked yet, or what was found is being taken away. */
  readonly diagnosis?: Diagnosis;
};

/**
 * XML and balloon are read at the same time, so a module that somebody plugs in between looks hidden for a moment.
 * Longer than an attach takes it is no moment any more.
 */
const certainAfterMs = 1_000;

/**
 * The most that libvirt's figure of the balloon may come to by what is known of the domain. With virtio-mem it moves by
 * what that gives (seen on libvirt 9.0: above boot memory and modules), and not always back.
 */
const knownBytes = (memory: DomainDescription): Bytes => countedAs(memory, 'maximum');

/** What the balloon counts beyond the memory in the XML; null: nothing, or there is no balloon. */
export function findHiddenMemory(
  memory: DomainDescription,
  statistics: MemoryStatistics | null,
  before: HiddenMemory | null,
  nowMs: number,
): HiddenMemory | null {
  const excess = (statistics?.balloon ?? 0) - knownBytes(memory);
  if (excess <= 0) return null;
  const size = bytes(excess);
  if (before?.size === size) return before;
  // An old figure stays one while the memory grows towards it; libvirt forgets modules only when it dies.
  if (before?.diagnosis === 'old-figure' && size < before.size) return before;
  return { size, sinceMs: nowMs };
}

/** Whether the balloon rules hidden memory out. One that is missing or inflated doesn't. */
export const rulesOutHidden = (memory: DomainDescription, statistics: MemoryStatistics | null): boolean =>
  statistics?.balloon === knownBytes(memory);

/** When it is certain that it isn't a plug under way, epoch milliseconds. */
export const certainAtMs = (hidden: HiddenMemory): number => hidden.sinceMs + certainAfterMs;

/** Whether it can't be a plug under way. */
export const isCertain = (hidden: HiddenMemory, nowMs: number): boolean => nowMs >= certainAtMs(hidden);

/** Whether it stands in the way of plugs: it does until a look into QEMU has shown that there is nothing. */
export const isInTheWay = (hidden: HiddenMemory | null): boolean =>
  hidden !== null && hidden.diagnosis !== 'old-figure';

const waysOut: Readonly<Record<Diagnosis | 'open', string>> = {
  open: 'a running agent takes it out if it plugged it; else ',
  'not-ours': 'the agent did not plug it and leaves it alone; ',
  denied: "the agent may not use QEMU's monitor to take it out; ",
  'old-figure': '',
};

/** What is wrong and the way out, for people. */
export const describeHiddenMemory = (hidden: HiddenMemory): string =>
  `libvirtd was killed in the middle of a plug: QEMU has ${formatQuantity(hidden.size)} that libvirt does not know of, ` +
  `so nothing more can be plugged safely; ${waysOut[hidden.diagnosis ?? 'open']}shut the VM down and start it again`;
