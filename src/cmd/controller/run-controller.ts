/** `dimmer controller`: the cluster assembly. Resources come from an API server, hosts are reached by HTTPS. */
import { Registry } from 'prom-client';
import { type Controller, createController } from '../../controllers/controller.ts';
import { withLeadership } from '../../host/leadership.ts';
import { orAborted } from '../../runtime/or-aborted.ts';
import { openTlsFiles } from '../../runtime/tls-files.ts';
import { type Cluster, createCluster } from '../../kubernetes/cluster.ts';
import { systemClock } from '../../runtime/clock.ts';
import { Lifecycle } from '../../runtime/lifecycle.ts';
import type { Logger } from '../../runtime/logger.ts';
import { declareProcessMetrics } from '../../runtime/process-metrics.ts';
import { tellVersions } from '../../runtime/versions.ts';
import { connectToAgent } from '../agent-connection.ts';
import type { CommandIo } from '../io.ts';
import { addProbeServers } from '../probe-servers.ts';
import { runProgram } from '../run-program.ts';
import { version } from '../version.ts';
import { declareCertificateExpiry } from './certificate-metric.ts';
import { addElection } from './election.ts';
import { type ControllerArguments, readControllerArguments } from './options.ts';
import { controllerUsage } from './usage.ts';

/** How long a change that was sent is waited for; the agent answers within 35 s, and the client waits 40 s. */
const graceMs = 45_000;

/** Runs until the signal. Returns the exit code. */
export const runController = (argv: readonly string[], io: CommandIo): Promise<number> =>
  runProgram('controller', controllerUsage, readControllerArguments(argv), io, serve);

async function serve(options: ControllerArguments, logger: Logger, signal: AbortSignal): Promise<void> {
  const clock = systemClock;
  const lifecycle = new Lifecycle({ clock, logger });
  const registry = new Registry();
  declareProcessMetrics(registry, 'controller', version);
  const tls = openTlsFiles(
    { certFile: options.clientCertFile, keyFile: options.clientKeyFile, caFile: options.caFile },
    clock,
    logger,
  );
  declareCertificateExpiry(tls, registry);
  lifecycle.add({ name: 'TLS files', group: 'servers', stop: () => tls.close() });
  addProbeServers(lifecycle, options, registry);
  const cluster = createCluster({ kubeconfig: options.kubeconfig, registry, clock, logger });
  lifecycle.add({
    name: 'API server',
    group: 'sources',
    async start(ending) {
      await orAborted(cluster.start(), ending, () => undefined);
      if (!ending.aborted) await orAborted(tellCluster(cluster, logger), ending, () => undefined);
    },
    stop: () => cluster.close(),
  });
  const elected = options.election && addElection(options.election, { cluster, lifecycle, registry });
  let controller: Controller | null = null;
  lifecycle.add({
    name: 'controller',
    group: 'workers',
    async start() {
      const clusterId = await cluster.clusterId();
      const leadership = elected?.leadershipIn(clusterId) ?? null;
      controller = createController({
        hub: cluster,
        clusterId,
        connect(resource, charge) {
          const host = connectToAgent(resource, tls);
          return leadership === null ? host : withLeadership(host, leadership, charge);
        },
        shards: elected?.shards ?? null,
        clock,
        random: Math.random,
        logger,
        registry,
        concurrency: options.concurrency,
        observeOnly: options.observeOnly,
      });
      controller.start();
      const shard = options.election?.shard ?? undefined;
      logger.info({ clusterId, observeOnly: options.observeOnly, shard }, 'controller is ready');
    },
    async stop() {
      if (controller === null) return;
      logger.info({ reason: signal.aborted ? String(signal.reason) : 'it does not lead any more' }, 'controller ends');
      await controller.close(graceMs);
    },
    // It keeps to its grace by itself; letting go of the hosts takes no time.
    stopMs: graceMs + 2_000,
  });
  await lifecycle.run(signal);
}

/** What the cluster has, which whoever reads the log of a fault wants to know. */
async function tellCluster(cluster: Cluster, logger: Logger): Promise<void> {
  const kubernetes = await cluster.version();
  tellVersions(logger, { Kubernetes: kubernetes ?? 'unknown' }, { dimmer: version, node: process.versions.node });
}
