/**
 * The newest leader that a host has heard of, by election. A change for an older one is refused: its controller doesn't
 * know yet that another one leads (docs/adr/0036-leader-election-and-its-fence.md).
 */
import { clusterOf, type Leader } from '../memory/leader.ts';
import { fail, succeed } from '../memory/result.ts';
import { type HostAnswer, hostError } from './errors.ts';

/** Elections that are remembered: a cluster has one, or a few. Only there so that rubbish ends. */
const maxElections = 256;

/** See the file's comment. */
export class Leaders {
  /** The election that was heard of last is the last one. */
  readonly #epochs = new Map<string, number>();
  /** By cluster: the election whose leader this host is in the charge of, by the newest version of its resource. */
  readonly #charges = new Map<string, { readonly election: string; readonly hostVersion: number }>();

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
    const charged = this.#takeCharge(leader);
    if (!charged.ok) return charged;
    this.learn(leader);
    return succeed(null);
  }

  /**
   * Controllers that share the hosts: one that doesn't know yet that the host has been given to another goes by an older
   * version of the host's resource (docs/adr/0041-shards.md).
   */
  #takeCharge(leader: Leader): HostAnswer<null> {
    const { election, hostVersion } = leader;
    if (hostVersion === undefined) return succeed(null);
    const cluster = clusterOf(leader);
    const known = this.#charges.get(cluster);
    if (known !== undefined && hostVersion < known.hostVersion) {
      if (known.election === election) return succeed(null);
      const message = `This host is another controller's: version ${hostVersion} of its resource is older than ${known.hostVersion}`;
      return fail(hostError('not-leader', message));
    }
    this.#charges.delete(cluster);
    this.#charges.set(cluster, { election, hostVersion });
    const [oldest] = this.#charges.keys();
    if (this.#charges.size > maxElections && oldest !== undefined) this.#charges.delete(oldest);
    return succeed(null);
  }
}
