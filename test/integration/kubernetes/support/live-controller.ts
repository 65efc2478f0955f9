/** A controller that acts on a real API server, with simulated hosts under it. */
import { Registry } from 'prom-client';
import { createController } from '../../../../src/controllers/controller.ts';
import type { SimulatedDomainSpec } from '../../../../src/host/simulated/domain-spec.ts';
import type { SimulatedHost } from '../../../../src/host/simulated/script.ts';
import { createSimulatedHost } from '../../../../src/host/simulated/simulated-host.ts';
import type { Cluster } from '../../../../src/kubernetes/cluster.ts';
import { type Clock, systemClock } from '../../../../src/runtime/clock.ts';
import { silentLogger } from '../../../../src/runtime/logger.ts';
import { connectAsController, type DimmerCluster } from './dimmer-cluster.ts';

export type LiveController = {
  readonly registry: Registry;
  /** The host that a HypervisorHost of this name leads to. */
  readonly host: (name: string) => SimulatedHost;
  readonly close: () => Promise<void>;
};

export type LiveOptions = {
  /** What runs on which host; any other HypervisorHost leads to an empty one. */
  readonly domains?: Readonly<Record<string, readonly SimulatedDomainSpec[]>>;
  /** Of controller and hosts. Default: as time goes by. */
  readonly clock?: Clock;
  /** Puts something between the controller and the API server. */
  readonly wrap?: (cluster: Cluster) => Cluster;
};

/** Starts a controller with the rights of deploy/; simulated hosts outlive it in `hosts`, if that is given. */
export async function startLiveController(
  plane: Pick<DimmerCluster, 'controllerKubeconfig'>,
  { domains = {}, clock = systemClock, wrap = (cluster) => cluster }: LiveOptions = {},
  hosts = new Map<string, SimulatedHost>(),
): Promise<LiveController> {
  const connection = connectAsController(plane);
  await connection.start();
  const cluster = wrap(connection);
  const hostOf = (name: string): SimulatedHost => {
    const known = hosts.get(name) ?? createSimulatedHost({ clock, id: name, domains: domains[name] ?? [] });
    hosts.set(name, known);
    return known;
  };
  const registry = new Registry();
  const controller = createController({
    hub: cluster,
    clusterId: await cluster.clusterId(),
    connect: (resource) => hostOf(resource.metadata.name),
    clock,
    random: Math.random,
    logger: silentLogger,
    registry,
    concurrency: 4,
    observeOnly: false,
  });
  controller.start();
  return {
    registry,
    host: hostOf,
    async close() {
      await controller.close(60_000);
      await connection.close();
    },
  };
}
