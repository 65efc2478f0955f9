/** An agent in this process on a lab's hypervisor, with certificates of its own, and clients for it. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { compilePattern } from '../../../src/agent/admission.ts';
import type { AuditRecord } from '../../../src/agent/audit.ts';
import { EventLog } from '../../../src/agent/event-log.ts';
import { createAgentServer } from '../../../src/agent/http/server.ts';
import { createHostService } from '../../../src/agent/host-service.ts';
import { createAgentMetrics } from '../../../src/agent/metrics.ts';
import type { RunnableService, ServiceParts } from '../../../src/agent/service.ts';
import { connectHypervisor } from '../../../src/drivers/libvirt/connect.ts';
import { createLibvirtDriver } from '../../../src/drivers/libvirt/driver.ts';
import { createHttpsHost } from '../../../src/host/http/client.ts';
import type { Host } from '../../../src/host/port.ts';
import { openTlsFiles, type TlsFiles } from '../../../src/runtime/tls-files.ts';
import { parseLibvirtUri } from '../../../src/libvirt/rpc/uri.ts';
import { type Clock, systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { createPki, type Pki } from '../../lab/pki.ts';

export const controllerUri = 'spiffe://dimmer.test/controller';

/** Certificates of an agent on 127.0.0.1 and of its controller. */
export type AgentPki = { readonly pki: Pki; readonly agentTls: TlsFiles; readonly clientTls: TlsFiles };

/** Makes them in `directory`. */
export async function createAgentPki(directory: string): Promise<AgentPki> {
  const pki = await createPki(join(directory, 'pki'));
  const agent = await pki.issue({ name: 'agent', dns: ['localhost'], ip: ['127.0.0.1'] });
  const client = await pki.issue({ name: 'controller', uri: [controllerUri] });
  const open = (files: { certFile: string; keyFile: string }) =>
    openTlsFiles({ ...files, caFile: pki.caFile }, systemClock, silentLogger);
  return { pki, agentTls: open(agent), clientTls: open(client) };
}

export type AgentFixture = {
  readonly service: RunnableService;
  /** Through HTTPS. */
  readonly client: Host;
  readonly port: number;
  readonly audit: readonly AuditRecord[];
  stop(): Promise<void>;
};

/** What goes into every service, with the audit records kept for the test. */
export function createServiceParts(
  clock: Clock = systemClock,
): ServiceParts & { readonly records: readonly AuditRecord[] } {
  const records: AuditRecord[] = [];
  return {
    ...{ records, audit: (record) => records.push(record) },
    ...{ events: new EventLog(randomUUID()), clock, logger: silentLogger, agentVersion: 'test' },
  };
}

/** Serves what was made of `parts`, and waits until it is ready. */
export async function serveFixture(
  service: RunnableService,
  { events, clock, records }: ReturnType<typeof createServiceParts>,
  { agentTls, clientTls }: Pick<AgentPki, 'agentTls' | 'clientTls'>,
): Promise<AgentFixture> {
  const server = createAgentServer({
    service,
    events,
    tls: agentTls,
    allowClients: [controllerUri],
    clock,
    logger: silentLogger,
    metrics: createAgentMetrics('test', () => service.pendingOperations),
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  service.start();
  await service.whenReady(AbortSignal.timeout(20_000));
  const client = createHttpsHost({ address: `https://127.0.0.1:${port}`, tls: clientTls, clock: systemClock });
  return {
    service,
    client,
    port,
    audit: records,
    async stop() {
      await client.close();
      await server.close();
      await service.close();
    },
  };
}

/** Starts an agent and waits until it has caught up with libvirt. */
export async function startAgentFixture(
  uri: string,
  pki: AgentPki,
  options: { readonly allowDomains?: string; readonly clock?: Clock } = {},
): Promise<AgentFixture> {
  const endpoint = parseLibvirtUri(uri);
  if (!endpoint.ok) throw new Error(endpoint.error);
  const driver = createLibvirtDriver(connectHypervisor(endpoint.value, silentLogger));
  const parts = createServiceParts(options.clock);
  const admits = compilePattern(options.allowDomains ?? '*');
  return serveFixture(createHostService({ ...parts, driver, admits }), parts, pki);
}
