/** The host port over the agent's HTTPS API. */
import { randomUUID } from 'node:crypto';
import type { Shape } from '../../memory/shape.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { HostAnswer } from '../errors.ts';
import { openEventStream } from './event-stream.ts';
import { Looks, observeDeadlineMs } from './looks.ts';
import { domainsPath, memoryPath, modulesPath } from './paths.ts';
import { HttpsTransport } from './transport.ts';
import type { Host } from '../port.ts';
import type { TlsFiles } from '../../runtime/tls-files.ts';
import { domainSummaries, persistAnswer, plugAnswer, releaseAnswer, unplugAnswer } from './api/domain.ts';
import { hostFacts } from './api/host.ts';
import type { Leader } from '../../memory/leader.ts';
import { leaderHeaders, preferHeader, returnRepresentation } from './api/headers.ts';

export type HttpsHostOptions = {
  /** `https://name:port` of the agent. */
  readonly address: string;
  /** The name in the agent's certificate, when it isn't the one in the address. */
  readonly tlsServerName?: string | undefined;
  /** The controller's certificate and the agents' CA; shared by all hosts, closed by who opened it. */
  readonly tls: TlsFiles;
  readonly clock: Clock;
  /** Uniform in [0, 1), for the jitter of reconnects. Default Math.random. */
  readonly random?: () => number;
};

/** The agent itself answers within 35 s, libvirt's job lock included. */
const mutationDeadlineMs = 40_000;

/** What a change has led to comes with its answer, which spares a look. */
const told = { [preferHeader]: returnRepresentation };

const queryOf = (members: object): string => {
  const given = Object.entries(members).filter(([, value]) => value !== undefined);
  return new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
};

/**
 * A {@link Host} that talks to the agent at `address`. Nothing is connected before the first call. No call throws.
 * @throws RangeError when the address isn't `https://host:port`
 */
export function createHttpsHost(options: HttpsHostOptions): Host {
  const { clock } = options;
  const transport = new HttpsTransport(options);
  const looks = new Looks(transport, clock);
  const streams = new Set<() => void>();
  const look = <T>(path: string, shape: Shape<T>, signal: AbortSignal | undefined): Promise<HostAnswer<T>> =>
    transport.call({ method: 'GET', path, deadlineMs: observeDeadlineMs, signal }, shape);
  const guarded = (revision: string, leader: Leader | undefined) => ({
    'if-match': `"${revision}"`,
    'x-request-id': randomUUID(),
    ...leaderHeaders(leader),
  });

  return {
    facts: (signal) => look('/v1/host', hostFacts, signal),

    async listDomains(signal) {
      const list = await look(domainsPath, domainSummaries, signal);
      return list.ok ? { ok: true, value: list.value.domains } : list;
    },

    observe: (uuid, signal) => looks.observe(uuid, signal),

    plug: (uuid, revision, { leader, isMidway, ...request }) =>
      transport.call(
        {
          method: 'POST',
          path: modulesPath(uuid),
          headers: { ...guarded(revision, leader), ...(isMidway === true ? {} : told) },
          body: JSON.stringify(request),
          deadlineMs: mutationDeadlineMs,
        },
        plugAnswer,
      ),

    unplug: (uuid, revision, { slot, leader, ...query }) =>
      transport.call(
        {
          method: 'DELETE',
          path: `${modulesPath(uuid)}/${slot}?${queryOf(query)}`,
          headers: { ...guarded(revision, leader), ...told },
          deadlineMs: mutationDeadlineMs,
        },
        unplugAnswer,
      ),

    persist: (uuid, revision, { leader, ...request }) =>
      transport.call(
        {
          method: 'PUT',
          path: `${memoryPath(uuid)}/stored`,
          headers: guarded(revision, leader),
          body: JSON.stringify(request),
          deadlineMs: mutationDeadlineMs,
        },
        persistAnswer,
      ),

    releaseClaim: (uuid, revision, { leader, ...query }) =>
      transport.call(
        {
          method: 'DELETE',
          path: `${memoryPath(uuid)}/claim?${queryOf(query)}`,
          headers: guarded(revision, leader),
          deadlineMs: mutationDeadlineMs,
        },
        releaseAnswer,
      ),

    watch(listener, leadership) {
      const random = options.random ?? Math.random;
      const stop = openEventStream({ transport, clock, random, listener, leadership });
      streams.add(stop);
      return () => {
        streams.delete(stop);
        stop();
      };
    },

    async close() {
      for (const stop of streams) stop();
      streams.clear();
      await transport.close();
    },
  };
}
