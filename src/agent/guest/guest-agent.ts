/**
 * Asks the QEMU guest agents of looked-at domains what memory blocks their guests have, where the host's admin wants that
 * (`--guest-agent`). In the background: no look waits for a guest. What they say is for people: nothing is decided by it.
 */
import type { GuestAgentWord } from '../../memory/guest-facts.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { RunningDomain } from '../domain/running-domain.ts';
import type { Driver } from '../driver.ts';
import type { EventLog } from '../event-log.ts';

/** One that is well is asked so often; one whose guest has left something offline, or whose modules have just changed, more often. */
const restMs = 60_000;
const restIfShortMs = 5_000;
/** One that doesn't answer may be started at any time; asking costs nothing while it isn't there. */
const restIfSilentMs = 20_000;

export type GuestAgentPollOptions = {
  readonly driver: Pick<Driver, 'memoryBlocks'>;
  readonly events: EventLog;
  readonly clock: Clock;
};

/** See the file's comment. */
export class GuestAgentPoll {
  readonly #options: GuestAgentPollOptions;
  readonly #asking = new WeakSet<RunningDomain>();

  constructor(options: GuestAgentPollOptions) {
    this.#options = options;
  }

  /** Somebody looks at the domain, whose guest runs: its agent is asked, if it is time for that. */
  looked(run: RunningDomain): void {
    const { clock } = this.#options;
    const known = run.guestAgent;
    const isShort = known === null || (known.word.blocks?.offline ?? 0) > 0 || known.askedAtMs < run.unchangedSinceMs;
    const rest = isShort ? restIfShortMs : known.word.blocks === null ? restIfSilentMs : restMs;
    const dueMs = known === null ? 0 : known.askedAtMs + rest;
    if (clock.now() < dueMs || this.#asking.has(run)) return;
    this.#asking.add(run);
    void this.ask(run).finally(() => this.#asking.delete(run));
  }

  /** Asks now. Never rejects; where the host can't say, what was known stays. */
  async ask(run: RunningDomain): Promise<void> {
    const { driver, events, clock } = this.#options;
    const askedAtMs = clock.now();
    const before = run.guestAgent?.word ?? null;
    const word = await askGuestAgent(driver, run.uuid);
    if (word === null) return;
    run.heardGuestAgent(word, askedAtMs);
    if (JSON.stringify(word) !== JSON.stringify(before)) events.append({ kind: 'statistics', uuid: run.uuid });
  }
}

/** What the guest agent says now; null: the hypervisor can't be asked. Never rejects. */
export async function askGuestAgent(
  driver: Pick<Driver, 'memoryBlocks'>,
  uuid: string,
): Promise<GuestAgentWord | null> {
  try {
    return await driver.memoryBlocks(uuid);
  } catch {
    return null;
  }
}
