/** Where probes and metrics are served, as options say it. */
import type { Registry } from 'prom-client';
import { type HealthServer, startHealthServer } from '../runtime/health-server.ts';
import type { Lifecycle } from '../runtime/lifecycle.ts';
import type { HostPort } from './arguments.ts';

export type ProbeAddresses = { readonly healthAddress: HostPort | null; readonly metricsAddress: HostPort | null };

type PlannedServer = {
  readonly address: HostPort;
  readonly probes: boolean;
  readonly metrics: boolean;
};

/** Probes and metrics share one server when they are given one address. */
function planServers({ healthAddress, metricsAddress }: ProbeAddresses): readonly PlannedServer[] {
  const isShared = healthAddress?.host === metricsAddress?.host && healthAddress?.port === metricsAddress?.port;
  const servers: PlannedServer[] = [];
  if (healthAddress !== null) servers.push({ address: healthAddress, probes: true, metrics: isShared });
  if (metricsAddress !== null && !isShared) servers.push({ address: metricsAddress, probes: false, metrics: true });
  return servers;
}

/** They begin and end with the program. */
export function addProbeServers(lifecycle: Lifecycle, addresses: ProbeAddresses, registry: Registry): void {
  for (const { address, probes, metrics } of planServers(addresses)) {
    let server: HealthServer | null = null;
    lifecycle.add({
      name: `server at ${address.host}:${address.port}`,
      group: 'servers',
      async start() {
        const isReady = (): boolean => lifecycle.ready;
        server = await startHealthServer({ ...address, probes, registry: metrics ? registry : null, isReady });
      },
      stop: () => server?.close(),
    });
  }
}
