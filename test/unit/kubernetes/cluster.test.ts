/** What is written to a cluster by a controller that takes part in an election. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Resource } from '../../../src/runtime/resources.ts';
import { type Cluster, createCluster } from '../../../src/kubernetes/cluster.ts';
import { hypervisorHosts, type ResourceKind, virtualMachineMemories } from '../../../src/kubernetes/resource-kind.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { FakeApiServer } from './support/fake-api-server.ts';
import { rawMemory } from './support/objects.ts';
import { times } from './support/lease-server.ts';

let server: FakeApiServer;
let directory: string;
let cluster: Cluster;
beforeEach(async () => {
  server = await FakeApiServer.start();
  server.writes.push(({ reply }) => reply(200, {}));
  directory = mkdtempSync(join(tmpdir(), 'dimmer-cluster-'));
  const kubeconfig = join(directory, 'kubeconfig');
  const of = (name: string, member: string, what: object) => [{ name, [member]: what }];
  const config = {
    'current-context': 'x',
    contexts: of('x', 'context', { cluster: 'c', user: 'u' }),
    clusters: of('c', 'cluster', { server: server.url, 'insecure-skip-tls-verify': true }),
    users: of('u', 'user', { token: 't' }),
  };
  writeFileSync(kubeconfig, JSON.stringify(config));
  const clock = new ManualClock();
  cluster = createCluster({ kubeconfig, logger: silentLogger, clock, registry: new Registry() });
});
afterEach(async () => {
  await cluster.close();
  await server.close();
  rmSync(directory, { recursive: true });
});

function decoded<T extends Resource>(kind: ResourceKind<T>, raw: object): T {
  const result = kind.decode(raw);
  if (!result.ok) throw new Error(result.error);
  return result.value;
}
const memory = decoded(virtualMachineMemories, rawMemory('a', '10'));
const host = decoded(hypervisorHosts, {
  apiVersion: 'dimmer.dev/v1alpha1',
  kind: 'HypervisorHost',
  metadata: { ...memory.metadata, namespace: undefined },
  spec: { address: 'https://hv:9443', allowedNamespaces: { from: 'All' } },
});

const writers = {
  'the status of a VirtualMachineMemory': () => cluster.virtualMachineMemoryStatus.write(memory, {}),
  'the finalizers of a VirtualMachineMemory': () => cluster.virtualMachineMemoryFinalizers.write(memory, []),
  'the status of a HypervisorHost': () => cluster.hostStatus.write(host, {}),
};

describe.each(Object.entries(writers))('%s', (_, write) => {
  it('is not written by a controller that does not lead, or not any more', async () => {
    cluster.elect({ namespace: 'dimmer-system', name: 'dimmer', times, selector: '', onLost: () => undefined });
    expect(await write()).toEqual({
      ...{ outcome: 'failed', retryable: true },
      message: 'this controller does not lead any more',
    });
    expect(server.exchanges).toEqual([]);
  });

  it('is written by one that takes part in no election', async () => {
    await write();
    expect(server.written).toHaveLength(1);
  });
});
