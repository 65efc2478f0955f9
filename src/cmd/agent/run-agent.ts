/**
 * `dimmer agent`: the daemon on a hypervisor host. What only one of its tasks or drivers needs is loaded when it is
 * chosen: the agent is to stay small.
 */
import { randomUUID } from 'node:crypto';
import { release } from 'node:os';
import { compilePattern } from '../../agent/admission.ts';
import { EventLog } from '../../agent/event-log.ts';
import { createAgentServer } from '../../agent/http/server.ts';
import { type AgentMetrics, createAgentMetrics } from '../../agent/metrics.ts';
import type { RunnableService, ServiceParts } from '../../agent/service.ts';
import { openTlsFiles } from '../../runtime/tls-files.ts';
import { systemClock } from '../../runtime/clock.ts';
import { Lifecycle } from '../../runtime/lifecycle.ts';
import { createLogger, type Logger } from '../../runtime/logger.ts';
import { tellVersions } from '../../runtime/versions.ts';
import { describeError, writeFailure } from '../failure.ts';
import { type CommandIo, exitFailure, exitOk } from '../io.ts';
import { version } from '../version.ts';
import { readAgentArguments, type ServeArguments } from './options.ts';
import { agentUsage } from './usage.ts';
import { partsOfService } from './service-parts.ts';
import { tellServiceManager } from './service-manager.ts';

/**
 * How long the agent waits, when it ends, for the answers in hand (a change has one after 35 s at most), and for what goes
 * on behind them (huge pages may take longer): together less than systemd waits, TimeoutStopSec in its unit.
 */
const answerMs = 40_000;
const changeMs = 80_000;

/** Runs until the signal. Returns the exit code. */
export async function runAgent(argv: readonly string[], io: CommandIo): Promise<number> {
  const read = readAgentArguments(argv);
  switch (read.kind) {
    case 'help':
      io.stdout.write(agentUsage);
      return exitOk;
    case 'bad-usage':
      io.stderr.write(`dimmer agent: ${read.problem}; 'dimmer agent --help' says more\n`);
      return exitFailure;
    case 'check':
      return (await import('./check.ts')).runCheck(read.options, version, io);
    case 'release':
      return (await import('./release.ts')).releaseDomain(read.uuid, read.endpoint, io);
    case 'serve': {
      const logger = createLogger({ level: read.options.logLevel, component: 'agent' });
      try {
        await serve(read.options, logger, io.signal);
        return exitOk;
      } catch (error) {
        writeFailure(io.stderr, 'dimmer agent', describeError(error), error, read.options.logLevel === 'debug');
        return exitFailure;
      }
    }
    default:
      return read satisfies never;
  }
}

async function serve(options: ServeArguments, logger: Logger, signal: AbortSignal): Promise<void> {
  const clock = systemClock;
  const metrics = createAgentMetrics(version, () => service.pendingOperations);
  const tls = openTlsFiles(options, clock, logger);
  const events = new EventLog(randomUUID());
  const parts = partsOfService(events, metrics, clock, logger);
  const service = await openService(options, parts, metrics);
  const server = createAgentServer({
    ...{ service, events, tls, clock, logger, metrics },
    allowClients: options.allowClients,
  });

  const { allowDomains, driver } = options;
  const { host } = options.listen;
  let port = 0;
  const lifecycle = new Lifecycle({ clock, logger });
  lifecycle.add({ name: 'TLS files', group: 'servers', stop: () => tls.close() });
  lifecycle.add({
    name: driver.kind,
    group: 'sources',
    start: () => service.start(),
    stop: () => service.close(),
    stopMs: changeMs,
  });
  // What its clients send is the agent's work: it takes none any more before anything else ends.
  lifecycle.add({
    name: 'API',
    group: 'workers',
    async start() {
      ({ port } = await server.listen(options.listen));
      logger.info({ host, port, version, allowDomains, driver: driver.kind }, 'agent is listening');
      // Not only once libvirt answers: it may be down for hours, and a boot shouldn't wait for it.
      await tellServiceManager({ ready: true, status: `Waits for libvirt; clients at ${host}:${port}` }, logger);
    },
    stop: () => server.close(),
    stopMs: answerMs,
  });
  lifecycle.add({
    name: 'first look',
    group: 'workers',
    async start(ending) {
      await service.whenReady(ending);
      if (ending.aborted) return;
      logger.info({ host, port }, 'agent is ready');
      await tellHost(service, logger);
      await tellServiceManager({ status: `Serves clients at ${host}:${port}` }, logger);
    },
    stop: () => logger.info({ pendingOperations: service.pendingOperations }, 'agent is stopping'),
  });
  await lifecycle.run(signal);
}

/** What this host has, which whoever reads the log of a fault wants to know. */
async function tellHost(service: RunnableService, logger: Logger): Promise<void> {
  const facts = await service.facts();
  if (!facts.ok) return;
  const { libvirtVersion, hypervisorVersion } = facts.value;
  const more = { kernel: release(), node: process.versions.node };
  tellVersions(logger, { libvirt: libvirtVersion, QEMU: hypervisorVersion }, more);
}

/** What serves the VMs. */
async function openService(
  { driver, allowDomains, guestAgent }: ServeArguments,
  parts: ServiceParts,
  metrics: AgentMetrics,
): Promise<RunnableService> {
  const admits = compilePattern(allowDomains);
  switch (driver.kind) {
    case 'libvirt':
      return (await import('../../drivers/libvirt/open.ts')).openLibvirtService(
        driver.endpoint,
        admits,
        parts,
        metrics,
        guestAgent,
      );
    case 'simulated':
      return (await import('../../drivers/simulated/open.ts')).openSimulatedService(driver.numbers, admits, parts);
    default:
      return driver satisfies never;
  }
}
