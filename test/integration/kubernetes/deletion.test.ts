/** `deletionPolicy: Release` on a real API server, with the rights of deploy/: finalizers, their fence, and namespaces. */
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition } from '../../../src/api/v1alpha1/conditions.ts';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { gib } from '../../../src/memory/bytes.ts';
import type { SimulatedHost } from '../../../src/host/simulated/script.ts';
import type { Cluster } from '../../../src/kubernetes/cluster.ts';
import { commandsOf, documented } from '../../support/documents.ts';
import { eventsIn, pathOf } from '../../lab/api-client.ts';
import { run } from '../../lab/run.ts';
import {
  connectAsController,
  type DimmerCluster,
  eventually,
  host,
  memory,
  namespace,
  startDimmerCluster,
} from './support/dimmer-cluster.ts';
import { type LiveController, startLiveController } from './support/live-controller.ts';

const finalizer = 'dimmer.dev/release';
const uuidOf = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
const numbers = Array.from({ length: 16 }, (_, index) => index + 1);

let plane: DimmerCluster;
let controller: LiveController;
beforeAll(async () => {
  plane = await startDimmerCluster();
  await plane.apply(namespace('t'), host('hv'));
  const domains = numbers.map((number) => ({ uuid: uuidOf(number), name: `vm-${number}`, boot: gib(1) }));
  controller = await startLiveController(plane, { domains: { hv: domains } });
});
afterAll(async () => {
  await controller.close();
  await plane.stop();
});

const simulated = (): SimulatedHost => controller.host('hv');
const total = (number: number): number => simulated().script.total(uuidOf(number));
const manifest = (number: number, spec: object = {}, ns = 't') =>
  memory(`vm-${number}`, ns, {
    ...{ virtualMachine: { uuid: uuidOf(number) }, memory: '2Gi', growPolicy: 'Whole', deletionPolicy: 'Release' },
    ...spec,
  });
const reads = async (number: number, ns = 't'): Promise<VirtualMachineMemory | null> => {
  const { status, text } = await plane.api.ask(pathOf('vmmem', `vm-${number}`, ns));
  if (status === 404) return null;
  if (status !== 200) throw new Error(text);
  return JSON.parse(text) as VirtualMachineMemory;
};
const reasonOf = async (number: number, ns = 't'): Promise<string | undefined> =>
  findCondition((await reads(number, ns))?.status?.conditions, 'Ready')?.reason;
const reaches = (number: number, reason: string, ns = 't') =>
  eventually(`vm-${number} says ${reason}`, async () => (await reasonOf(number, ns)) === reason);
const remove = (number: number, ns = 't') => plane.api.remove(pathOf('vmmem', `vm-${number}`, ns));
const isGone = (number: number, ns = 't') =>
  eventually(`vm-${number} is gone`, async () => (await reads(number, ns)) === null);
const finalizersOf = async (number: number): Promise<unknown> => (await reads(number))?.metadata.finalizers;

/** Waits until an event says these words. */
const told = (words: string) =>
  eventually(`an event: ${words}`, async () => JSON.stringify(await plane.api.read(eventsIn('t'))).includes(words));

/** Types a command of a guide. */
const shell = (command: string) =>
  run('bash', ['-c', command], {
    env: { KUBECONFIG: plane.adminKubeconfig, PATH: `${dirname(plane.kubectlPath)}:${process.env['PATH'] ?? ''}` },
  });

/** Creates a resource whose VM has 1Gi more than it booted with. */
async function grow(number: number, spec: object = {}, ns = 't'): Promise<void> {
  await plane.apply(manifest(number, spec, ns));
  await reaches(number, 'Converged', ns);
  expect(total(number)).toBe(gib(2));
}

describe('a resource with deletionPolicy Release', () => {
  it('has a finalizer, and is gone when what Dimmer plugged is', async () => {
    await grow(1);
    expect(await finalizersOf(1)).toEqual([finalizer]);
    await remove(1);
    await isGone(1);
    expect(total(1)).toBe(gib(1));
    await told('VM vm-1 has none of the modules that Dimmer plugged');
  });

  it('goes after releaseTimeout from a guest that refuses, with an event that says what stays', async () => {
    await grow(2, { releaseTimeout: '4s' });
    simulated().script.setUnplugBehaviour(uuidOf(2), 'all', 'refuse');
    const startMs = Date.now();
    await remove(2);
    await reaches(2, 'GuestRefused');
    const text = await plane.kubectlOk(['describe', 'vmmem', 'vm-2', '-n', 't']);
    expect(text).toMatch(/Release:\s+Deadline: .*\s+Left:\s+1Gi/);
    await isGone(2);
    expect(Date.now() - startMs).toBeLessThan(8_000);
    expect(total(2)).toBe(gib(2));
    await told('ReleaseIncomplete');
    expect(await plane.kubectlOk(['get', 'events', '-n', 't'])).toMatch(
      /Warning +ReleaseIncomplete .*VM vm-2: what Dimmer plugged stays plugged: ua-dimmer-0 \(1Gi\); spec.releaseTimeout is over/,
    );
  });

  it('goes at once when Release is switched back while it waits', async () => {
    await grow(3);
    simulated().script.setUnplugBehaviour(uuidOf(3), 'all', 'silent');
    await remove(3);
    await reaches(3, 'Releasing');
    const { text } = documented('docs/user-guide.md', '`kubectl patch vmmem NAME --type=merge ...`');
    expect(await shell(text.replace('NAME', 'vm-3 -n t'))).toMatchObject({ code: 0 });
    await isGone(3);
    expect(total(3)).toBe(gib(2));
  });

  it('keeps finalizers of others, and loses its own with Release', async () => {
    await plane.apply({ ...manifest(4), metadata: { name: 'vm-4', namespace: 't', finalizers: ['acme.io/backup'] } });
    await reaches(4, 'Converged');
    expect(await finalizersOf(4)).toEqual(['acme.io/backup', finalizer]);
    await remove(4);
    await eventually('ours is gone', async () => JSON.stringify(await finalizersOf(4)) === '["acme.io/backup"]');
    expect(total(4)).toBe(gib(1));
    await plane.kubectlOk([
      'patch',
      'vmmem',
      'vm-4',
      '-n',
      't',
      '--type=json',
      '-p',
      '[{"op":"remove","path":"/metadata/finalizers"}]',
    ]);
    await isGone(4);
    await grow(5);
    await plane.apply(manifest(5, { deletionPolicy: 'Retain' }));
    await eventually('it is gone', async () => (await finalizersOf(5)) === undefined);
    await remove(5);
    await isGone(5);
    expect(total(5)).toBe(gib(2));
  });

  it('holds no namespace up for longer than releaseTimeout', async () => {
    await plane.apply(namespace('leaving'));
    await grow(6, { releaseTimeout: '5s' }, 'leaving');
    await grow(7, {}, 'leaving');
    simulated().script.setUnplugBehaviour(uuidOf(6), 'all', 'refuse');
    const startMs = Date.now();
    await plane.kubectlOk(['delete', 'namespace', 'leaving', '--wait=false']);
    // The namespace controller, which a lab has not, would delete what is in it.
    await plane.kubectlOk(['delete', 'vmmem', '--all', '-n', 'leaving', '--wait=false']);
    expect(await plane.api.read('/api/v1/namespaces/leaving')).toMatchObject({ status: { phase: 'Terminating' } });
    await Promise.all([isGone(6, 'leaving'), isGone(7, 'leaving')]);
    expect(Date.now() - startMs).toBeLessThan(10_000);
    expect([total(6), total(7)]).toEqual([gib(2), gib(1)]);
  });

  it('is left alone by the API server where its timeout makes no sense', async () => {
    const { code, output } = await plane.tryApply(manifest(8, { releaseTimeout: '25h' }));
    expect([code, output]).toEqual([1, expect.stringContaining("'25h' is not a duration between 1s and 24h")]);
    expect((await plane.tryApply(manifest(8, { deletionPolicy: 'Delete' }))).output).toContain('"Retain", "Release"');
  });
});

describe("the fence around the controller's service account", () => {
  beforeAll(async () => {
    await grow(9, { deletionPolicy: 'Retain' });
    // The API server compiles policies in the background.
    await eventually('the policy to be in force', async () => (await patch({ spec: { memory: '1Gi' } })).code !== 0);
  });
  const patch = (change: object, type = 'merge', kubeconfig = plane.controllerKubeconfig) =>
    plane.kubectl(
      ['patch', 'vmmem', 'vm-9', '-n', 't', `--type=${type}`, '-p', JSON.stringify(change), '--dry-run=server'],
      { kubeconfig },
    );

  it.each([
    ['the size', { spec: { memory: '1Gi' } }, 'the controller writes no spec'],
    ['another field of the spec', { spec: { paused: true } }, 'the controller writes no spec'],
    ['a field of the spec away', { spec: { memory: null } }, 'the controller writes no spec'],
    ['labels', { metadata: { labels: { a: 'b' } } }, 'finalizers only'],
    ['annotations', { metadata: { annotations: { 'dimmer.dev/paused': 'true' } } }, 'finalizers only'],
    ['annotations away', { metadata: { annotations: null } }, 'finalizers only'],
    [
      'owners',
      { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Secret', name: 'a', uid: 'b' }] } },
      'finalizers only',
    ],
    ["somebody else's finalizer", { metadata: { finalizers: [finalizer, 'acme.io/x'] } }, 'dimmer.dev/release only'],
    ['a size together with a finalizer', { spec: { memory: '1Gi' }, metadata: { finalizers: [finalizer] } }, 'no spec'],
  ])('refuses %s', async (_, change, words) => {
    const { code, stderr } = await patch(change);
    expect([code, stderr]).toEqual([1, expect.stringContaining(words)]);
    expect(stderr).toContain("ValidatingAdmissionPolicy 'dimmer-controller-fence'");
    // It isn't what is written that is wrong, but who writes it.
    expect((await patch(change, 'merge', plane.adminKubeconfig)).stderr).not.toContain('dimmer-controller-fence');
  });

  it('refuses the same by server-side apply and by JSON patch, and makes no object', async () => {
    const apply = (object: object) =>
      plane.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-', '--dry-run=server'], {
        kubeconfig: plane.controllerKubeconfig,
        input: JSON.stringify(object),
      });
    expect((await apply(manifest(9, { memory: '1Gi' }))).stderr).toContain('the controller writes no spec');
    expect((await apply(manifest(10))).stderr).toContain('is forbidden');
    const change = [{ op: 'replace', path: '/spec/memory', value: '1Gi' }];
    expect((await patch(change, 'json')).stderr).toContain('the controller writes no spec');
  });

  it('lets it set its own finalizer and take it away, beside those of others', async () => {
    const { adminKubeconfig } = plane;
    const write = async (finalizers: readonly string[], kubeconfig: string) =>
      plane.kubectlOk(
        ['patch', 'vmmem', 'vm-9', '-n', 't', '--type=merge', '-p', JSON.stringify({ metadata: { finalizers } })],
        { kubeconfig },
      );
    await write(['acme.io/backup'], adminKubeconfig);
    await write(['acme.io/backup', finalizer], plane.controllerKubeconfig);
    await write(['acme.io/backup'], plane.controllerKubeconfig);
    expect((await patch({ metadata: { finalizers: [] } })).stderr).toContain('dimmer.dev/release only');
    await write([], adminKubeconfig);
  });

  it('holds a status that comes along with a patch of the object back, as the API server does', async () => {
    const before = (await reads(9))?.status;
    const change = { metadata: { finalizers: [finalizer] }, status: { hostName: 'elsewhere' } };
    const { stdout } = await plane.kubectl(
      [
        'patch',
        'vmmem',
        'vm-9',
        '-n',
        't',
        '--type=merge',
        '-p',
        JSON.stringify(change),
        '--dry-run=server',
        '-o',
        'json',
      ],
      { kubeconfig: plane.controllerKubeconfig },
    );
    expect((JSON.parse(stdout) as { status: unknown }).status).toEqual(before);
  });
});

describe('the writer of finalizers', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = connectAsController(plane);
    await cluster.start();
    await plane.apply(manifest(11, { deletionPolicy: 'Retain', paused: true }));
    await reaches(11, 'Paused');
  });
  afterAll(() => cluster.close());
  const stored = async () =>
    eventually('it is read', async () => {
      const object = cluster.virtualMachineMemories.get('t/vm-11');
      const now = (await reads(11))?.metadata.resourceVersion;
      return object?.metadata.resourceVersion === now && object;
    });

  it('meets what was changed meanwhile as a conflict, and what was made anew as such', async () => {
    const object = await stored();
    await plane.kubectlOk(['annotate', 'vmmem', 'vm-11', '-n', 't', 'a=b']);
    const write = (...args: Parameters<Cluster['virtualMachineMemoryFinalizers']['write']>) =>
      cluster.virtualMachineMemoryFinalizers.write(...args);
    expect(await write(object, [finalizer])).toEqual({ outcome: 'conflict' });
    const old = await stored();
    await remove(11);
    await isGone(11);
    expect(await write(old, [finalizer])).toEqual({ outcome: 'gone' });
    await plane.apply(manifest(11, { deletionPolicy: 'Retain', paused: true }));
    expect((await write(old, [finalizer])).outcome).toBe('conflict');
    // Until then the controller writes it, too.
    await reaches(11, 'Paused');
    const now = await stored();
    expect(await write(now, [finalizer])).toMatchObject({ outcome: 'written' });
    // The source has it before the watch tells.
    expect(cluster.virtualMachineMemories.get('t/vm-11')?.metadata.finalizers).toEqual([finalizer]);
    // One that the policy doesn't ask for holds nothing up.
    await remove(11);
    await isGone(11);
  });
});

describe('before the controller is uninstalled', () => {
  it('Release is switched back as the guide says, and nothing waits for a controller that is not there', async () => {
    await grow(12);
    await grow(13);
    const commands = commandsOf(documented('docs/operations.md', 'deletionPolicy=="Release"'));
    const [switchBack = '', listLeft = ''] = commands.map(({ command }) => command);
    expect(await shell(switchBack)).toMatchObject({ code: 0, stderr: '' });
    await eventually('no finalizer of the two is left', async () => {
      const left = await Promise.all([finalizersOf(12), finalizersOf(13)]);
      return left.every((finalizers) => finalizers === undefined);
    });
    expect(await shell(listLeft)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\s*$/) as string });
    await controller.close();
    await remove(12);
    expect(await reads(12)).toBeNull();
    expect(await reads(13)).not.toBeNull();

    // And where it has gone first, a deletion that waits is ended by hand.
    await plane.apply({ ...manifest(14), metadata: { name: 'vm-14', namespace: 't', finalizers: [finalizer] } });
    await remove(14);
    expect(await reads(14)).not.toBeNull();
    const { text } = documented('docs/operations.md', '`kubectl patch vmmem NAME --type=merge ...`');
    expect(await shell(text.replace('NAME', 'vm-14 -n t'))).toMatchObject({ code: 0 });
    expect(await reads(14)).toBeNull();
  });
});
