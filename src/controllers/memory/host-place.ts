/** A place among the changes that a host carries out at once: taken before a change, kept until it is done. */
import type { Clock } from '../../runtime/clock.ts';
import type { Leave, Line } from '../../runtime/line.ts';
import type { Attempt } from '../../runtime/reconcile-queue.ts';
import type { HostEntry } from '../shared/host-entry.ts';

/** Who has waited for so long says so in its status. */
const tellAfterMs = 10_000;
/** What was seen longer ago than this is looked at anew before it is acted on, though the agent judges again, too. */
const freshMs = 1_000;

/** `act`: the place is there, and what was seen is fresh; `look`: see again first; `gone`: the host is, or no time is left. */
export type Admitted = 'act' | 'look' | 'gone';

type PlaceContext = Pick<Attempt, 'urgency' | 'signal' | 'inLine'> & { readonly clock: Clock };

/** One reconcile's place, on one host at a time. */
export class HostPlace {
  readonly #context: PlaceContext;
  readonly #onLong: () => Promise<void>;
  #entry: HostEntry | null = null;
  /** A place among those that come next, and one among the changes. */
  #next: Leave | null = null;
  #change: Leave | null = null;
  #waitsSinceMs: number | null = null;
  #told = false;

  /** @param onLong called at most once, when the waiting has taken {@link tellAfterMs}; must not throw */
  constructor(context: PlaceContext, onLong: () => Promise<void>) {
    this.#context = context;
    this.#onLong = onLong;
  }

  /** Takes a place on the host unless it is held already. False: wait for it. */
  take(entry: HostEntry): boolean {
    if (this.#entry !== entry) this.leave();
    this.#entry = entry;
    this.#next ??= entry.line.next.tryTake();
    if (this.#next === null) return false;
    this.#change ??= entry.line.changes.tryTake();
    return this.#change !== null;
  }

  /** One step in the host's line, without keeping a worker from others. */
  async wait(): Promise<Admitted> {
    const line = this.#entry?.line;
    if (line === undefined) return 'gone';
    if (this.#next === null) {
      this.#next = await this.#waitIn(line.next);
      return this.#next === null ? 'gone' : 'look';
    }
    const seenMs = this.#context.clock.now();
    this.#change = await this.#waitIn(line.changes);
    if (this.#change === null) return 'gone';
    return this.#context.clock.now() - seenMs < freshMs ? 'act' : 'look';
  }

  /** Gives the place to the next. */
  leave(): void {
    this.#change?.();
    this.#next?.();
    [this.#change, this.#next, this.#waitsSinceMs] = [null, null, null];
  }

  async #waitIn(line: Line): Promise<Leave | null> {
    const { clock, inLine, urgency, signal } = this.#context;
    this.#waitsSinceMs ??= clock.now();
    const telling: Promise<void>[] = [];
    const timer = clock.after(Math.max(0, this.#waitsSinceMs + tellAfterMs - clock.now()), () => {
      if (!this.#told) telling.push(this.#onLong());
      this.#told = true;
    });
    const leave = await inLine(() => line.take(urgency, signal));
    timer.cancel();
    // Two writes of one status must not meet.
    await Promise.all(telling);
    return leave;
  }
}
