/**
 * The newest leader that a host has heard of, by election. A change for an older one is refused: its controller doesn't
 * know yet that another one leads (docs/adr/0036-leader-election-and-its-fence.md).
 */
import type { Leader } from '../memory/leader.ts';
import { fail, succeed } from '../memory/result.ts';
import { type HostAnswer, hostError } from './errors.ts';

/** Elections that are remembered: a cluster has one, or a few. Only there so that rubbish ends. */
const maxElections = 256;

/** See the file's comment. */
export class Leaders {
  /** The election that was heard of last is the last one. */
  readonly #epochs = new Map<string, number>();

  /** Takes up what somebody says of a leader, unless a newer one is known. */
  learn({ election, epoch }: Leader): void {
    const newest = Math.max(epoch, this.#epochs.get(election) ?? 0);
    this.#epochs.delete(election);
    this.#epochs.set(election, newest);
    const [oldest] = this.#epochs.keys();
    if (this.#epochs.size > maxElections && oldest !== undefined) this.#epochs.delete(oldest);
  }

  /**
   * Whether `leader` may act; that it leads is known from then on. A controller without an election (`undefined`) is
   * left to the claims. The error is `not-leader`.
   */
  admit(leader: Leader | undefined): HostAnswer<null> {
    if (leader === undefined) return succeed(null);
    const newestEpoch = this.#epochs.get(leader.election) ?? 0;
    if (leader.epoch < newestEpoch) {
      const message = `Another controller leads now: epoch ${leader.epoch} is older than ${newestEpoch}`;
      return fail({ ...hostError('not-leader', message), newestEpoch });
    }
    this.learn(leader);
    return succeed(null);
  }
}
