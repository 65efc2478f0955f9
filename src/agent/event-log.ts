/** The agent's last events with ids, so that a broken stream can be taken up where it ended. */
import type { HostEvent } from '../host/port.ts';

/** An event that concerns one domain. */
export type DomainHostEvent = Extract<HostEvent, { readonly uuid: string }>;
/** What a stream delivers. `reset`: look at everything once. `resumed`: nothing was missed. */
export type LoggedEvent = { readonly id: string; readonly event: DomainHostEvent | { readonly kind: 'reset' } };

/** Enough for a controller that is away for a few seconds; whoever is away longer lists. */
const capacity = 1024;

export class EventLog {
  /** Distinguishes ids of this process from those of an earlier one. */
  readonly #instance: string;
  readonly #entries: LoggedEvent[] = [];
  readonly #listeners = new Set<(entry: LoggedEvent) => void>();
  #next = 1;

  /** @param instance letters, digits and hyphens; different for every start of the agent */
  constructor(instance: string) {
    this.#instance = instance;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** The id of the newest event. */
  get lastId(): string {
    return this.#idOf(this.#next - 1);
  }

  /** Keeps the event and tells it to every listener. */
  append(event: LoggedEvent['event']): void {
    const entry: LoggedEvent = { id: this.#idOf(this.#next), event };
    this.#next += 1;
    this.#entries.push(entry);
    if (this.#entries.length > capacity) this.#entries.shift();
    for (const listener of this.#listeners) listener(entry);
  }

  /** What followed `id`; null when that can't be told (another process, too long ago, rubbish). */
  since(id: string): readonly LoggedEvent[] | null {
    const match = /^(.{1,64})-(\d{1,15})$/.exec(id);
    if (match?.[1] !== this.#instance) return null;
    const missed = this.#next - 1 - Number(match[2]);
    if (missed < 0 || missed > this.#entries.length) return null;
    return missed === 0 ? [] : this.#entries.slice(-missed);
  }

  /** Calls `listener` with every later event until the returned function is called. */
  subscribe(listener: (entry: LoggedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #idOf(number: number): string {
    return `${this.#instance}-${number}`;
  }
}
