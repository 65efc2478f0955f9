/** Real guests whose modules somebody else changes with virsh, and whose resource goes with Release. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { VirtualMachineMemory } from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import { pathOf } from '../lab/api-client.ts';
import { describeLab } from '../lab/describe.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { startLab } from '../lab/lab.ts';
import { namespace, type Stack, startStack } from '../lab/stack.ts';
import { waitFor } from '../lab/wait.ts';

await describeLab('modules that somebody else changes, and a resource that goes', () => {
  let stack: Stack;
  beforeAll(async () => {
    const kinds = ['accepting', 'refusing'] as const;
    const lab = await startLab({ controlPlane: 'shared', guests: kinds.map((kind) => ({ kind, name: kind })) });
    stack = await startStack(lab);
  });
  afterAll(() => stack.stop());

  const apply = async (guest: LabGuest, spec: Record<string, unknown>) => {
    const manifest = stack.manifest(guest.name, guest.uuid, { growPolicy: 'Whole', ...spec });
    const applied = await stack.apply(manifest);
    expect(applied.code, applied.stderr).toBe(0);
  };
  const kubectlOk = (...args: readonly string[]) => stack.lab.controlPlane.kubectlOk(args);
  const events = () => kubectlOk('get', 'events', `--namespace=${namespace}`);
  const until = <T>(what: string, probe: () => Promise<T | undefined | false>, timeoutMs = 30_000): Promise<T> =>
    waitFor(probe, { what, timeoutMs, intervalMs: 100 });
  const readUntil = (guest: LabGuest, what: string, holds: (object: VirtualMachineMemory) => boolean) =>
    until(what, async () => {
      const object = await stack.read(guest.name);
      return holds(object) ? object : undefined;
    });
  const claim = async (guest: LabGuest): Promise<string> => {
    const { stdout } = await stack.lab.hypervisor.virsh([
      'metadata',
      guest.uuid,
      'https://dimmer.dev/xmlns/state/1',
      '--live',
    ]);
    return stdout;
  };
  /** Somebody takes the module out that is there, and waits until it has left. */
  async function takeOut(guest: LabGuest): Promise<void> {
    const [alias = ''] = await guest.moduleAliases();
    expect(alias).not.toBe('');
    await guest.unplugDimm(alias);
  }

  it('Correct: what is taken out is plugged again, what is put in is taken out, and a fourth time is left', async () => {
    const guest = stack.lab.guest('accepting');
    await apply(guest, { memory: '1Gi' });
    await stack.reaches(guest.name, 'Converged');
    const total = await guest.memTotalKiB();
    // More than is wanted.
    await guest.plugDimm(256, 'ua-by-hand');
    await readUntil(guest, 'the first correction', ({ status }) => status?.drift?.corrections?.length === 1);
    await stack.reaches(guest.name, 'Converged');
    expect(await guest.moduleAliases()).toHaveLength(1);
    expect(await guest.memTotalKiB()).toBe(total);
    // Less, twice; the controller is killed in between and forgets nothing.
    for (const time of [2, 3]) {
      await takeOut(guest);
      await readUntil(guest, `correction ${time}`, ({ status }) => status?.drift?.corrections?.length === time);
      const { status } = await stack.reaches(guest.name, 'Converged', 90_000);
      expect(status?.memory?.current).toBe('1Gi');
      await stack.controller.stop('SIGKILL');
      await stack.controller.start();
    }
    await takeOut(guest);
    const contested = await stack.reaches(guest.name, 'DriftContested');
    expect(contested.status?.drift).toMatchObject({ phase: 'Contested', size: '1Gi', found: '512Mi' });
    expect(await guest.moduleAliases()).toEqual([]);
    expect(await events()).toMatch(/Warning +DriftContested/);
    // Whoever asks gets it.
    await kubectlOk(
      'annotate',
      'vmmem',
      guest.name,
      `--namespace=${namespace}`,
      'dimmer.dev/reconcile-requested-at=now',
    );
    await stack.reaches(guest.name, 'Converged', 90_000);
    expect(await guest.memTotalKiB()).toBe(total);
  });

  it('Report: what is taken out is told of, and stays out until the spec is changed', async () => {
    const guest = stack.lab.guest('accepting');
    await apply(guest, { memory: '1Gi', driftPolicy: 'Report' });
    await stack.reaches(guest.name, 'Converged');
    await takeOut(guest);
    const { status } = await stack.reaches(guest.name, 'DriftReported');
    expect(status?.drift).toMatchObject({ phase: 'Reported', size: '1Gi', found: '512Mi' });
    expect(await guest.moduleAliases()).toEqual([]);
    await apply(guest, { memory: '768Mi', driftPolicy: 'Report' });
    await stack.reaches(guest.name, 'Converged', 90_000);
  });

  it('a VM that was started anew is brought to its size, which is no drift', async () => {
    const guest = stack.lab.guest('accepting');
    await guest.destroy();
    await stack.reaches(guest.name, 'VMNotRunning');
    await guest.start();
    const { status } = await stack.reaches(guest.name, 'Converged', 90_000);
    expect(status).toMatchObject({ memory: { current: '768Mi' }, drift: { size: '768Mi' } });
    expect(status?.drift).not.toHaveProperty('phase');
  });

  it('Release: what Dimmer plugged leaves the guest before the resource goes, and nothing else does', async () => {
    const guest = stack.lab.guest('accepting');
    await apply(guest, { memory: '1Gi', driftPolicy: 'Report', deletionPolicy: 'Release' });
    await stack.reaches(guest.name, 'Converged', 90_000);
    await guest.plugDimm(256, 'ua-by-hand');
    await stack.reaches(guest.name, 'DriftReported');
    expect(await claim(guest)).toContain('<claim');
    await kubectlOk('delete', 'vmmem', guest.name, `--namespace=${namespace}`, '--timeout=60s');
    expect(await guest.moduleAliases()).toEqual(['ua-by-hand']);
    expect(await claim(guest)).not.toContain('<claim');
    await until('the event', async () => /Normal +Released/.test(await events()));
    expect(await guest.memTotalKiB()).toBeLessThan(800 * 1024);
  });

  it('Release: a guest that refuses keeps its memory, and the resource goes after releaseTimeout', async () => {
    const guest = stack.lab.guest('refusing');
    await apply(guest, { memory: '1Gi', deletionPolicy: 'Release', releaseTimeout: '8s' });
    await stack.reaches(guest.name, 'Converged');
    const work = await guest.useMemory(64);
    const startMs = Date.now();
    await kubectlOk('delete', 'vmmem', guest.name, `--namespace=${namespace}`, '--wait=false');
    const { status } = await stack.reaches(guest.name, 'GuestRefused');
    expect(status?.release).toMatchObject({ left: '512Mi' });
    await until(
      'it is gone',
      async () => (await stack.lab.controlPlane.api.ask(pathOf('vmmem', guest.name, namespace))).status === 404,
    );
    expect(Date.now() - startMs).toBeLessThan(15_000);
    expect(await guest.moduleAliases()).toEqual(['ua-dimmer-0']);
    expect(await work.isAlive()).toBe(true);
    await until('the event', async () =>
      /Warning +ReleaseIncomplete .*ua-dimmer-0 \(512Mi\); spec.releaseTimeout is over/.test(await events()),
    );
    expect(await claim(guest)).not.toContain('<claim');
    // Another resource has it now.
    await apply(guest, { memory: '1280Mi' });
    await stack.reaches(guest.name, 'Converged');
    expect(await claim(guest)).toContain('<claim');
    await work.free();
  });
});
