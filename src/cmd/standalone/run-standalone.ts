/**
 * `dimmer standalone`: the assembly without a cluster. Resources come from a directory of manifests; the VMs of this host
 * are served in this process, those of other hosts by their agents.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Gauge } from 'prom-client';
import { compilePattern } from '../../agent/admission.ts';
import { EventLog } from '../../agent/event-log.ts';
import { type AgentMetrics, createAgentMetrics } from '../../agent/metrics.ts';
import type { RunnableService, ServiceParts } from '../../agent/service.ts';
import type { HypervisorHost } from '../../api/v1alpha1/hypervisor-host.ts';
import { type Controller, createController } from '../../controllers/controller.ts';
import { hostError } from '../../host/errors.ts';
import type { Host } from '../../host/port.ts';
import { createUnusableHost } from '../../host/unusable-host.ts';
import { systemClock } from '../../runtime/clock.ts';
import { Lifecycle } from '../../runtime/lifecycle.ts';
import type { Logger } from '../../runtime/logger.ts';
import { openTlsFiles, type TlsFiles } from '../../runtime/tls-files.ts';
import { createStandalone } from '../../standalone/hub.ts';
import { localhostName } from '../../standalone/localhost.ts';
import { partsOfService } from '../agent/service-parts.ts';
import { tellServiceManager } from '../agent/service-manager.ts';
import type { connectToAgent } from '../agent-connection.ts';
import type { CommandIo } from '../io.ts';
import { addProbeServers } from '../probe-servers.ts';
import { runProgram } from '../run-program.ts';
import { version } from '../version.ts';
import { readStandaloneArguments, type StandaloneArguments } from './options.ts';
import { standaloneUsage } from './usage.ts';

/** How long a change in hand is waited for at the end; then what goes on behind it (huge pages may take longer). */
const graceMs = 45_000;
const changeMs = 80_000;

/** Runs until the signal. Returns the exit code. */
export const runStandalone = (argv: readonly string[], io: CommandIo): Promise<number> =>
  runProgram('standalone', standaloneUsage, readStandaloneArguments(argv), io, serve);

async function serve(options: StandaloneArguments, logger: Logger, signal: AbortSignal): Promise<void> {
  const clock = systemClock;
  const lifecycle = new Lifecycle({ clock, logger });
  let service: RunnableService | null = null;
  const metrics = createAgentMetrics(version, () => service?.pendingOperations ?? 0, 'standalone');
  const { registry } = metrics;
  const agents = await openAgents(options, logger);
  if (agents !== null) lifecycle.add({ name: 'TLS files', group: 'servers', stop: () => agents.tls.close() });
  addProbeServers(lifecycle, options, registry);

  const standalone = createStandalone({ manifests: options.manifests, state: options.stateDir, clock, logger });
  declareProblems(metrics, () => standalone.problems.length);
  lifecycle.add({
    name: 'manifests',
    group: 'sources',
    start: () => standalone.start(),
    stop: () => standalone.close(),
    ready: () => standalone.trouble === null,
  });
  const events = new EventLog(randomUUID());
  const parts = partsOfService(events, metrics, clock, logger);
  // After the state directory is locked: a simulated host lives there.
  lifecycle.add({
    name: 'this host',
    group: 'sources',
    async start() {
      service = await openService(options, parts, metrics);
      service.start();
    },
    stop: () => service?.close(),
    stopMs: changeMs,
  });
  let controller: Controller | null = null;
  lifecycle.add({
    name: 'controller',
    group: 'workers',
    async start() {
      const clusterId = await standalone.clusterId();
      const local = service;
      if (local === null) throw new Error('this host is not served yet');
      controller = createController({
        hub: standalone,
        clusterId,
        connect: (resource) => connect(resource, local, agents),
        ...{ clock, random: Math.random, logger, registry },
        concurrency: options.concurrency,
        observeOnly: options.observeOnly,
      });
      controller.start();
      const { manifests, stateDir, observeOnly, driver } = options;
      logger.info(
        { manifests, stateDir, instance: clusterId, observeOnly, driver: driver.kind },
        'standalone is ready',
      );
      await tellServiceManager({ ready: true, status: `Follows the manifests in ${manifests}` }, logger);
    },
    stop: () => controller?.close(graceMs),
    stopMs: graceMs + 2_000,
  });
  await lifecycle.run(signal);
}

/** How the agents of other hosts are reached. */
type Agents = { readonly tls: TlsFiles; readonly connect: typeof connectToAgent };

/** null: there are none. What speaks HTTPS is loaded only for them. */
async function openAgents({ agents }: StandaloneArguments, logger: Logger): Promise<Agents | null> {
  if (agents === null) return null;
  const { connectToAgent } = await import('../agent-connection.ts');
  return { tls: openTlsFiles(agents, systemClock, logger), connect: connectToAgent };
}

/** The host of a resource: the one in this process, or another one's agent. */
function connect(resource: HypervisorHost, service: RunnableService, agents: Agents | null): Host {
  const { name } = resource.metadata;
  // It lives as long as the process, whatever becomes of its manifest.
  if (name === localhostName) return sharedHost(service);
  if (agents !== null) return agents.connect(resource, agents.tls);
  const missing = `HypervisorHost ${name}: an agent takes only clients with a certificate; start dimmer standalone with --agent-client-cert-file, --agent-client-key-file and --agent-ca-file`;
  return createUnusableHost(hostError('unreachable', missing));
}

/** A host that goes on when it is closed. */
const sharedHost = (host: Host): Host => ({
  facts: (signal) => host.facts(signal),
  listDomains: (signal) => host.listDomains(signal),
  observe: (uuid, signal) => host.observe(uuid, signal),
  plug: (uuid, revision, request) => host.plug(uuid, revision, request),
  unplug: (uuid, revision, request) => host.unplug(uuid, revision, request),
  persist: (uuid, revision, request) => host.persist(uuid, revision, request),
  releaseClaim: (uuid, revision, request) => host.releaseClaim(uuid, revision, request),
  watch: (listener) => host.watch(listener),
  close: () => Promise.resolve(),
});

function declareProblems({ registry }: AgentMetrics, count: () => number): void {
  new Gauge({
    name: 'dimmer_standalone_manifest_problems',
    help: 'What is wrong with the manifests: unreadable files, values that are refused, names that are there twice.',
    registers: [registry],
    collect() {
      this.set(count());
    },
  });
}

/** What serves the VMs of this host. */
async function openService(
  { driver, allowDomains, stateDir, guestAgent }: StandaloneArguments,
  parts: ServiceParts,
  metrics: AgentMetrics,
): Promise<RunnableService> {
  const admits = compilePattern(allowDomains);
  if (driver.kind === 'libvirt') {
    const { openLibvirtService } = await import('../../drivers/libvirt/open.ts');
    return openLibvirtService(driver.endpoint, admits, parts, metrics, guestAgent);
  }
  const { openKeptSimulatedService } = await import('../../drivers/simulated/open.ts');
  const which = driver.kind === 'demo' ? 'demo' : driver.numbers;
  return openKeptSimulatedService(which, admits, parts, join(stateDir, 'simulated-host.json'));
}
