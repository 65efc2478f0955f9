/** Where probes and metrics are served, as options say it. */
import type { HostPort } from './arguments.ts';

export type ProbeAddresses = { readonly healthAddress: HostPort | null; readonly metricsAddress: HostPort | null };

export type PlannedServer = {
  readonly address: HostPort;
  readonly probes: boolean;
  readonly metrics: boolean;
};

/** Probes and metrics share one server when they are given one address. */
export function planServers({ healthAddress, metricsAddress }: ProbeAddresses): readonly PlannedServer[] {
  const isShared = healthAddress?.host === metricsAddress?.host && healthAddress?.port === metricsAddress?.port;
  const servers: PlannedServer[] = [];
  if (healthAddress !== null) servers.push({ address: healthAddress, probes: true, metrics: isShared });
  if (metricsAddress !== null && !isShared) servers.push({ address: metricsAddress, probes: false, metrics: true });
  return servers;
}
