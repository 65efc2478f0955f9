/** What this process has learned about a run of a domain by plugging and looking. Losing it costs a try, or the way back; never safety. */
import { type Region, regionKey } from '../../host/rules/addresses.ts';
import type { SeenModule } from '../../host/rules/report-correction.ts';
import {
  afterPlug,
  type BareGuest,
  beforePlug,
  computeTaken,
  lookAtBare,
  type Uptake,
  type UptakeState,
} from '../../host/rules/uptake.ts';
import type { Bytes } from '../../memory/bytes.ts';

export class PlugFacts {
  #uptake: Uptake | null = null;
  #bare: BareGuest | null = null;
  #unseenSlots: readonly number[] = [];
  #misplaced: { readonly region: string; readonly base: Bytes; readonly problem: string } | null = null;

  /** Slots that QEMU refused while it took the same module into another one. */
  get unseenSlots(): readonly number[] {
    return this.#unseenSlots;
  }

  refusedSlots(slots: readonly number[]): void {
    this.#unseenSlots = [...this.#unseenSlots, ...slots];
  }

  /** The guest was looked at. */
  looked(state: UptakeState): void {
    this.#bare = lookAtBare(this.#bare, state);
  }

  /** What the guest had in its present boot when it had no module; null: not known. */
  totalWithoutModules({ boot }: UptakeState): Bytes | null {
    return this.#bare?.boot === boot ? this.#bare.total : null;
  }

  /** A module is about to be plugged. */
  begins(state: UptakeState): void {
    this.#uptake = beforePlug(this.#uptake, state);
  }

  /** It was plugged. */
  plugged(module: SeenModule, nowMs: number): void {
    this.#uptake = afterPlug(this.#uptake, module, nowMs);
  }

  /** See {@link computeTaken}. */
  taken(state: UptakeState, block: Bytes): Bytes | null {
    return computeTaken(this.#uptake, state, block);
  }

  /** A module came to lie at `base`, where the guest takes none. @param region without it */
  misplaced(region: Region, base: Bytes, problem: string): void {
    this.#misplaced = { region: regionKey(region), base, problem };
  }

  /** Why another module would come to lie there, too, that one itself left out; null: it isn't known to. */
  placeProblem({ devices, ...region }: Region): string | null {
    if (this.#misplaced === null) return null;
    const { base, region: before, problem } = this.#misplaced;
    const others = devices.filter((device) => device.base !== base);
    return regionKey({ ...region, devices: others }) === before ? problem : null;
  }
}
