/** The host port over the agent's HTTPS API. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../runtime/clock.ts';
import type { HostAnswer } from '../errors.ts';
import type { Decoder } from './decode.ts';
import { openEventStream } from './event-stream.ts';
import { HttpsTransport } from './transport.ts';
import type { Host, UnplugRequest } from '../port.ts';
import type { TlsFiles } from '../../runtime/tls-files.ts';
import { decodeDomainList, decodeHostFacts, decodeObservation, decodePlugAnswer, decodeUnplugAnswer } from './wire.ts';

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

/** Reading is quick at the agent: one look at the domain's XML. */
const observeDeadlineMs = 5_000;
/** The agent itself answers within 35 s, libvirt's job lock included. */
const mutationDeadlineMs = 40_000;

const modulesPath = (uuid: string): string => `/v1/domains/${encodeURIComponent(uuid)}/memory/modules`;

function unplugQuery(request: UnplugRequest): string {
  const query = new URLSearchParams({
    clusterId: request.clusterId,
    objectUid: request.objectUid,
    namespace: request.namespace,
    generation: String(request.generation),
  });
  if (request.replacesUid !== undefined) query.set('replacesUid', request.replacesUid);
  if (request.minUsableAfter !== undefined) query.set('minUsableAfter', String(request.minUsableAfter));
  return query.toString();
}

/**
 * A {@link Host} that talks to the agent at `address`. Nothing is connected before the first call. No call throws.
 * @throws RangeError when the address isn't `https://host:port`
 */
export function createHttpsHost(options: HttpsHostOptions): Host {
  const { clock } = options;
  const transport = new HttpsTransport(options);
  const streams = new Set<() => void>();
  const look = <T>(path: string, decode: Decoder<T>, signal: AbortSignal | undefined): Promise<HostAnswer<T>> =>
    transport.call({ method: 'GET', path, deadlineMs: observeDeadlineMs, signal }, decode);
  const guarded = (revision: string) => ({ 'if-match': `"${revision}"`, 'x-request-id': randomUUID() });

  return {
    facts: (signal) => look('/v1/host', decodeHostFacts, signal),

    async listDomains(signal) {
      const list = await look('/v1/domains', decodeDomainList, signal);
      return list.ok ? { ok: true, value: list.value.domains } : list;
    },

    observe: (uuid, signal) => look(`/v1/domains/${encodeURIComponent(uuid)}/memory`, decodeObservation, signal),

    plug: (uuid, revision, request) =>
      transport.call(
        {
          method: 'POST',
          path: modulesPath(uuid),
          headers: guarded(revision),
          body: JSON.stringify(request),
          deadlineMs: mutationDeadlineMs,
        },
        decodePlugAnswer,
      ),

    unplug: (uuid, revision, request) =>
      transport.call(
        {
          method: 'DELETE',
          path: `${modulesPath(uuid)}/${request.slot}?${unplugQuery(request)}`,
          headers: guarded(revision),
          deadlineMs: mutationDeadlineMs,
        },
        decodeUnplugAnswer,
      ),

    watch(listener) {
      const random = options.random ?? Math.random;
      const stop = openEventStream({ transport, clock, random, listener });
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
