/** What the console's server asks for the page: a cluster, or a standalone. */
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import type { Seen, SizeSet, SizeWish, WishSet } from '../operator/backend.ts';
import type { ShownEvent } from '../view/events.ts';
import type { Board } from './board.ts';
import type { AnnotationWish } from './wire.ts';

/** Who is to be asked can't be: in words for people. */
export class Unreachable extends Error {}

export interface ConsoleBackend {
  /** What is known, kept up to date from {@link start} to {@link close}. */
  readonly board: Board;
  /** Begins; comes back before anything is known of the resources. @throws Error in words where it can't work at all */
  start(): Promise<void>;
  close(): Promise<void>;
  /** As it is now, which the board has then, too; null: it is gone. @throws Unreachable */
  get(namespace: string, name: string): Promise<Seen | null>;
  /** The newest last; none where they may not be read. @throws Unreachable */
  events(resource: VirtualMachineMemory): Promise<readonly ShownEvent[]>;
  /** Writes a size onto what was seen; with `dryRun` only asks whether it would be taken. @throws Unreachable */
  setMemory(seen: Seen, wish: SizeWish, dryRun: boolean): Promise<SizeSet>;
  /** Pauses, resumes, asks for another try or for another look. @throws Unreachable */
  wish(seen: Seen, what: AnnotationWish): Promise<WishSet>;
}
