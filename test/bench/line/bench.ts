/**
 * From wish to module: the time from the API server's answer to a patch of spec.memory until libvirt's device-added and
 * until the guest's own MemTotal, next to a bare `virsh attach-device` from its start to the same, and until a watcher
 * hears Ready=True, up and down; on the same guest, in turn, in one run.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { connectHypervisor } from '../../../src/drivers/libvirt/connect.ts';
import type { Hypervisor } from '../../../src/libvirt/domain/hypervisor.ts';
import { parseLibvirtUri } from '../../../src/libvirt/rpc/uri.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { ensureLab } from '../../lab/ensure.ts';
import { dimmXml } from '../../lab/guest-xml.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { startLab } from '../../lab/lab.ts';
import { reportToTerminal as report } from '../../lab/progress.ts';
import { namespace, type Stack, startStack } from '../../lab/stack.ts';
import { waitFor } from '../../lab/wait.ts';
import { median, summaryRow } from '../summary.ts';

const rounds = Number(process.env['DIMMER_ROUNDS'] ?? 40);
/** virsh takes slots from here up, Dimmer the lowest free one: they never meet. */
const firstVirshSlot = 128;

/** Resolves with the time of the next device-added of a domain, by this process's monotonic clock, ms. */
const nextAdded = (observer: Hypervisor, uuid: string): Promise<number> =>
  new Promise((resolve) => {
    const stop = observer.onEvent((event) => {
      if (event.kind !== 'deviceAdded' || event.domain.uuid !== uuid) return;
      stop();
      resolve(performance.now());
    });
  });

type ApiServer = {
  /** Patches as kubectl does, over a connection that is open already; gives the time of the answer. */
  readonly patch: (name: string, spec: object) => Promise<number>;
  /** As `kubectl wait`, from now on: resolves with the time at which a watch tells that Ready is True for `memory`. */
  readonly untilReady: (name: string, memory: string) => Promise<number>;
};

type Watched = {
  readonly object: {
    readonly metadata: { readonly generation: number };
    readonly spec: { readonly memory?: string };
    readonly status?: {
      readonly observedGeneration?: number;
      readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    };
  };
};

const isReady = ({ object: { metadata, spec, status } }: Watched, memory: string): boolean =>
  spec.memory === memory &&
  status?.observedGeneration === metadata.generation &&
  status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true;

function connectToApi(stack: Stack): ApiServer {
  const { controlPlane } = stack.lab;
  const config = JSON.parse(readFileSync(controlPlane.adminKubeconfig, 'utf8')) as {
    users: { user: { 'client-certificate': string; 'client-key': string } }[];
  };
  const user = config.users[0]?.user;
  if (user === undefined) throw new Error('the admin kubeconfig has no user');
  const dispatcher = new Agent({
    connect: {
      ca: controlPlane.caPem,
      cert: readFileSync(user['client-certificate']),
      key: readFileSync(user['client-key']),
    },
  });
  const collection = `${controlPlane.url}/apis/dimmer.dev/v1alpha1/namespaces/${namespace}/virtualmachinememories`;
  async function patch(name: string, spec: object): Promise<number> {
    const response = await request(`${collection}/${name}`, {
      dispatcher,
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ spec }),
    });
    const answeredAt = performance.now();
    const body = await response.body.text();
    if (response.statusCode !== 200) throw new Error(`patch failed with ${response.statusCode}: ${body}`);
    return answeredAt;
  }
  async function untilReady(name: string, memory: string): Promise<number> {
    const response = await request(`${collection}?watch=1&fieldSelector=metadata.name%3D${name}`, { dispatcher });
    let rest = '';
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      const heardAt = performance.now();
      const lines = (rest + chunk.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      // Leaving the loop ends the watch.
      if (lines.some((line) => isReady(JSON.parse(line) as Watched, memory))) return heardAt;
    }
    throw new Error(`the watch ended before ${name} was ready`);
  }
  return { patch, untilReady };
}

/** Watches the guest's own total in the background of a measurement: the time until it shows more, ms. */
async function untilGrown(guest: LabGuest, beforeKiB: number): Promise<number> {
  const start = performance.now();
  await waitFor(async () => (await guest.memTotalKiB()) > beforeKiB, {
    what: 'the guest to show the memory',
    timeoutMs: 20_000,
    intervalMs: 1,
  });
  return performance.now() - start;
}

type Series = { readonly toEvent: number[]; readonly toGuest: number[] };

async function measureDimmer(
  stack: Stack,
  guest: LabGuest,
  observer: Hypervisor,
  { patch }: ApiServer,
  into: Series,
): Promise<void> {
  await untilAnyMoment();
  const before = await guest.memTotalKiB();
  const added = nextAdded(observer, guest.uuid);
  const answeredAt = await patch(guest.name, { memory: '640Mi' });
  const addedAt = await added;
  into.toEvent.push(addedAt - answeredAt);
  into.toGuest.push(addedAt - answeredAt + (await untilGrown(guest, before)));
  await stack.reaches(guest.name, 'Converged');
}

/** Users patch a guest at rest, when they like: at any moment of the 2 s from one of its own reports to the next. */
const untilAnyMoment = (): Promise<void> => delay(2_000 + Math.random() * 2_000);

/** The time from a patch's answer until a watcher hears that it has been done, ms; with nobody else at the guest. */
async function measureReady(guest: LabGuest, { patch, untilReady }: ApiServer, memory: string): Promise<number> {
  await untilAnyMoment();
  const ready = untilReady(guest.name, memory);
  const answeredAt = await patch(guest.name, { memory });
  return (await ready) - answeredAt;
}

async function measureVirsh(
  stack: Stack,
  guest: LabGuest,
  observer: Hypervisor,
  slot: number,
  into: Series,
): Promise<void> {
  const { hypervisor } = stack.lab;
  const alias = `ua-bench-${slot}`;
  const file = join(hypervisor.directory, 'bench-dimm.xml');
  writeFileSync(file, dimmXml(128, alias).replace('</memory>', `<address type='dimm' slot='${slot}'/></memory>`));
  const before = await guest.memTotalKiB();
  const added = nextAdded(observer, guest.uuid);
  const start = performance.now();
  const virsh = spawn('virsh', ['--connect', hypervisor.uri, 'attach-device', guest.uuid, file, '--live'], {
    stdio: 'ignore',
  });
  const ended = once(virsh, 'exit');
  const addedAt = await added;
  into.toEvent.push(addedAt - start);
  into.toGuest.push(addedAt - start + (await untilGrown(guest, before)));
  await ended;
  await guest.unplugDimm(alias);
  await waitFor(async () => !(await guest.moduleAliases()).includes(alias), {
    what: `${alias} to go`,
    timeoutMs: 30_000,
  });
}

/** Runs the benchmark and prints its figures. */
export async function runLineBench(): Promise<void> {
  await ensureLab(report);
  report('starting a control plane, a hypervisor and a guest with 256 slots');
  const lab = await startLab({ controlPlane: {}, guests: [{ kind: 'accepting', name: 'bench', slots: 256 }] });
  const stack = await startStack(lab);
  const endpoint = parseLibvirtUri(`qemu:///system?socket=${lab.hypervisor.socketPath}`);
  if (!endpoint.ok) throw new Error('the lab has a strange socket path');
  const observer = connectHypervisor(endpoint.value, silentLogger);
  try {
    const connected = new Promise<void>((resolve) =>
      observer.onConnection((change) => {
        if (change.kind === 'connected') resolve();
      }),
    );
    observer.start();
    await connected;
    const guest = lab.guest('accepting');
    const api = connectToApi(stack);
    const { patch } = api;
    await stack.apply(stack.manifest(guest.name, guest.uuid, { memory: '512Mi' }));
    await stack.reaches(guest.name, 'Converged');

    const dimmer: Series = { toEvent: [], toGuest: [] };
    const virsh: Series = { toEvent: [], toGuest: [] };
    const ready: { up: number[]; down: number[] } = { up: [], down: [] };
    for (let round = 0; round < rounds; round += 1) {
      if (round % 5 === 0) report(`round ${round + 1} of ${rounds}`);
      await measureDimmer(stack, guest, observer, api, dimmer);
      // While virsh has its turn, the controller would take its module out again.
      await patch(guest.name, { paused: true });
      await stack.reaches(guest.name, 'Converged');
      await measureVirsh(stack, guest, observer, firstVirshSlot + round, virsh);
      await patch(guest.name, { paused: false, memory: '512Mi' });
      await stack.reaches(guest.name, 'Converged');
      ready.up.push(await measureReady(guest, api, '640Mi'));
      ready.down.push(await measureReady(guest, api, '512Mi'));
    }
    console.log(summaryRow('dimmer: patch answered to device-added', dimmer.toEvent));
    console.log(summaryRow('virsh attach-device: start to device-added', virsh.toEvent));
    console.log(summaryRow('dimmer: patch answered to guest MemTotal', dimmer.toGuest));
    console.log(summaryRow('virsh attach-device: start to guest MemTotal', virsh.toGuest));
    const ratio = median(dimmer.toEvent) / median(virsh.toEvent);
    console.log(`ratio of medians to device-added: ${ratio.toFixed(2)} (aim: at most 1.5)`);
    const guestRatio = median(dimmer.toGuest) / median(virsh.toGuest);
    console.log(`ratio of medians to guest MemTotal: ${guestRatio.toFixed(2)} (aim: at most 1.0)`);
    console.log(`${summaryRow('dimmer: patch answered to Ready=True, up', ready.up)} (aim: at most 300)`);
    console.log(`${summaryRow('dimmer: patch answered to Ready=True, down', ready.down)} (aim: at most 300)`);
  } finally {
    await observer.close();
    await stack.stop();
  }
}
