/** What every host does, done by an agent that drives a simulated one, through HTTPS. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, vi } from 'vitest';
import { createSimulatedService } from '../../../src/drivers/simulated/service.ts';
import { describeHostContract } from '../../contract/host-contract.ts';
import { benchOfSimulated, createContractHost } from '../../contract/simulated-bench.ts';
import { type AgentPki, createAgentPki, createServiceParts, serveFixture } from './agent-fixture.ts';

// Each has an agent and certificates' handshakes of its own: all at once would be late on a busy machine.
vi.setConfig({ maxConcurrency: 8 });

describe('agent on a simulated host, through HTTPS', () => {
  let directory: string;
  let pki: AgentPki;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dimmer-simulated-'));
    pki = await createAgentPki(directory);
  });
  afterAll(() => {
    for (const tls of [pki.agentTls, pki.clientTls]) tls.close();
    rmSync(directory, { recursive: true });
  });

  describeHostContract('agent', async () => {
    const host = createContractHost();
    const parts = createServiceParts();
    const agent = await serveFixture(createSimulatedService(host, parts), parts, pki);
    return benchOfSimulated(host, agent.client, () => agent.stop());
  });
});
