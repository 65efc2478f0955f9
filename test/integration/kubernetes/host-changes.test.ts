/**
 * A HypervisorHost that its admin changes while VMs on it are looked after: the built controller on a real API server, agents
 * of this process behind HTTPS. Nothing is restarted.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { findCondition } from '../../../src/api/v1alpha1/conditions.ts';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { createSimulatedService } from '../../../src/drivers/simulated/service.ts';
import type { SimulatedHost } from '../../../src/host/simulated/script.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { openTlsFiles } from '../../../src/runtime/tls-files.ts';
import { namespacePath, pathOf } from '../../lab/api-client.ts';
import { freePorts } from '../../lab/ports.ts';
import { waitFor } from '../../lab/wait.ts';
import {
  type AgentFixture,
  type AgentPki,
  controllerUri,
  createAgentPki,
  createServiceParts,
  serveFixture,
} from '../agent/agent-fixture.ts';
import { type DimmerCluster, host, memory, namespace, startDimmerCluster } from './support/dimmer-cluster.ts';
import { type ControllerProcess, startElectedController } from './support/elected-controller.ts';

vi.setConfig({ testTimeout: 120_000 });

const uuidOf = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
const numbers = [1, 2, 3, 4, 5];

let plane: DimmerCluster;
let pki: AgentPki;
let simulated: SimulatedHost;
let controller: ControllerProcess;
let files: { readonly certFile: string; readonly keyFile: string; readonly caFile: string };
const agents: AgentFixture[] = [];
let first: AgentFixture;
/** What an agent does before it plugs. */
let beforePlug = (): Promise<void> => Promise.resolve();

/** Another agent of the same host. */
async function startAgent(certificate: AgentPki = pki): Promise<AgentFixture> {
  const parts = createServiceParts();
  const service = createSimulatedService(simulated, parts);
  const held = {
    ...service,
    async plug(...args: Parameters<typeof service.plug>) {
      await beforePlug();
      return service.plug(...args);
    },
  };
  const agent = await serveFixture(held, parts, certificate);
  agents.push(agent);
  return agent;
}
const addressOf = ({ port }: { readonly port: number }) => ({ address: `https://127.0.0.1:${port}` });

beforeAll(async () => {
  plane = await startDimmerCluster();
  const directory = join(plane.directory, 'agent');
  mkdirSync(directory);
  pki = await createAgentPki(directory);
  const issued = await pki.pki.issue({ name: 'in-use', uri: [controllerUri] });
  files = { ...issued, caFile: pki.pki.caFile };
  const domains = numbers.map((number) => ({ uuid: uuidOf(number), name: `vm-${number}`, boot: gib(1) }));
  simulated = createSimulatedHost({ clock: systemClock, removalMs: 5, onlineMs: 5, domains });
  first = await startAgent();
  await plane.apply(namespace('t', { tier: 'gold' }), host('hv-1', addressOf(first)));
  controller = await startElectedController(plane, 'controller', files);
});
afterAll(async () => {
  await controller.daemon.stop();
  controller.pipe.close();
  await Promise.all(agents.map((agent) => agent.stop()));
  await plane.stop();
});
beforeEach(async () => {
  beforePlug = () => Promise.resolve();
  const ordinary = { allowedNamespaces: { from: 'All', selector: null }, cordoned: false, maxConcurrentOperations: 4 };
  const unbounded = { namespaceLimit: null };
  await changeHost({ ...addressOf(first), ...ordinary, ...unbounded, tlsServerName: null });
});

const want = (number: number, size: string) =>
  plane.apply(
    memory(`vm-${number}`, 't', { virtualMachine: { uuid: uuidOf(number) }, memory: size, growPolicy: 'Whole' }),
  );
const changeHost = (spec: object) => plane.api.merge(pathOf('hvh', 'hv-1'), { spec });
/** Puts the namespace into a tier; null: takes it out. */
const changeTier = (tier: string | null) => plane.api.merge(namespacePath('t'), { metadata: { labels: { tier } } });
/** What Ready says of the newest generation. */
async function readyOf(kind: 'hvh' | 'vmmem', name: string): Promise<string> {
  const object = (await plane.get(
    kind,
    name,
    ...(kind === 'vmmem' ? ['-n', 't'] : []),
  )) as unknown as VirtualMachineMemory;
  const { status, metadata } = object;
  const ready = findCondition(status?.conditions, 'Ready');
  return status?.observedGeneration === metadata.generation
    ? `${ready?.reason}: ${ready?.message}`
    : 'not looked at yet';
}
const says = async (kind: 'hvh' | 'vmmem', name: string, reason: string): Promise<string> => {
  let last = '';
  return waitFor(
    async () => {
      last = await readyOf(kind, name);
      return last.startsWith(`${reason}: `) ? last : undefined;
    },
    {
      ...{ what: `${name} to say ${reason}`, timeoutMs: 40_000, intervalMs: 50 },
      details: () => `${last}\n${controller.logTail()}`,
    },
  );
};
/** Waits until the VM has what is wanted. */
async function has(number: number, size: number): Promise<void> {
  await says('vmmem', `vm-${number}`, 'Converged');
  expect(simulated.script.total(uuidOf(number))).toBe(size);
}
const plugs = ({ audit }: AgentFixture): number => audit.filter(({ operation }) => operation === 'plug').length;

describe('address', () => {
  test('another one is asked from then on; one where nobody is, is said to be, until it is set right', async () => {
    await want(1, '2Gi');
    await has(1, gib(2));
    expect(plugs(first)).toBe(1);
    const second = await startAgent();
    await changeHost(addressOf(second));
    await want(1, '3Gi');
    await has(1, gib(3));
    expect([plugs(first), plugs(second)]).toEqual([1, 1]);

    const [nobody = 0] = await freePorts(1);
    await changeHost(addressOf({ port: nobody }));
    await want(1, '4Gi');
    expect(await says('vmmem', 'vm-1', 'HostUnreachable')).toContain(`:${nobody}`);
    await says('hvh', 'hv-1', 'HostUnreachable');
    await changeHost(addressOf(first));
    await has(1, gib(4));
    await says('hvh', 'hv-1', 'AgentAnswers');
    expect([plugs(first), plugs(second)]).toEqual([2, 1]);
  });
});

describe('certificates', () => {
  test("the controller's are replaced by those of somebody who is not allowed, and by good ones again", async () => {
    const good = await pki.pki.issue({ name: 'renewed', uri: [controllerUri] });
    const bad = await pki.pki.issue({ name: 'stranger', uri: ['spiffe://dimmer.test/stranger'] });
    const put = (issued: typeof good): void => {
      copyFileSync(issued.certFile, files.certFile);
      copyFileSync(issued.keyFile, files.keyFile);
    };
    const takenUp = () => controller.logged().filter(({ msg }) => msg === 'certificate files have changed').length;
    const before = takenUp();
    try {
      put(bad);
      // Files are looked at every 10 s.
      await waitFor(() => takenUp() > before, { what: 'the files to be read', timeoutMs: 40_000, intervalMs: 50 });
      await want(2, '2Gi');
      await says('vmmem', 'vm-2', 'HostUnauthorized');
      expect(simulated.script.total(uuidOf(2))).toBe(gib(1));
    } finally {
      put(good);
    }
    await has(2, gib(2));
  });

  test("the agent's is for another name, until spec.tlsServerName says so", async () => {
    const issued = await pki.pki.issue({ name: 'elsewhere', dns: ['hv-9.example.net'] });
    const agentTls = openTlsFiles({ ...issued, caFile: pki.pki.caFile }, systemClock, silentLogger);
    const agent = await startAgent({ ...pki, agentTls });
    await changeHost(addressOf(agent));
    expect(await says('hvh', 'hv-1', 'HostUnauthorized')).toContain("does not match certificate's altnames");
    await changeHost({ tlsServerName: 'hv-9.example.net' });
    await says('hvh', 'hv-1', 'AgentAnswers');
    await want(2, '3Gi');
    await has(2, gib(3));
    expect(plugs(agent)).toBe(1);
  });
});

test('allowedNamespaces: who has lost its right changes nothing and learns nothing, and goes on when it has it again', async () => {
  await want(3, '2Gi');
  await has(3, gib(2));
  const claim = () => simulated.script.domain(uuidOf(3)).operations.claim;
  const before = claim();
  expect(before).not.toBeNull();
  await changeHost({ allowedNamespaces: { from: 'None' } });
  await says('vmmem', 'vm-3', 'VMNotFoundOrNotAllowed');
  await want(3, '3Gi');
  expect(await says('vmmem', 'vm-3', 'VMNotFoundOrNotAllowed')).not.toContain('hv-1');
  expect([simulated.script.total(uuidOf(3)), claim()]).toEqual([gib(2), before]);
  await changeHost({ allowedNamespaces: { from: 'Selector', selector: { matchLabels: { tier: 'gold' } } } });
  await has(3, gib(3));
  await changeTier(null);
  await says('vmmem', 'vm-3', 'VMNotFoundOrNotAllowed');
  await changeTier('gold');
  await has(3, gib(3));
});

test('cordoned: growth waits, shrinking goes on, and growth does when it ends', async () => {
  await want(4, '3Gi');
  await has(4, gib(3));
  await changeHost({ cordoned: true });
  await want(4, '4Gi');
  await says('vmmem', 'vm-4', 'HostCordoned');
  await want(4, '1Gi');
  await has(4, gib(1));
  await want(4, '2Gi');
  await says('vmmem', 'vm-4', 'HostCordoned');
  expect(simulated.script.total(uuidOf(4))).toBe(gib(1));
  await changeHost({ cordoned: false });
  await has(4, gib(2));
});

test('namespaceLimit: growth past it waits and says so, nothing is taken away, and what is raised is had at once', async () => {
  // All VMs are of one namespace: what those that have grown have by now, and 1Gi more.
  const held = () =>
    numbers
      .filter((number) => simulated.script.domain(uuidOf(number)).operations.claim !== null)
      .reduce((sum, number) => sum + simulated.script.total(uuidOf(number)), 0);
  await want(5, '2Gi');
  await has(5, gib(2));
  const before = held() / gib(1);
  await changeHost({ namespaceLimit: `${before + 1}Gi` });
  await want(5, '4Gi');
  expect(await says('vmmem', 'vm-5', 'NamespaceLimitReached')).toContain('may have only 1Gi more of this host');
  await want(5, '3Gi');
  await has(5, gib(3));
  await changeHost({ namespaceLimit: '1Gi' });
  await want(5, '4Gi');
  await says('vmmem', 'vm-5', 'NamespaceLimitReached');
  expect(held() / gib(1)).toBe(before + 1);
  await changeHost({ namespaceLimit: `${before + 2}Gi` });
  await has(5, gib(4));
  expect(held() / gib(1)).toBe(before + 2);
});

test('maxConcurrentOperations: more at once as soon as it is raised, and no more than it says once it is lowered', async () => {
  const held: (() => void)[] = [];
  let most = 0;
  beforePlug = () =>
    new Promise((resolve) => {
      held.push(() => resolve());
      most = Math.max(most, held.length);
    });
  const underWay = (count: number) =>
    waitFor(() => held.length === count, {
      ...{ what: `${count} plugs under way`, timeoutMs: 30_000, intervalMs: 20 },
      details: () => `${held.length} are; ${controller.logTail()}`,
    });
  await changeHost({ maxConcurrentOperations: 1 });
  await says('hvh', 'hv-1', 'AgentAnswers');
  for (const number of numbers) await want(number, '6Gi');
  await underWay(1);
  expect(most).toBe(1);
  await changeHost({ maxConcurrentOperations: 3 });
  await underWay(3);
  await changeHost({ maxConcurrentOperations: 1 });
  await says('hvh', 'hv-1', 'AgentAnswers');
  most = 0;
  // Those that are under way are finished; then one at a time.
  for (const letGo of held.splice(0)) letGo();
  for (const left of [2, 1]) {
    await underWay(1);
    expect([left, most]).toEqual([left, 1]);
    for (const letGo of held.splice(0)) letGo();
  }
  // One may come in stages, where its guest's last report is of before what has just left it.
  beforePlug = () => Promise.resolve();
  for (const letGo of held) letGo();
  for (const number of numbers) await has(number, gib(6));
});
