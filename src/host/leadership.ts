/** A host that is changed only by who leads. */
import type { Leader } from '../memory/leader.ts';
import { fail } from '../memory/result.ts';
import { type HostAnswer, hostError } from './errors.ts';
import type { Host, Leadership } from './port.ts';

/**
 * `host` for a controller that may have lost its lease: that is looked at right before each change, and each change and
 * the stream of events say which leader they come from.
 */
export function withLeadership(host: Host, leadership: Leadership): Host {
  const change = async <T>(send: (leader: Leader) => Promise<HostAnswer<T>>): Promise<HostAnswer<T>> => {
    const leader = leadership.current();
    if (leader === null) {
      return fail(hostError('not-leader', 'This controller may not lead any more, so nothing was sent to the host'));
    }
    const answer = await send(leader);
    if (!answer.ok && answer.error.code === 'not-leader') leadership.refused(answer.error.newestEpoch);
    return answer;
  };
  return {
    facts: (signal) => host.facts(signal),
    listDomains: (signal) => host.listDomains(signal),
    observe: (uuid, signal) => host.observe(uuid, signal),
    plug: (uuid, revision, request) => change((leader) => host.plug(uuid, revision, { ...request, leader })),
    unplug: (uuid, revision, request) => change((leader) => host.unplug(uuid, revision, { ...request, leader })),
    releaseClaim: (uuid, revision, request) =>
      change((leader) => host.releaseClaim(uuid, revision, { ...request, leader })),
    watch: (listener) => host.watch(listener, leadership),
    close: () => host.close(),
  };
}
