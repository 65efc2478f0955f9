/** `dimmer agent`: the daemon on a hypervisor host. */
import { randomUUID } from 'node:crypto';
import { compilePattern } from '../../agent/admission.ts';
import { auditTo } from '../../agent/audit.ts';
import { EventLog } from '../../agent/event-log.ts';
import { createAgentServer } from '../../agent/http/server.ts';
import { createLibvirtHost } from '../../agent/libvirt-host.ts';
import { createAgentMetrics } from '../../agent/metrics.ts';
import { openTlsFiles } from '../../host/tls-files.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLogger, type Logger } from '../../runtime/logger.ts';
import { type CommandIo, exitFailure, exitOk } from '../io.ts';
import { version } from '../version.ts';
import { runCheck } from './check.ts';
import { connectHypervisor } from './connect.ts';
import { agentUsage, readAgentArguments, type ServeArguments } from './options.ts';
import { releaseDomain } from './release.ts';

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
      return runCheck(read.options, version, io);
    case 'release':
      return releaseDomain(read.uuid, read.endpoint, io);
    case 'serve': {
      const logger = createLogger({ level: read.options.logLevel, component: 'agent' });
      try {
        await serve(read.options, logger, io.signal);
        return exitOk;
      } catch (error) {
        io.stderr.write(`dimmer agent: ${error instanceof Error ? error.message : String(error)}\n`);
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
  const hypervisor = connectHypervisor(options.endpoint, logger, ({ procedure, outcome, durationMs }) =>
    metrics.libvirtCalls.observe({ procedure, outcome }, durationMs / 1000),
  );
  hypervisor.onConnection((change) => metrics.libvirtConnected.set(change.kind === 'connected' ? 1 : 0));
  const events = new EventLog(randomUUID());
  const service = createLibvirtHost({
    hypervisor,
    events,
    admits: compilePattern(options.allowDomains),
    clock,
    logger,
    audit: auditTo(logger),
    agentVersion: version,
    onOperation: (operation, outcome, durationMs) =>
      metrics.operations.observe({ operation, outcome }, durationMs / 1000),
  });
  const server = createAgentServer({
    ...{ service, events, tls, clock, logger, metrics },
    allowClients: options.allowClients,
  });

  const { host } = options.listen;
  const { port } = await server.listen(options.listen);
  service.start();
  logger.info({ host, port, version, allowDomains: options.allowDomains }, 'agent is listening');
  await service.whenReady(signal);
  if (!signal.aborted) logger.info({ host, port }, 'agent is ready');
  await aborted(signal);

  logger.info({ pendingOperations: service.pendingOperations }, 'agent is stopping');
  await server.close();
  await service.close();
  tls.close();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
