/** What is heard of a virtual machine while a change of it is under way: an answer may be older than that. */
import { isShownAsOf } from '../../host/event-order.ts';
import type { DomainObservation, HostEvent } from '../../host/port.ts';

/** From when it was opened until `end`. */
export interface Hearing {
  /** Whether the observation shows all that was heard meanwhile. */
  isShownBy(observation: DomainObservation): boolean;
  end(): void;
}

class OpenHearing implements Hearing {
  readonly #ids: string[] = [];
  #isLost = false;
  readonly #onEnd: (hearing: OpenHearing) => void;

  constructor(onEnd: (hearing: OpenHearing) => void) {
    this.#onEnd = onEnd;
  }

  heard(event: HostEvent): void {
    // What starts, stops or leaves for another host is looked at in any case.
    if (!('uuid' in event) || event.kind === 'lifecycle' || event.id === undefined) this.#isLost = true;
    else this.#ids.push(event.id);
  }

  isShownBy({ asOfEvent }: DomainObservation): boolean {
    return !this.#isLost && this.#ids.every((id) => isShownAsOf(id, asOfEvent));
  }

  end(): void {
    this.#onEnd(this);
  }
}

/** All hearings on one host. */
export class Hearings {
  readonly #open = new Map<string, Set<OpenHearing>>();

  /** Listens to what is heard of a machine from now on. */
  listen(uuid: string): Hearing {
    const among = this.#open.get(uuid) ?? new Set();
    const hearing = new OpenHearing((ended) => {
      among.delete(ended);
      if (among.size === 0 && this.#open.get(uuid) === among) this.#open.delete(uuid);
    });
    this.#open.set(uuid, among.add(hearing));
    return hearing;
  }

  /** One that concerns no machine in particular concerns all. */
  heard(event: HostEvent): void {
    const concerned = 'uuid' in event ? [this.#open.get(event.uuid) ?? []] : this.#open.values();
    for (const among of concerned) for (const hearing of among) hearing.heard(event);
  }
}
