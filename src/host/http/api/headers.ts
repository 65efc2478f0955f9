/** Headers of the agent's API beside those of HTTP. */

/** Of changes and of the stream of events: the leader that asks (memory/leader.ts); agents of 0.1.0 pass it over. */
export const leaderHeader = 'dimmer-leader';
/** RFC 7240, of changes: the answer tells what they have led to. Agents of 0.1.0 pass it over. */
export const preferHeader = 'prefer';
export const preferenceAppliedHeader = 'preference-applied';
export const returnRepresentation = 'return=representation';

/** Whether a request prefers to be told what its change has led to. */
export const prefersRepresentation = (header: string | string[] | undefined): boolean =>
  [header ?? []]
    .flat()
    .flatMap((line) => line.split(','))
    .some((preference) => /^return\s*=\s*"?representation"?$/i.test(preference.split(';', 1)[0]?.trim() ?? ''));

/** Of `not-leader`: the newest epoch that the agent knows of the same election. */
export const newestEpochHeader = 'dimmer-newest-epoch';

/** What `not-leader` says beside its document; undefined: nothing. */
export function readNewestEpoch(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^[1-9][0-9]{0,15}$/.test(header) ? Number(header) : undefined;
}
