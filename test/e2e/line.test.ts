/** The thin line through the whole product: `kubectl apply` resizes a real guest, up and down. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeLab } from '../lab/describe.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { startLab } from '../lab/lab.ts';
import { namespace, type Stack, startStack } from '../lab/stack.ts';
import { waitFor } from '../lab/wait.ts';

const kib = (mib: number): number => mib * 1024;

await describeLab('the line', () => {
  let stack: Stack;
  let guest: LabGuest;
  let bootTotal: number;
  beforeAll(async () => {
    const lab = await startLab({ controlPlane: 'shared', guests: [{ kind: 'accepting', name: 'db-1' }] });
    stack = await startStack(lab);
    guest = lab.guest('accepting');
    bootTotal = await guest.memTotalKiB();
  });
  afterAll(() => stack.stop());

  const kubectl = (...args: string[]) => stack.lab.controlPlane.kubectlOk([...args, `--namespace=${namespace}`]);
  const resize = async (memory: string) => {
    const applied = await stack.apply(stack.manifest('db-1', guest.uuid, { memory, growPolicy: 'Whole' }));
    expect(applied.stderr).toBe('');
    await kubectl('wait', '--for=condition=Ready', '--timeout=60s', 'vmmem/db-1');
    // A Ready of the generation before may still have stood when kubectl looked.
    return stack.reaches('db-1', 'Converged');
  };

  it('plugs memory that the guest itself shows', async () => {
    const object = await resize('896Mi');
    expect(object.status).toMatchObject({
      hostName: 'hv-1',
      virtualMachine: { uuid: guest.uuid, name: 'db-1', state: 'Running' },
      memory: { boot: '512Mi', plugged: '384Mi', current: '896Mi', target: '896Mi', max: '8Gi' },
      modules: [{ slot: 0, alias: 'ua-dimmer-0', size: '384Mi', state: 'Plugged' }],
    });
    expect(await guest.memTotalKiB()).toBe(bootTotal + kib(384));
    expect(await guest.moduleAliases()).toEqual(['ua-dimmer-0']);
  });

  it('shows Desired, Current, Ready and Reason', async () => {
    const [header, row] = (await kubectl('get', 'vmmem')).trim().split('\n');
    expect(header?.split(/\s+/)).toEqual(['NAME', 'VM', 'DESIRED', 'CURRENT', 'READY', 'REASON', 'AGE']);
    expect(row?.split(/\s+/).slice(0, 6)).toEqual(['db-1', 'db-1', '896Mi', '896Mi', 'True', 'Converged']);
    const host = (await stack.lab.controlPlane.kubectlOk(['get', 'hvh', 'hv-1', '--no-headers'])).trim();
    expect(host).toContain('True');
    const events = await kubectl('get', 'events.events.k8s.io');
    expect(events).toContain('resized from 512Mi to 896Mi');
  });

  it('unplugs an exact set of modules, not the largest first', async () => {
    await resize('1152Mi');
    await resize('1408Mi');
    expect(await guest.memTotalKiB()).toBe(bootTotal + kib(896));
    const object = await resize('896Mi');
    expect(object.status?.modules?.map(({ size }) => size)).toEqual(['384Mi']);
    expect(await guest.moduleAliases()).toEqual(['ua-dimmer-0']);
    await waitFor(async () => (await guest.memTotalKiB()) === bootTotal + kib(384), {
      what: 'MemTotal to fall',
      timeoutMs: 10_000,
    });
  });

  it('is refused by the API server when no set of modules makes the size', async () => {
    const before = await stack.read('db-1');
    const refused = await stack.apply(stack.manifest('db-1', guest.uuid, { memory: '640Mi', growPolicy: 'Whole' }));
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('640Mi');
    expect(refused.stderr).toContain('512Mi');
    expect(refused.stderr).toContain('896Mi');
    expect((await stack.read('db-1')).metadata.generation).toBe(before.metadata.generation);
  });

  it('warns instead in a namespace labelled for it, and the status says the same', async () => {
    await stack.lab.controlPlane.kubectlOk(['label', 'namespace', namespace, 'dimmer.dev/unreachable-size=warn']);
    // The API server learns of the label by a watch of its own.
    const warned = await waitFor(
      async () => {
        const applied = await stack.apply(stack.manifest('db-1', guest.uuid, { memory: '640Mi', growPolicy: 'Whole' }));
        return applied.code === 0 ? applied : undefined;
      },
      { what: 'the label to take effect', timeoutMs: 20_000 },
    );
    expect(warned.stderr).toContain('Warning');
    const object = await stack.reaches('db-1', 'UnreachableSize');
    expect(object.status?.reachable).toMatchObject({ below: '512Mi', above: '896Mi', complete: true });
    expect(await guest.moduleAliases()).toEqual(['ua-dimmer-0']);
    expect(await guest.memTotalKiB()).toBe(bootTotal + kib(384));
    await stack.lab.controlPlane.kubectlOk(['label', 'namespace', namespace, 'dimmer.dev/unreachable-size-']);
    await resize('896Mi');
  });

  it('gets no more on a cordoned host, gives memory back there, and gets it when the cordon ends', async () => {
    const cordon = (cordoned: boolean) =>
      stack.lab.controlPlane.kubectlOk([
        'patch',
        'hvh',
        'hv-1',
        '--type=merge',
        '-p',
        JSON.stringify({ spec: { cordoned } }),
      ]);
    const apply = (memory: string) => stack.apply(stack.manifest('db-1', guest.uuid, { memory, growPolicy: 'Whole' }));
    await cordon(true);
    await apply('1280Mi');
    await stack.reaches('db-1', 'HostCordoned');
    expect(await guest.memTotalKiB()).toBe(bootTotal + kib(384));
    await resize('512Mi');
    await waitFor(async () => (await guest.memTotalKiB()) === bootTotal, {
      ...{ what: 'MemTotal to fall', timeoutMs: 20_000 },
      details: async () => `${await guest.memTotalKiB()} KiB, ${bootTotal} at boot`,
    });
    await apply('896Mi');
    await stack.reaches('db-1', 'HostCordoned');
    await cordon(false);
    await stack.reaches('db-1', 'Converged');
    expect(await guest.memTotalKiB()).toBe(bootTotal + kib(384));
  });

  it('gives everything back', async () => {
    const object = await resize('512Mi');
    expect(object.status?.modules).toEqual([]);
    expect(await guest.moduleAliases()).toEqual([]);
    await waitFor(async () => (await guest.memTotalKiB()) === bootTotal, {
      what: 'MemTotal to fall',
      timeoutMs: 10_000,
    });
  });
});
