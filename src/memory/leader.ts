/** Which of several controllers may act, and how that is written (docs/adr/0036-leader-election-and-its-fence.md). */

/** The winner of an election. */
export type Leader = {
  /** What is elected for: cluster, namespace and name of the Lease. Epochs of different elections don't compare. */
  readonly election: string;
  /** 1 or more; larger with every leader of the same election. */
  readonly epoch: number;
  /**
   * Of a leader that shares the hosts with others: the version of the host's resource by which the host is its own, 1 or
   * more; it grows with every change. Absent: it doesn't share them, or the host isn't its own. It is not kept with a VM.
   */
  readonly hostVersion?: number;
};

const written = /^([A-Za-z0-9._:/-]{1,512})#([1-9][0-9]{0,15})$/;

/** As a header and a domain's metadata have it. */
export const formatLeader = ({ election, epoch }: Leader): string => `${election}#${epoch}`;

/** What is elected for in the same cluster has this in common. */
export const clusterOf = ({ election }: Leader): string => election.split('/', 1)[0] ?? election;

/** Reads what {@link formatLeader} wrote; null: it is something else. */
export function parseLeader(text: string): Leader | null {
  const [, election, epoch] = written.exec(text) ?? [];
  if (election === undefined || !Number.isSafeInteger(Number(epoch))) return null;
  return { election, epoch: Number(epoch) };
}

/** The same, as a pattern for schemas. */
export const leaderPattern = written.source;
