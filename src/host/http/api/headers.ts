/** Headers of the agent's API beside those of HTTP. */

/** Of changes and of the stream of events: the leader that asks (memory/leader.ts); agents of 0.1.0 pass it over. */
export const leaderHeader = 'dimmer-leader';
/** Of `not-leader`: the newest epoch that the agent knows of the same election. */
export const newestEpochHeader = 'dimmer-newest-epoch';

/** What `not-leader` says beside its document; undefined: nothing. */
export function readNewestEpoch(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^[1-9][0-9]{0,15}$/.test(header) ? Number(header) : undefined;
}
