/**
 * The controller at scale: a real kube-apiserver, the built controller with the rights of its service account, and ten
 * simulated hosts behind HTTPS servers in another process. The yardstick is `rawresize`: the writes of a resize (a patch
 * of spec, two of status, as a plain controller makes them) by a client alone, in the same run.
 *
 * DIMMER_VMS says how many VMs there are (2,000), DIMMER_GROW by which growPolicy they grow: `Divisible`, the default, makes a
 * resize of 1 GiB four modules, `Whole` one. DIMMER_NODE_OPTIONS: more of Node's options for the controller, as `--cpu-prof`.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { uuidOfNumber } from '../../../src/host/simulated/numbered-domains.ts';
import type { ControlPlane } from '../../lab/control-plane.ts';
import { ensureLab } from '../../lab/ensure.ts';
import { startLab } from '../../lab/lab.ts';
import { freePorts } from '../../lab/ports.ts';
import { reportToTerminal as report } from '../../lab/progress.ts';
import { root, startProcess, type StackProcess } from '../../lab/stack.ts';
import { waitFor } from '../../lab/wait.ts';
import { quantile } from '../summary.ts';
import type { FleetCalls, FleetOrder, FleetReady } from './fleet.ts';
import { cpuMs, residentMiB } from '../processes.ts';
import { inParallel, namespace, Vms } from './vms.ts';

const vmCount = Number(process.env['DIMMER_VMS'] ?? 2_000);
/** `start`: nothing is resized, which for tens of thousands of VMs takes long. */
const only = process.env['DIMMER_ONLY'] ?? 'all';
const growPolicy = process.env['DIMMER_GROW'] ?? 'Divisible';
const hosts = 10;
const rawCount = Math.min(vmCount, 1_000);
/** Paced resizes: so many a second, for so long. */
const pace = { perSecond: 20, seconds: 15 };
const idleSeconds = 20;

/** Resident memory that is aimed at, MiB, by VMs. */
const residentAim = vmCount <= 2_000 ? 120 : vmCount <= 10_000 ? 200 : 500;

type Fleet = { readonly ready: FleetReady; readonly calls: () => Promise<FleetCalls>; readonly stop: () => void };

async function startFleet(order: FleetOrder): Promise<Fleet> {
  const file = join(fileURLToPath(new URL('.', import.meta.url)), 'fleet.ts');
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, file, JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async <T>(): Promise<T> => {
    const line = await lines.next();
    if (line.done === true) throw new Error('the fleet has ended');
    return JSON.parse(line.value) as T;
  };
  const calls = (): Promise<FleetCalls> => {
    child.stdin.write('\n');
    return next();
  };
  return { ready: await next<FleetReady>(), calls, stop: () => child.kill() };
}

type Bench = {
  readonly fleet: Fleet;
  readonly controlPlane: ControlPlane;
  readonly vms: Vms;
  readonly names: readonly string[];
  readonly controller: StackProcess;
  readonly metricsUrl: string;
};

const nameOf = (number: number): string => `vm-${number}`;
const perSecond = (count: number, ms: number): number => (count * 1000) / ms;

/** The sum of a counter of the controller. */
async function controllerCounter({ metricsUrl }: Pick<Bench, 'metricsUrl'>, name: string): Promise<number> {
  const text = await (await fetch(metricsUrl)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** What has been used so far. */
const readUse = async ({ vms, controlPlane, controller, fleet }: Bench) => ({
  writes: vms.statusWrites,
  api: cpuMs(controlPlane.apiServerPid()),
  own: cpuMs(controller.pid()),
  ...(await fleet.calls()),
});

/** What each of `count` resizes has used since `before`, in words. */
async function describeUse(bench: Bench, before: Awaited<ReturnType<typeof readUse>>, count: number): Promise<string> {
  const now = await readUse(bench);
  const each = (what: keyof typeof now, digits: number): string => ((now[what] - before[what]) / count).toFixed(digits);
  return (
    `status writes a resize ${each('writes', 2)} (aim: 1.0), API server ${each('api', 1)} ms (aim: at most 11), controller ` +
    `${each('own', 1)} ms of CPU a resize (aim: at most 2.0), hosts asked for ${each('looks', 2)} single looks, ${each('groups', 2)} of several, ${each('facts', 2)} facts, ` +
    `${each('lists', 2)} lists, ${each('changes', 2)} changes`
  );
}

/** The writes of a resize without a controller, resizes a second. */
async function measureRaw({ vms }: Bench): Promise<number> {
  const model = vms.known(nameOf(1));
  const names = Array.from({ length: rawCount }, (_, index) => `raw-${index + 1}`);
  await inParallel(names, (name) =>
    vms.create(name, { virtualMachine: { uuid: uuidOfNumber(1_000_000 + Number(name.slice(4))) }, memory: '1Gi' }),
  );
  const startedMs = performance.now();
  await inParallel(names, async (name) => {
    const patched = await vms.patch(name, { memory: '2Gi' });
    const begun = await vms.putStatus({ ...patched, status: { ...model?.status, observedGeneration: 1 } });
    await vms.putStatus({ ...begun, status: { ...model?.status, observedGeneration: 2 } });
  });
  const rate = perSecond(rawCount, performance.now() - startedMs);
  await inParallel(names, (name) => vms.remove(name));
  return rate;
}

/** All VMs get another size at once. */
async function measureAtOnce(bench: Bench, memory: string, title: string, raw: number): Promise<void> {
  const { vms, names, controller } = bench;
  const before = await readUse(bench);
  const startedMs = performance.now();
  const all = Promise.all(names.map((name) => vms.reaches(name, memory)));
  await inParallel(names, (name) => vms.patch(name, { memory }));
  const takenMs = Math.max(...(await all)) - startedMs;
  await delay(1_500);
  const rate = perSecond(names.length, takenMs);
  console.log(
    `${title}: ${rate.toFixed(0)}/s, share of rawresize ${(rate / raw).toFixed(2)} (aim: at least 1.2), ` +
      `${await describeUse(bench, before, names.length)}, ${residentMiB(controller.pid()).toFixed(0)} MiB resident`,
  );
}

/** Some VMs, one after the other at a steady pace. */
async function measurePaced(bench: Bench, memory: string, title: string): Promise<void> {
  const { vms, names } = bench;
  const waits: Promise<number>[] = [];
  const count = Math.min(names.length, pace.perSecond * pace.seconds);
  const before = await readUse(bench);
  for (const name of names.slice(0, count)) {
    waits.push(
      vms.patch(name, { memory }).then(async () => {
        const answeredMs = performance.now();
        return Math.max(0, (await vms.reaches(name, memory)) - answeredMs);
      }),
    );
    await delay(1_000 / pace.perSecond);
  }
  const times = await Promise.all(waits);
  await delay(1_500);
  console.log(
    `${title}: patch answered to Ready p50 ${quantile(times, 0.5).toFixed(0)} p99 ${quantile(times, 0.99).toFixed(0)} ms ` +
      `(aim: 15 / 60), ${await describeUse(bench, before, count)}`,
  );
}

/** Nothing is to be done. */
async function measureIdle(bench: Bench): Promise<void> {
  const { vms, controller } = bench;
  const counter = 'apiserver_request_total';
  const requests = await vms.serverCounter(counter);
  const before = { writes: vms.statusWrites, own: cpuMs(controller.pid()) };
  await delay(idleSeconds * 1000);
  const share = (cpuMs(controller.pid()) - before.own) / (idleSeconds * 10);
  // The request for the figures is one of them.
  const asked = ((await vms.serverCounter(counter)) - requests - 1) * (60 / idleSeconds);
  console.log(
    `idle: ${vms.statusWrites - before.writes} writes in ${idleSeconds} s (aim: 0), ${asked.toFixed(0)} requests to the API server a minute ` +
      `(its own among them), ${share.toFixed(2)} % of a core (aim: under 0.3), ${residentMiB(controller.pid()).toFixed(0)} MiB resident (aim: ${residentAim})`,
  );
}

/** Ends the controller, measures without it, and starts it again on a cluster where everything is as it should be. */
async function measureColdStart(bench: Bench): Promise<void> {
  const { vms, controller, controlPlane, names } = bench;
  const before = { writes: vms.statusWrites, apiMs: cpuMs(controlPlane.apiServerPid()) };
  const startedMs = performance.now();
  await controller.start();
  await waitFor(async () => (await controllerCounter(bench, 'dimmer_reconciles_total')) >= names.length, {
    // Each look is a scrape, which costs the controller the more the more there are.
    ...{ what: 'all to be verified', timeoutMs: 120_000, intervalMs: Math.max(100, names.length / 100) },
  });
  const seconds = (performance.now() - startedMs) / 1000;
  const own = cpuMs(controller.pid()) / 1000;
  const api = (cpuMs(controlPlane.apiServerPid()) - before.apiMs) / 1000;
  await delay(1_000);
  console.log(
    `cold start: ${names.length} verified in ${seconds.toFixed(1)} s (aim: ${(names.length / 2_000).toFixed(1)}), of a processor ` +
      `${own.toFixed(1)} s here and ${api.toFixed(1)} s in the API server, ${vms.statusWrites - before.writes} writes (aim: 0), ${residentMiB(controller.pid()).toFixed(0)} MiB resident (aim: ${residentAim})`,
  );
}

/** Runs the benchmark and prints its figures. */
export async function runControllerBench(): Promise<void> {
  await ensureLab(report);
  report(`starting a control plane and ${hosts} hosts with ${vmCount} VMs, growPolicy ${growPolicy}`);
  const lab = await startLab({ controlPlane: {}, guests: [] });
  const { controlPlane } = lab;
  const directory = join(controlPlane.directory, 'fleet');
  const fleet = await startFleet({ directory, hosts, vmsPerHost: Math.ceil(vmCount / hosts) });
  const vms = new Vms(controlPlane);
  try {
    await controlPlane.kubectlOk(['apply', '-k', join(root, 'deploy')]);
    await controlPlane.kubectlOk(['wait', '--for=condition=Established', 'crd/virtualmachinememories.dimmer.dev']);
    await controlPlane.kubectlOk(['create', 'namespace', namespace]);
    for (const [index, port] of fleet.ready.ports.entries()) {
      const host = {
        ...{ apiVersion: 'dimmer.dev/v1alpha1', kind: 'HypervisorHost', metadata: { name: `hv-${index + 1}` } },
        spec: { address: `https://127.0.0.1:${port}`, allowedNamespaces: { from: 'All' } },
      };
      await controlPlane.kubectlOk(['apply', '-f', '-'], { input: JSON.stringify(host) });
    }
    await vms.watch();
    const names = Array.from({ length: vmCount }, (_, index) => nameOf(index + 1));
    report(`creating ${vmCount} resources`);
    await inParallel(names, (name) =>
      vms.create(name, { virtualMachine: { uuid: uuidOfNumber(Number(name.slice(3))) }, memory: '1Gi', growPolicy }),
    );
    const controllerOf = await startController(controlPlane, fleet.ready);
    const bench: Bench = { fleet, controlPlane, vms, names, ...controllerOf };
    await Promise.all(names.map((name) => vms.reaches(name, '1Gi')));
    await bench.controller.stop();
    if (only === 'start') {
      await measureColdStart(bench);
      await measureIdle(bench);
      await bench.controller.stop();
      return;
    }
    report('writing as a plain controller would');
    const raw = await measureRaw(bench);
    console.log(`rawresize: ${raw.toFixed(0)}/s (a patch of spec and two of status)`);
    await measureColdStart(bench);
    await measureIdle(bench);
    await measureAtOnce(bench, '2Gi', `${vmCount} at once, up  `, raw);
    await measureAtOnce(bench, '1Gi', `${vmCount} at once, down`, raw);
    await measurePaced(bench, '2Gi', `paced ${pace.perSecond}/s, up  `);
    await measurePaced(bench, '1Gi', `paced ${pace.perSecond}/s, down`);
    await measureIdle(bench);
    await bench.controller.stop();
  } finally {
    vms.close();
    fleet.stop();
    await lab.stop();
  }
}

/** How deploy/ sets Node and the C library up. */
function deployedEnvironment(): Readonly<Record<string, string>> {
  const [deployment = ''] = readFileSync(join(root, 'deploy/40-controller.yaml'), 'utf8').split('\n---\n');
  const { spec } = parse(deployment) as {
    spec: { template: { spec: { containers: { env: { name: string; value: string }[] }[] } } };
  };
  const env = spec.template.spec.containers.flatMap((container) => container.env);
  const deployed = Object.fromEntries(env.map(({ name, value }) => [name, value]));
  const { DIMMER_NODE_OPTIONS: more = '' } = process.env;
  return { ...deployed, NODE_OPTIONS: `${deployed['NODE_OPTIONS'] ?? ''} ${more}` };
}

async function startController(
  controlPlane: ControlPlane,
  { files }: FleetReady,
): Promise<Pick<Bench, 'controller' | 'metricsUrl'>> {
  const kubeconfig = await controlPlane.createKubeconfigForServiceAccount('dimmer-system', 'dimmer-controller');
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port ?? 0}`;
  const args = [
    ...['controller', `--kubeconfig=${kubeconfig}`, `--agent-client-cert-file=${files.certFile}`],
    ...[`--agent-client-key-file=${files.keyFile}`, `--agent-ca-file=${files.caFile}`],
    ...[`--metrics-bind-address=127.0.0.1:${port ?? 0}`, `--health-probe-bind-address=127.0.0.1:${port ?? 0}`],
  ];
  // It is ready once it has all resources, which for tens of thousands takes longer than a start is waited for.
  const isReady = async (): Promise<boolean> => {
    const response = await fetch(`${url}/healthz`);
    await response.body?.cancel();
    return response.ok;
  };
  const controller = await startProcess(
    ...(['controller', args, controlPlane.directory, isReady, undefined, deployedEnvironment()] as const),
  );
  return { controller, metricsUrl: `${url}/metrics` };
}
