/**
 * Asks the QEMU guest agents of looked-at domains what memory blocks their guests have, where the host's admin wants that
 * (`--guest-agent`). In the background: no look waits for a guest. What they say is for people: nothing is decided by it.
 */
import type { GuestAgentWord } from '../../memory/guest-facts.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import type { RunningDomain } from '../domain/running-domain.ts';
import type { Driver } from '../driver.ts';
import type { EventLog } from '../event-log.ts';

/** One that is well is asked so often; one whose guest has left something offline, or whose modules have just changed, more often. */
const restMs = 60_000;
const restIfShortMs = 5_000;
/** One that doesn't answer may be started at any time; asking costs nothing while it isn't there. */
const restIfSilentMs = 20_000;
/** Agents of domains that nobody has looked at for longer aren't asked. */
const interestMs = 10 * 60_000;

export type GuestAgentPollOptions = {
  readonly driver: Pick<Driver, 'memoryBlocks'>;
  /** Whether the domain still runs as this run. */
  readonly isRunning: (run: RunningDomain) => boolean;
  readonly events: EventLog;
  readonly clock: Clock;
};

/** See the file's comment. */
export class GuestAgentPoll {
  readonly #options: GuestAgentPollOptions;
  /** Those that are asked now, or are to be. */
  readonly #next = new Map<RunningDomain, Timer | null>();
  #stopped = false;

  constructor(options: GuestAgentPollOptions) {
    this.#options = options;
  }

  /** Somebody looks at the domain, whose guest runs: its agent is asked from now on, as long as somebody does. */
  looked(run: RunningDomain): void {
    if (!this.#stopped && !this.#next.has(run)) void this.#ask(run);
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#next.values()) timer?.cancel();
    this.#next.clear();
  }

  /** Never rejects; where the host can't say, what was known stays. */
  async #ask(run: RunningDomain): Promise<void> {
    const { driver, events, clock } = this.#options;
    this.#next.set(run, null);
    const askedAtMs = clock.now();
    const before = run.guestAgent;
    const word = await askGuestAgent(driver, run.uuid);
    if (this.#stopped) return;
    if (word !== null) {
      run.heardGuestAgent(word, askedAtMs);
      // What was said of other modules wasn't told.
      const isNews = before === null || before.askedAtMs < run.unchangedSinceMs || !isSame(before.word, word);
      if (isNews) events.append({ kind: 'statistics', uuid: run.uuid });
    }
    this.#next.set(
      run,
      clock.after(restAfter(run), () => this.#askAgain(run)),
    );
  }

  #askAgain(run: RunningDomain): void {
    const { isRunning, events, clock } = this.#options;
    this.#next.delete(run);
    const isWanted = events.listeners > 0 && clock.now() - run.observedAtMs < interestMs;
    if (isWanted && isRunning(run)) void this.#ask(run);
  }
}

const isSame = (one: GuestAgentWord, other: GuestAgentWord): boolean => JSON.stringify(one) === JSON.stringify(other);

function restAfter({ guestAgent: known, unchangedSinceMs }: RunningDomain): number {
  if (known === null || known.askedAtMs < unchangedSinceMs) return restIfShortMs;
  const { blocks } = known.word;
  return blocks === null ? restIfSilentMs : blocks.offline > 0 ? restIfShortMs : restMs;
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
