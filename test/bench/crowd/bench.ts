/**
 * Many resizes at once on one host: how long each waits, next to the work that there is divided by the host's places.
 * The controller and an agent's HTTPS server are real; the VMs are simulated, and each change takes a fixed time.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import type { HypervisorHost } from '../../../src/api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { createController } from '../../../src/controllers/controller.ts';
import { createHttpsHost } from '../../../src/host/http/client.ts';
import { memoryForNumbered, numberedDomains, uuidOfNumber } from '../../../src/host/simulated/numbered-domains.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { createSimulatedService } from '../../../src/drivers/simulated/service.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { LabelledResource } from '../../../src/runtime/resources.ts';
import { createAgentPki, createServiceParts, serveFixture } from '../../integration/agent/agent-fixture.ts';
import { waitFor } from '../../lab/wait.ts';
import { hubOf, MemoryEvents, MemoryStore } from '../../support/memory-store.ts';

const vms = 500;
const places = 4;
/** About what libvirt and QEMU take on a host with much to do; then the two programs are not what is measured. */
const changeMs = 250;
const aim = 1.2;

const nameOf = (number: number): string => `vm-${number}`;
/** Without a module plugged: accepting, refusing, silent, using. */
const initialGiB = (number: number): number => [1, 2, 1, 4][(number - 1) % 4] ?? 1;

const metadata = (name: string) => ({
  ...{ name, uid: `uid-${name}`, resourceVersion: '', generation: 0, creationTimestamp: new Date().toISOString() },
});

/** Runs the benchmark and prints its figures. */
export async function runCrowdBench(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'dimmer-crowd-'));
  const pki = await createAgentPki(directory);
  const numbers = { first: 1, last: vms };
  const host = createSimulatedHost({
    ...{ clock: systemClock, domains: numberedDomains(numbers), totalMemory: memoryForNumbered(numbers) },
  });
  host.script.inject('plug', { kind: 'answer-late', ms: changeMs }, vms);
  const parts = createServiceParts();
  const agent = await serveFixture(createSimulatedService(host, parts), parts, pki);

  const resources = new MemoryStore<VirtualMachineMemory>();
  const hosts = new MemoryStore<HypervisorHost>();
  const namespaces = new MemoryStore<LabelledResource>();
  namespaces.apply({ metadata: metadata('tenants') });
  hosts.apply({
    ...{ apiVersion: 'dimmer.dev/v1alpha1', kind: 'HypervisorHost', metadata: metadata('hv-1') },
    spec: {
      ...{ address: `https://127.0.0.1:${agent.port}`, allowedNamespaces: { from: 'All' } },
      maxConcurrentOperations: places,
    },
  });
  const want = (number: number, gib: number): void =>
    resources.apply({
      ...{ apiVersion: 'dimmer.dev/v1alpha1', kind: 'VirtualMachineMemory' },
      metadata: { ...metadata(nameOf(number)), namespace: 'tenants' },
      spec: {
        ...{ virtualMachine: { uuid: uuidOfNumber(number) }, hostRef: { name: 'hv-1' } },
        ...{ memory: `${gib}Gi`, growPolicy: 'Whole' },
      },
    });
  const currentOf = (number: number) => resources.get(`tenants/${nameOf(number)}`)?.status?.memory?.current;
  const all = Array.from({ length: vms }, (_, index) => index + 1);

  const controller = createController({
    hub: hubOf(resources, hosts, namespaces, new MemoryEvents()),
    ...{ clusterId: 'c1u57e00-0000-4000-8000-000000000000', clock: systemClock, random: Math.random },
    ...{ logger: silentLogger, registry: new Registry(), concurrency: 16, observeOnly: false },
    connect: ({ spec }) => createHttpsHost({ address: spec.address, tls: pki.clientTls, clock: systemClock }),
  });
  controller.start();
  try {
    for (const number of all) want(number, initialGiB(number));
    await waitFor(() => all.every((number) => currentOf(number) === `${initialGiB(number)}Gi`), {
      ...{ what: 'all to be seen', timeoutMs: 60_000 },
    });
    const waits = new Map<string, number>();
    const startedMs = performance.now();
    const unwatch = resources.onChange(({ key, current }) => {
      const isDone = current?.status?.memory?.current === current?.spec.memory;
      if (isDone && !waits.has(key)) waits.set(key, performance.now() - startedMs);
    });
    for (const number of all) want(number, initialGiB(number) + 1);
    await waitFor(() => waits.size === vms, { what: 'all to be resized', timeoutMs: 120_000, intervalMs: 5 });
    unwatch();
    report([...waits.values()].sort((a, b) => a - b));
  } finally {
    await controller.close(60_000);
    await agent.stop();
    for (const tls of [pki.agentTls, pki.clientTls]) tls.close();
    rmSync(directory, { recursive: true });
  }
}

function report(waits: readonly number[]): void {
  const work = (vms * changeMs) / places;
  const at = (share: number): number => waits[Math.min(waits.length, Math.ceil(waits.length * share)) - 1] ?? 0;
  const ms = (value: number): string => `${Math.round(value)} ms`;
  console.log(`${vms} resizes at once, each a change of ${changeMs} ms, ${places} at a time: ${ms(work)} of work`);
  console.log(`waits: median ${ms(at(0.5))}, 99 % ${ms(at(0.99))}, longest ${ms(at(1))}`);
  console.log(
    `ratio of the longest to the work divided by the places: ${(at(1) / work).toFixed(2)} (aim: at most ${aim})`,
  );
}
