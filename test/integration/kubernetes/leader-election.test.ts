/**
 * Two controllers as deploy/ starts them, on a real API server: one leads, and whatever becomes of it nothing is done twice
 * or for a wish that has passed. The agent is this process, over a simulated host, so that a test can hold what is sent.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RunnableService } from '../../../src/agent/service.ts';
import { createSimulatedService } from '../../../src/drivers/simulated/service.ts';
import type { SimulatedHost } from '../../../src/host/simulated/script.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { createApiClient } from '../../../src/kubernetes/api-client.ts';
import { createAccessProvider } from '../../../src/kubernetes/connect.ts';
import { loadKubeConfig } from '../../../src/kubernetes/kubeconfig.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { waitFor } from '../../lab/wait.ts';
import { type AgentFixture, createAgentPki, createServiceParts, serveFixture } from '../agent/agent-fixture.ts';
import { commandsOf, documented } from '../../support/documents.ts';
import { type DimmerCluster, host, namespace, startDimmerCluster } from './support/dimmer-cluster.ts';
import { type ControllerProcess, deployedShards, startElectedController } from './support/elected-controller.ts';

vi.setConfig({ testTimeout: 120_000 });

/** What the flags say, less what a takeover may take: 12 s until the lease has ended, and a little to begin. */
const killedMs = 15_000;
const endedMs = 2_000;

let plane: DimmerCluster;
beforeAll(async () => {
  plane = await startDimmerCluster();
});
afterAll(() => plane.stop());

/** What a process writes last goes through a pipe, and may come after its end. */
const hasSaid = ({ logTail }: ControllerProcess, what: RegExp): Promise<boolean> =>
  waitFor(() => what.test(logTail()), { what: `its log to say ${String(what)}`, timeoutMs: 5_000, details: logTail });

describe('two controllers', () => {
  let agent: AgentFixture;
  let simulated: SimulatedHost;
  let files: { certFile: string; keyFile: string; caFile: string };
  let processes: ControllerProcess[] = [];
  const all: ControllerProcess[] = [];
  let number = 0;
  /** What the agent does before it looks at what it was sent. */
  let beforePlug = (): Promise<void> => Promise.resolve();
  let afterObserve = (_uuid: string): Promise<void> | void => undefined;
  const parts = createServiceParts();

  beforeAll(async () => {
    const directory = join(plane.directory, 'agent');
    mkdirSync(directory);
    const pki = await createAgentPki(directory);
    const issued = await pki.pki.issue({ name: 'elected', uri: ['spiffe://dimmer.test/controller'] });
    files = { ...issued, caFile: pki.pki.caFile };
    simulated = createSimulatedHost({ clock: systemClock, removalMs: 5, onlineMs: 5 });
    const service = createSimulatedService(simulated, parts);
    const held: RunnableService = {
      ...service,
      async plug(...args) {
        await beforePlug();
        return service.plug(...args);
      },
      async observe(uuid, signal) {
        const observed = await service.observe(uuid, signal);
        await afterObserve(uuid);
        return observed;
      },
    };
    agent = await serveFixture(held, parts, pki);
    await plane.apply(namespace('t'), host('hv-1', { address: `https://127.0.0.1:${agent.port}` }));
    // Of other tests there is no lease.
    await plane.kubectl(['delete', 'lease', 'dimmer-controller', '-n', 'dimmer-system']);
    await Promise.all([startOne(), startOne()]);
  });
  afterAll(async () => {
    for (const { daemon } of processes) daemon.kill('SIGCONT');
    await Promise.all(processes.map(({ daemon }) => daemon.stop()));
    for (const { pipe } of all) pipe.close();
    await agent.stop();
  });
  beforeEach(() => {
    beforePlug = () => Promise.resolve();
    afterObserve = () => undefined;
  });

  async function startOne(): Promise<ControllerProcess> {
    const started = await startElectedController(plane, `controller-${all.length}`, files);
    processes.push(started);
    all.push(started);
    return started;
  }
  /** The one that leads and another that waits; those that have ended are replaced first. */
  async function pair(): Promise<{ leader: ControllerProcess; standby: ControllerProcess }> {
    processes = processes.filter(({ daemon }) => daemon.ended() === null);
    while (processes.length < 2) await startOne();
    return waitFor(
      async () => {
        const leading = await Promise.all(processes.map((each) => each.leads()));
        const [leader, standby] = [processes[leading.indexOf(true)], processes[leading.indexOf(false)]];
        return leader && standby && { leader, standby };
      },
      { what: 'one to lead', timeoutMs: 30_000, intervalMs: 50, details: logs },
    );
  }
  const logs = (): string => processes.map(({ logTail }) => logTail()).join('\n');
  const untilLeads = async (made: ControllerProcess, fromMs: number): Promise<number> => {
    await waitFor(() => made.leads(), { what: 'the other to lead', timeoutMs: 30_000, intervalMs: 20, details: logs });
    return performance.now() - fromMs;
  };
  const holder = () =>
    plane.kubectlOk(['get', 'lease', 'dimmer-controller', '-n', 'dimmer-system', '-o=jsonpath={.spec.holderIdentity}']);

  /** A VM of 1Gi, and its resource. */
  async function createVm(size: string) {
    number += 1;
    const name = `vm-${number}`;
    const uuid = `6f0c1a52-6a0e-4c0e-9c50-0000000000${String(number).padStart(2, '0')}`;
    simulated.script.addDomain({ uuid, name, boot: gib(1) });
    const apply = (memory: string) =>
      plane.apply({
        apiVersion: 'dimmer.dev/v1alpha1',
        kind: 'VirtualMachineMemory',
        metadata: { name, namespace: 't' },
        spec: { virtualMachine: { uuid }, hostRef: { name: 'hv-1' }, memory, growPolicy: 'Whole' },
      });
    await apply(size);
    const read = async () => {
      const { metadata, status = {} } = (await plane.get('vmmem', name, '-n', 't')) as {
        metadata: { generation: number };
        status?: {
          observedGeneration?: number;
          memory?: { current: string };
          conditions?: readonly { type: string; reason: string }[];
        };
      };
      const reason = status.conditions?.find(({ type }) => type === 'Ready')?.reason;
      return status.observedGeneration === metadata.generation ? `${reason} at ${status.memory?.current}` : 'not seen';
    };
    const says = (said: string) =>
      waitFor(async () => (await read()) === said, {
        ...{ what: `${name} to say ${said}`, timeoutMs: 30_000, intervalMs: 50, details: logs },
      });
    const changes = () =>
      simulated.script
        .changes()
        .filter((change) => change.uuid === uuid)
        .map(({ what }) => what);
    return { name, uuid, apply, says, changes };
  }

  test('one leads and the other waits: both are ready, and only one acts', async () => {
    const { leader, standby } = await pair();
    expect(await Promise.all([leader, standby].map((each) => each.status('/readyz')))).toEqual([200, 200]);
    const vm = await createVm('2Gi');
    await vm.says('Converged at 2Gi');
    expect(vm.changes()).toEqual(['plugged']);
    const did = ({ logged }: ControllerProcess): boolean => logged().some(({ msg }) => msg === 'executing step');
    expect([did(leader), did(standby)]).toEqual([true, false]);
    const [shown] = commandsOf(documented('docs/operations.md', '`kubectl get lease -n dimmer-system`'));
    expect(await plane.kubectlOk(shown?.command.split(' ').slice(1) ?? [])).toContain(await holder());
    expect(standby.logged().find(({ msg }) => msg === 'another controller leads; waiting')).toMatchObject({
      holder: await holder(),
    });
  });

  test('ended cleanly, it is followed within 2 s, and what was under way is finished', async ({ annotate }) => {
    const { leader, standby } = await pair();
    const plugging = Promise.withResolvers<undefined>();
    const release = Promise.withResolvers<undefined>();
    beforePlug = () => {
      plugging.resolve(undefined);
      return release.promise;
    };
    const vm = await createVm('2Gi');
    await plugging.promise;
    leader.daemon.kill('SIGTERM');
    // It goes on leading while it finishes what it has sent.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect([leader.daemon.ended(), await standby.leads()]).toEqual([null, false]);
    release.resolve(undefined);
    const fromMs = performance.now();
    const tookMs = await untilLeads(standby, fromMs);
    await annotate(`after ${Math.round(tookMs)} ms`);
    expect(tookMs).toBeLessThan(endedMs);
    await leader.daemon.whenEnded;
    expect(leader.daemon.ended()).toBe('exit code 0');
    await vm.says('Converged at 2Gi');
    expect(vm.changes()).toEqual(['plugged']);
  });

  test('killed in the middle of a plug, it is followed within 15 s, and nothing is plugged twice', async ({
    annotate,
  }) => {
    const { leader, standby } = await pair();
    let isFirst = true;
    beforePlug = async () => {
      if (!isFirst) return;
      isFirst = false;
      leader.daemon.kill('SIGKILL');
      await leader.daemon.whenEnded;
    };
    const vm = await createVm('2Gi');
    await leader.daemon.whenEnded;
    const tookMs = await untilLeads(standby, performance.now());
    await annotate(`after ${Math.round(tookMs)} ms`);
    expect(tookMs).toBeLessThan(killedMs);
    await vm.says('Converged at 2Gi');
    expect(vm.changes()).toEqual(['plugged']);
  });

  test('frozen between plan and POST, and thawed when the wish needs nothing any more: nothing is plugged', async () => {
    const { leader, standby } = await pair();
    const { pid } = leader.daemon;
    const vm = await createVm('1Gi');
    await vm.says('Converged at 1Gi');
    // The next line that it logs is that of the step, right before the POST: the pipe is full, and it waits there.
    afterObserve = (uuid) => {
      if (uuid === vm.uuid) leader.pipe.fill();
    };
    await vm.apply('2Gi');
    let looks = 0;
    await waitFor(
      () => {
        // In write(2), or between two tries of it; a process that has nothing to do waits in epoll.
        const isHeld = /pipe_write|futex/.test(readFileSync(`/proc/${pid}/wchan`, 'utf8'));
        looks = isHeld ? looks + 1 : 0;
        return looks === 10;
      },
      { what: 'the leader to be about to send', timeoutMs: 10_000, intervalMs: 10 },
    );
    leader.daemon.kill('SIGSTOP');
    afterObserve = () => undefined;
    await vm.apply('1Gi');
    expect(await untilLeads(standby, performance.now())).toBeLessThan(killedMs);
    await vm.says('Converged at 1Gi');
    const audited = agent.audit.length;
    leader.pipe.drain();
    leader.daemon.kill('SIGCONT');
    await leader.daemon.whenEnded;
    expect(leader.daemon.ended()).toBe('exit code 1');
    expect(vm.changes()).toEqual([]);
    const said = leader
      .logged()
      .filter(({ msg }) => /^(executing step|this controller does not lead)/.test(String(msg)));
    expect(said).toMatchObject([
      { uuid: vm.uuid },
      { why: expect.stringMatching(/could not be renewed for 1\d/) as string },
    ]);
    await hasSaid(leader, /dimmer controller: lost the lease dimmer-system\/dimmer-controller: /);
    // It hasn't even asked: its own clock told it.
    expect(agent.audit.length).toBe(audited);
    await vm.says('Converged at 1Gi');
  });

  test('frozen while its POST is on the way, which arrives late: the agent refuses it', async () => {
    const { leader, standby } = await pair();
    const vm = await createVm('1Gi');
    await vm.says('Converged at 1Gi');
    const sent = Promise.withResolvers<undefined>();
    const arrives = Promise.withResolvers<undefined>();
    beforePlug = () => {
      beforePlug = () => Promise.resolve();
      leader.daemon.kill('SIGSTOP');
      sent.resolve(undefined);
      return arrives.promise;
    };
    await vm.apply('2Gi');
    await sent.promise;
    await vm.apply('1Gi');
    await untilLeads(standby, performance.now());
    await vm.says('Converged at 1Gi');
    const before = agent.audit.length;
    arrives.resolve(undefined);
    await waitFor(() => agent.audit.length > before, { what: 'the plug to be judged', timeoutMs: 5_000 });
    expect(agent.audit.at(-1)).toMatchObject({ operation: 'plug', uuid: vm.uuid, result: 'not-leader' });
    leader.daemon.kill('SIGCONT');
    await leader.daemon.whenEnded;
    expect(leader.daemon.ended()).toBe('exit code 1');
    expect(vm.changes()).toEqual([]);
  });

  test('one that waits ends at once and well, and the leader goes on', async () => {
    const { leader, standby } = await pair();
    const fromMs = performance.now();
    standby.daemon.kill('SIGTERM');
    await standby.daemon.whenEnded;
    expect(performance.now() - fromMs).toBeLessThan(2_000);
    expect([standby.daemon.ended(), await leader.leads()]).toEqual(['exit code 0', true]);
  });

  test('whose lease somebody takes ends at once, and the lease is respected', async () => {
    const { leader } = await pair();
    const spec = { holderIdentity: 'somebody', leaseDurationSeconds: 3 };
    const lease = ['lease', 'dimmer-controller', '-n', 'dimmer-system'];
    const fromMs = performance.now();
    await plane.kubectlOk(['patch', ...lease, '--type=merge', '-p', JSON.stringify({ spec })]);
    await leader.daemon.whenEnded;
    expect(performance.now() - fromMs).toBeLessThan(2_000);
    await hasSaid(leader, /lost the lease .*: somebody holds the lease/);
    await pair();
    expect(performance.now() - fromMs).toBeGreaterThan(3_000);
  });

  test('whose lease is deleted is led on, with an epoch that the agents take', async () => {
    await pair();
    const epochs = () =>
      processes.flatMap(({ logged }) =>
        logged().flatMap(({ msg, epoch }) => (msg === 'this controller leads' ? [Number(epoch)] : [])),
      );
    const before = Math.max(...epochs());
    await plane.kubectlOk(['delete', 'lease', 'dimmer-controller', '-n', 'dimmer-system']);
    await waitFor(() => Math.max(...epochs()) > before, { what: 'somebody to lead', timeoutMs: 5_000, details: logs });
    const vm = await createVm('3Gi');
    await vm.says('Converged at 3Gi');
  });
});

describe('two shards as deploy/shards/ starts them', () => {
  const zones = ['a', 'b'] as const;
  type Zone = (typeof zones)[number];
  const ofEach = 20;
  const moving = 8;
  const hosts = new Map<Zone, { readonly simulated: SimulatedHost; readonly agent: AgentFixture }>();
  const processes = new Map<Zone, ControllerProcess>();
  const at = <T>(map: ReadonlyMap<Zone, T>, zone: Zone): T => {
    const found = map.get(zone);
    if (found === undefined) throw new Error(`nothing of ${zone}`);
    return found;
  };
  const logs = (): string => [...processes.values()].map(({ logTail }) => logTail()).join('\n');
  const uuidOf = (zone: Zone, number: number) =>
    `6f0c1a52-6a0e-4c0e-9c50-${zone}000000000${String(number).padStart(2, '0')}`;
  const all = zones.flatMap((zone) => Array.from({ length: ofEach }, (_, number) => ({ zone, number })));
  const nameOf = ({ zone, number }: (typeof all)[number]) => `${zone}-${number}`;
  const apply = (memory: string, which = all) =>
    plane.apply(
      ...which.map(({ zone, number }) => ({
        apiVersion: 'dimmer.dev/v1alpha1',
        kind: 'VirtualMachineMemory',
        metadata: { name: nameOf({ zone, number }), namespace: 'shared' },
        spec: { virtualMachine: { uuid: uuidOf(zone, number) }, memory, growPolicy: 'Whole' },
      })),
    );
  const hostNames = { a: 'hv-01', b: 'hv-02' } as const;
  /** What all of them say, and where they are. */
  async function standings(): Promise<ReadonlyMap<string, string>> {
    const { items } = (await plane.get('vmmem', undefined, '-n', 'shared')) as unknown as {
      items: readonly {
        metadata: { name: string; generation: number };
        status?: {
          observedGeneration?: number;
          hostName?: string;
          memory?: { current: string };
          conditions?: readonly { type: string; reason: string }[];
        };
      }[];
    };
    return new Map(
      items.map(({ metadata, status = {} }) => {
        const reason = status.conditions?.find(({ type }) => type === 'Ready')?.reason;
        const said = status.observedGeneration === metadata.generation ? reason : 'not seen';
        return [metadata.name, `${said} at ${status.memory?.current} on ${status.hostName}`];
      }),
    );
  }
  const untilAll = async (expected: (which: (typeof all)[number]) => string): Promise<void> => {
    let wrong: readonly string[] = [];
    await waitFor(
      async () => {
        const now = await standings();
        wrong = all.flatMap((which) => {
          const said = now.get(nameOf(which));
          return said === expected(which) ? [] : [`${nameOf(which)}: ${said}, not ${expected(which)}`];
        });
        return wrong.length === 0;
      },
      {
        what: 'all to be as they should',
        timeoutMs: 60_000,
        intervalMs: 200,
        details: () => wrong.join('\n') + logs(),
      },
    );
  };
  const untilHost = (name: string, expected: string) =>
    waitFor(
      async () => {
        const { status } = (await plane.get('hvh', name)) as {
          status?: { conditions?: readonly { type: string; reason: string; message: string }[] };
        };
        const ready = status?.conditions?.find(({ type }) => type === 'Ready');
        return ready?.reason === expected && ready.message;
      },
      { what: `host ${name} to say ${expected}`, timeoutMs: 60_000, intervalMs: 200, details: logs },
    );
  /** The reasons that each has written of a resource, by its log. */
  const writtenBy = (zone: Zone) =>
    Map.groupBy(
      at(processes, zone)
        .logged()
        .filter(({ msg, written }) => msg === 'reconciled' && written === 'written'),
      ({ resource }) => String(resource),
    );

  beforeAll(async () => {
    const directory = join(plane.directory, 'shards');
    mkdirSync(directory);
    const pki = await createAgentPki(directory);
    const issued = await pki.pki.issue({ name: 'sharing', uri: ['spiffe://dimmer.test/controller'] });
    await plane.apply(namespace('shared'));
    for (const zone of zones) {
      const simulated = createSimulatedHost({ clock: systemClock, id: zone, removalMs: 5, onlineMs: 5 });
      for (let number = 0; number < ofEach; number += 1) {
        simulated.script.addDomain({ uuid: uuidOf(zone, number), name: `vm-${zone}-${number}`, boot: gib(1) });
      }
      const parts = createServiceParts();
      const agent = await serveFixture(createSimulatedService(simulated, parts), parts, pki);
      hosts.set(zone, { simulated, agent });
      await plane.apply(host(hostNames[zone], { address: `https://127.0.0.1:${agent.port}` }));
    }
    await plane.kubectl(['delete', 'hvh', 'hv-1']);
    for (const { command } of commandsOf(documented('docs/operations.md', 'kubectl label hvh hv-01'))) {
      await plane.kubectlOk(command.split(' ').slice(1));
    }
    await apply('2Gi');
    const deployed = await deployedShards(plane);
    for (const [index, zone] of zones.entries()) {
      const files = { ...issued, caFile: pki.pki.caFile };
      processes.set(zone, await startElectedController(plane, `shard-${zone}`, files, deployed[index]));
    }
  });
  afterAll(async () => {
    await Promise.all([...processes.values()].map(({ daemon }) => daemon.stop()));
    for (const { pipe } of processes.values()) pipe.close();
    await Promise.all([...hosts.values()].map(({ agent }) => agent.stop()));
  });

  test('each serves its own, and a VM that migrates is handed over: no status is written by two, none says not found', async () => {
    await untilAll(({ zone }) => `Converged at 2Gi on ${hostNames[zone]}`);
    for (let number = 0; number < moving; number += 1) {
      for (const [from, to] of [zones, zones.toReversed()] as [Zone, Zone][]) {
        const { script } = at(hosts, from).simulated;
        at(hosts, to).simulated.script.arrive(script.depart(uuidOf(from, number)));
      }
      // Some get another size while they move.
      if (number % 2 === 0)
        await apply(
          '3Gi',
          all.filter((which) => which.number === number),
        );
    }
    await apply('3Gi');
    const other = (zone: Zone): Zone => (zone === 'a' ? 'b' : 'a');
    const placeOf = ({ zone, number }: (typeof all)[number]) => (number < moving ? other(zone) : zone);
    await untilAll((which) => `Converged at 3Gi on ${hostNames[placeOf(which)]}`);
    // What has moved was written by the other at last; logs come a little later than what they tell of.
    const wrote = (zone: Zone, key: string) => (writtenBy(zone).get(key) ?? []).map(({ time }) => String(time));
    const isTold = () => all.every((which) => wrote(placeOf(which), `shared/${nameOf(which)}`).length > 0);
    await waitFor(isTold, { what: 'the logs to say so', timeoutMs: 20_000, intervalMs: 200, details: logs });
    const [byA, byB] = [writtenBy('a'), writtenBy('b')];
    const reasons = [...byA.values(), ...byB.values()].flat().map(({ reason }) => reason);
    expect(reasons).not.toContain('VMNotFoundOrNotAllowed');
    const ofBoth = [...byA.keys()].filter((key) => key.includes('/') && byB.has(key)).toSorted();
    const moved = all.filter(({ number }) => number < moving).map((which) => `shared/${nameOf(which)}`);
    expect(ofBoth.filter((key) => !moved.includes(key))).toEqual([]);
    // The one wrote it while it was there, and the other from then on.
    for (const which of all.filter(({ number }) => number < moving)) {
      const key = `shared/${nameOf(which)}`;
      const [first = ''] = wrote(other(which.zone), key);
      expect([key, wrote(which.zone, key).filter((time) => time > first)]).toEqual([key, []]);
    }
  });

  test('a host that no shard is there for says so, and so does one that two are there for', async () => {
    const { agent } = at(hosts, 'b');
    await plane.apply(host('hv-03', { address: `https://127.0.0.1:${agent.port}` }));
    expect(await untilHost('hv-03', 'NoShard')).toContain('no --shard-selector matches its labels');
    await plane.kubectlOk(['delete', 'hvh', 'hv-03']);
    const lease = (holderIdentity: string | undefined) => ({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        ...{ name: 'dimmer-controller-z', namespace: 'dimmer-system', labels: { 'dimmer.dev/shard': 'true' } },
        annotations: { 'dimmer.dev/shard-selector': 'dimmer.dev/zone in (b,z)' },
      },
      spec: { holderIdentity, leaseDurationSeconds: 3_600 },
    });
    await plane.apply(lease('somebody'));
    const [shown] = commandsOf(
      documented('docs/operations.md', '`kubectl get lease -n dimmer-system -l dimmer.dev/shard`'),
    );
    expect(await plane.kubectlOk(shown?.command.split(' ').slice(1) ?? [])).toMatch(
      /dimmer-controller-a[^]*dimmer-controller-b[^]*dimmer-controller-z/,
    );
    expect(await untilHost('hv-02', 'ShardConflict')).toContain(
      'dimmer-controller-b (dimmer.dev/zone=b), dimmer-controller-z (dimmer.dev/zone in (b,z))',
    );
    const staying = { zone: 'b' as const, number: ofEach - 1 };
    await apply('4Gi', [staying]);
    await waitFor(async () => (await standings()).get(nameOf(staying))?.startsWith('ShardConflict'), {
      ...{ what: 'its VM to say so', timeoutMs: 30_000, intervalMs: 200, details: logs },
    });
    await plane.kubectlOk(['delete', 'lease', 'dimmer-controller-z', '-n', 'dimmer-system']);
    await untilHost('hv-02', 'AgentAnswers');
    await waitFor(async () => (await standings()).get(nameOf(staying))?.startsWith('Converged at 4Gi'), {
      ...{ what: 'its VM to get its size', timeoutMs: 30_000, intervalMs: 200, details: logs },
    });
  });

  test('a host that gets another label goes over with what runs there', async () => {
    await plane.kubectlOk(['label', 'hvh', 'hv-02', 'dimmer.dev/zone=a', '--overwrite']);
    const staying = { zone: 'b' as const, number: ofEach - 2 };
    await apply('4Gi', [staying]);
    await waitFor(async () => (await standings()).get(nameOf(staying))?.startsWith('Converged at 4Gi'), {
      ...{ what: 'it to get its size', timeoutMs: 30_000, intervalMs: 200, details: logs },
    });
    await waitFor(() => writtenBy('a').has(`shared/${nameOf(staying)}`), {
      ...{ what: 'the log of the other shard to say so', timeoutMs: 20_000, intervalMs: 200, details: logs },
    });
  });
});

test('the API server keeps a Lease as the one of the unit tests does', async () => {
  const access = createAccessProvider(loadKubeConfig(plane.adminKubeconfig), systemClock);
  const client = createApiClient(access);
  try {
    const path = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
    const body = (metadata: object, spec: object = { holderIdentity: 'a', leaseDurationSeconds: 1 }) => ({
      ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
      metadata: { name: 'x', namespace: 'default', ...metadata },
      spec,
    });
    type Written = { metadata: { uid: string; resourceVersion: string }; spec: object };
    const post = () => client.send({ method: 'POST', path, body: body({}) });
    const put = (metadata: object, spec?: object) =>
      client.send({ method: 'PUT', path: `${path}/x`, body: body(metadata, spec) });
    const made = await post();
    if (!made.ok) throw new Error(made.error.message);
    const { uid, resourceVersion } = (made.value as Written).metadata;
    expect(await post()).toMatchObject({ error: { status: 409 } });
    // Released: nobody is left out, which is taken.
    const released = await put({ uid, resourceVersion }, { leaseDurationSeconds: 1 });
    expect(released.ok && (released.value as Written).spec).not.toHaveProperty('holderIdentity');
    // Somebody else has written it, or it is gone: a PUT that says which one it means makes none.
    expect(await put({ uid, resourceVersion })).toMatchObject({ error: { status: 409 } });
    await plane.kubectlOk(['delete', 'lease', 'x', '-n', 'default']);
    expect(await put({ uid, resourceVersion })).toMatchObject({ error: { status: 409 } });
    const again = await post();
    expect(again.ok && Number((again.value as Written).metadata.resourceVersion)).toBeGreaterThan(
      Number(resourceVersion),
    );
  } finally {
    await access.close();
  }
});
