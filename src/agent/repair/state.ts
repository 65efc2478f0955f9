/** What is known of memory that a run has and its description doesn't show, and how far its repair is. */
import type { DomainDescription } from '../domain/description.ts';
import type { MemoryStatistics } from '../driver.ts';
import type { Repair } from './findings.ts';
import { type Diagnosis, findHiddenMemory, type HiddenMemory } from './suspicion.ts';

export class RepairState {
  #hidden: HiddenMemory | null = null;
  #needsInspection = false;
  #repair: Repair | null = null;

  /** Memory that only the balloon shows; null: none. */
  get hidden(): HiddenMemory | null {
    return this.#hidden;
  }

  /** Whether QEMU has to be asked for what a plug left behind. */
  get needsInspection(): boolean {
    return this.#needsInspection;
  }

  /** What was found there and is being taken away; null: nothing. */
  get underWay(): Repair | null {
    return this.#repair;
  }

  /** What the balloon counts beside the description. Whether nobody has looked yet where that comes from. */
  sawBalloon(domain: DomainDescription, statistics: MemoryStatistics, nowMs: number): boolean {
    this.#hidden = findHiddenMemory(domain, statistics, this.#hidden, nowMs);
    return this.#hidden !== null && this.#hidden.diagnosis === undefined;
  }

  /** libvirt reads the balloon anew when it starts. */
  forgetHidden(): void {
    this.#hidden = null;
  }

  /** A plug ended in the unknown, or QEMU holds a name that it shouldn't. */
  requireInspection(): void {
    this.#needsInspection = true;
  }

  /** A look into QEMU has found something. */
  found(repair: Repair): void {
    this.#needsInspection = false;
    this.#repair = repair;
  }

  /** A step of the repair was taken. */
  advanced(repair: Repair): void {
    this.#repair = repair;
  }

  /** A look into QEMU has found nothing that could be taken away. */
  ended(diagnosis: Diagnosis): void {
    this.#needsInspection = false;
    this.#repair = null;
    if (this.#hidden !== null) this.#hidden = { ...this.#hidden, diagnosis };
  }
}
