/** A host that is changed only by who leads. */
import type { Leader } from '../memory/leader.ts';
import { fail } from '../memory/result.ts';
import { type HostAnswer, hostError } from './errors.ts';
import type { Charge, Host, Leadership } from './port.ts';

/** Beside this the epoch of another leader counts; see host/leaders.ts. */
const always = (): Partial<Charge> => ({});

/**
 * `host` for a controller that may have lost its lease: that is looked at right before each change, and each change and
 * the stream of events say which leader they come from.
 * @param charge of one that shares the hosts with others: by what this one is its own, asked as often; null: it isn't
 */
export function withLeadership(
  host: Host,
  leadership: Leadership,
  charge: () => Partial<Charge> | null = always,
): Host {
  const change = async <T>(send: (leader: Leader) => Promise<HostAnswer<T>>): Promise<HostAnswer<T>> => {
    const leader = leadership.current();
    const by = charge();
    if (leader === null || by === null) {
      return fail(hostError('not-leader', 'This controller may not lead any more, so nothing was sent to the host'));
    }
    const answer = await send({ ...leader, ...by });
    const { code, newestEpoch } = answer.ok ? { code: null } : answer.error;
    // Without an epoch it isn't the lease that is another's, but the host.
    if (code === 'not-leader' && (newestEpoch !== undefined || by.hostVersion === undefined)) {
      leadership.refused(newestEpoch);
    }
    return answer;
  };
  const listening: Leadership = {
    current() {
      const leader = leadership.current();
      return leader && { ...leader, ...charge() };
    },
    refused(newestEpoch) {
      if (newestEpoch !== undefined) leadership.refused(newestEpoch);
    },
  };
  return {
    facts: (signal) => host.facts(signal),
    listDomains: (signal) => host.listDomains(signal),
    observe: (uuid, signal) => host.observe(uuid, signal),
    plug: (uuid, revision, request) => change((leader) => host.plug(uuid, revision, { ...request, leader })),
    unplug: (uuid, revision, request) => change((leader) => host.unplug(uuid, revision, { ...request, leader })),
    persist: (uuid, revision, request) => change((leader) => host.persist(uuid, revision, { ...request, leader })),
    releaseClaim: (uuid, revision, request) =>
      change((leader) => host.releaseClaim(uuid, revision, { ...request, leader })),
    watch: (listener) => host.watch(listener, listening),
    close: () => host.close(),
  };
}
