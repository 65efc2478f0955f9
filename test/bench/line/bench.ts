/**
 * From wish to module: the time from the API server's answer to a patch of spec.memory until libvirt's device-added and
 * until the guest's own MemTotal, next to a bare `virsh attach-device` from its start to the same, and until a watcher
 * hears Ready=True, up and down; on the same guest, in turn, in one run.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import type { Hypervisor } from '../../../src/libvirt/domain/hypervisor.ts';
import { ensureLab } from '../../lab/ensure.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { startLab } from '../../lab/lab.ts';
import { reportToTerminal as report } from '../../lab/progress.ts';
import { namespace, type Stack, startStack } from '../../lab/stack.ts';
import {
  connectObserver,
  firstVirshSlot,
  measurePlug,
  measureVirsh,
  reportPlugs,
  type Series,
  sizes,
  untilAnyMoment,
} from '../attach.ts';
import { summaryRow } from '../summary.ts';

const rounds = Number(process.env['DIMMER_ROUNDS'] ?? 40);

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

async function measureDimmer(
  stack: Stack,
  guest: LabGuest,
  observer: Hypervisor,
  { patch }: ApiServer,
  into: Series,
): Promise<void> {
  await untilAnyMoment();
  await measurePlug(guest, observer, () => patch(guest.name, { memory: sizes.grown }), into);
  await stack.reaches(guest.name, 'Converged');
}

/** The time from a patch's answer until a watcher hears that it has been done, ms; with nobody else at the guest. */
async function measureReady(guest: LabGuest, { patch, untilReady }: ApiServer, memory: string): Promise<number> {
  await untilAnyMoment();
  const ready = untilReady(guest.name, memory);
  const answeredAt = await patch(guest.name, { memory });
  return (await ready) - answeredAt;
}

/** Runs the benchmark and prints its figures. */
export async function runLineBench(): Promise<void> {
  await ensureLab(report);
  report('starting a control plane, a hypervisor and a guest with 256 slots');
  const lab = await startLab({ controlPlane: {}, guests: [{ kind: 'accepting', name: 'bench', slots: 256 }] });
  const stack = await startStack(lab);
  const observer = await connectObserver(lab.hypervisor);
  try {
    const guest = lab.guest('accepting');
    const api = connectToApi(stack);
    const { patch } = api;
    await stack.apply(stack.manifest(guest.name, guest.uuid, { memory: sizes.rest }));
    await stack.reaches(guest.name, 'Converged');

    const dimmer: Series = { toEvent: [], toGuest: [] };
    const virsh: Series = { toEvent: [], toGuest: [] };
    const ready: { up: number[]; down: number[] } = { up: [], down: [] };
    for (let round = 0; round < rounds; round += 1) {
      if (round % 5 === 0) report(`round ${round + 1} of ${rounds}`);
      await measureDimmer(stack, guest, observer, api, dimmer);
      await patch(guest.name, { memory: sizes.rest });
      await stack.reaches(guest.name, 'Converged');
      // While virsh has its turn, the controller would take its module out again.
      await patch(guest.name, { paused: true });
      await stack.reaches(guest.name, 'Converged');
      await measureVirsh(lab.hypervisor, guest, observer, firstVirshSlot + round, virsh);
      await patch(guest.name, { paused: false });
      await stack.reaches(guest.name, 'Converged');
      ready.up.push(await measureReady(guest, api, sizes.grown));
      ready.down.push(await measureReady(guest, api, sizes.rest));
    }
    reportPlugs(dimmer, virsh, 'patch answered', { event: '1.5', guest: '1.0' });
    console.log(`${summaryRow('dimmer: patch answered to Ready=True, up', ready.up)} (aim: at most 300)`);
    console.log(`${summaryRow('dimmer: patch answered to Ready=True, down', ready.down)} (aim: at most 300)`);
  } finally {
    await observer.close();
    await stack.stop();
  }
}
