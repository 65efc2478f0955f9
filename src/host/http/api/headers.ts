/** Headers of the agent's API beside those of HTTP. */
import { formatLeader, type Leader } from '../../../memory/leader.ts';

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

/**
 * Of a leader that shares the hosts with others, beside its header: the version of the host's resource by which the host is
 * its own.
 */
export const hostVersionHeader = 'dimmer-host-version';

/** The headers that say which leader asks. */
export const leaderHeaders = (leader: Leader | null | undefined): Readonly<Record<string, string>> =>
  leader === null || leader === undefined
    ? {}
    : {
        [leaderHeader]: formatLeader(leader),
        ...(leader.hostVersion === undefined ? {} : { [hostVersionHeader]: String(leader.hostVersion) }),
      };

/** An epoch, or the version of a host's resource. */
export const versionPattern = '^[1-9][0-9]{0,15}$';
const version = new RegExp(versionPattern);

/** What {@link newestEpochHeader} or {@link hostVersionHeader} says; undefined: nothing. */
export function readVersion(header: string | readonly string[] | undefined): number | undefined {
  return typeof header === 'string' && version.test(header) ? Number(header) : undefined;
}
