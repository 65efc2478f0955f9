/** Guests that don't give memory up: nothing is lost, everything is told. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { VirtualMachineMemory } from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import { pathOf } from '../lab/api-client.ts';
import { describeLab } from '../lab/describe.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { startLab } from '../lab/lab.ts';
import { namespace, type Stack, startStack } from '../lab/stack.ts';
import { waitFor } from '../lab/wait.ts';
import { installPlugin, type KubectlDimmer } from '../support/kubectl-dimmer.ts';

/** The devices of a domain except its memory modules, to see that nothing else was touched. */
const otherDevices = (xml: string): string =>
  xml
    .replace(/<memory model='dimm'>.*?<\/memory>/gs, '')
    .replace(/<(memory|currentMemory|metadata)\b.*?<\/\1>/gs, '')
    .replaceAll(/\s+/g, ' ');

const hotplugReady = ({ status }: VirtualMachineMemory) =>
  status?.conditions?.find(({ type }) => type === 'HotplugReady');

await describeLab('guests that do not give memory up', () => {
  let stack: Stack;
  let dimmer: KubectlDimmer['dimmer'];
  beforeAll(async () => {
    const kinds = ['refusing', 'mixed', 'silent', 'accepting'] as const;
    const lab = await startLab({ controlPlane: 'shared', guests: kinds.map((kind) => ({ kind, name: kind })) });
    stack = await startStack(lab);
    ({ dimmer } = installPlugin(lab.controlPlane));
  });
  afterAll(() => stack.stop());

  const apply = async (guest: LabGuest, memory: string) => {
    const applied = await stack.apply(stack.manifest(guest.name, guest.uuid, { memory, growPolicy: 'Whole' }));
    expect(applied.code, applied.stderr).toBe(0);
  };
  const grow = async (guest: LabGuest, memory: string) => {
    await apply(guest, memory);
    return stack.reaches(guest.name, 'Converged');
  };

  // Each has a guest of its own; one of them kills the controller under all.
  it.concurrent('names the module that a guest refuses, and leaves all as it was', async () => {
    const guest = stack.lab.guest('refusing');
    await grow(guest, '1Gi');
    const total = await guest.memTotalKiB();
    const work = await guest.useMemory(64);
    const devices = otherDevices(await guest.dumpXml());

    await apply(guest, '512Mi');
    const object = await stack.reaches(guest.name, 'GuestRefused');
    const accepted = object.status?.conditions?.find(({ type }) => type === 'GuestAccepted');
    expect(accepted).toMatchObject({ status: 'False', reason: 'GuestRefused' });
    expect(accepted?.message).toContain('ua-dimmer-0');
    expect(object.status?.modules).toMatchObject([{ alias: 'ua-dimmer-0', state: 'Refused', refusals: 1 }]);
    expect(object.status?.memory?.current).toBe('1Gi');
    expect(await guest.memTotalKiB()).toBe(total);
    expect(await work.isAlive()).toBe(true);
    expect(otherDevices(await guest.dumpXml())).toBe(devices);

    const why = await dimmer('why', `${namespace}/refusing`);
    expect([why.code, why.stderr]).toEqual([0, '']);
    const paragraph = why.stdout.replaceAll(/\s+/g, ' ');
    expect(paragraph).toContain('wants 512Mi and has 1Gi.');
    expect(paragraph).toMatch(
      /The guest refused ua-dimmer-0 \(512Mi, slot 0\) once, last \S+ ago, and is asked again in/,
    );
    expect(paragraph).toContain('What would help: ');
    const again = await dimmer('resize', `${namespace}/refusing`, '512Mi', '--yes', '--wait');
    expect([again.code, again.stderr]).toEqual([2, '']);
    expect(again.stdout).toContain('GuestRefused');

    // The quarantine lasts a minute: a restarted controller keeps to it, and asks again when it is over.
    const retryAfter = Date.parse(object.status?.modules?.[0]?.retryAfter ?? '');
    await stack.controller.stop('SIGKILL');
    await stack.controller.start();
    const later = await waitFor(
      async () => {
        const now = await stack.read(guest.name);
        return now.status?.modules?.[0]?.refusals === 2 ? now : undefined;
      },
      { what: 'the second refusal', timeoutMs: 90_000, intervalMs: 500 },
    );
    expect(Date.parse(later.status?.modules?.[0]?.refusedAt ?? '')).toBeGreaterThanOrEqual(retryAfter);
    await work.free();
    expect(hotplugReady(later)).toMatchObject({
      ...{ status: 'True', reason: 'GuestRefused' },
      message: expect.stringMatching(/^the guest has refused to give up ua-dimmer-0 \(2 times, last at /) as string,
    });
    // Its cause is gone, and the words with it.
    await guest.refuse(false);
    const annotations = { 'dimmer.dev/reconcile-requested-at': 'now' };
    await stack.lab.controlPlane.api.merge(pathOf('vmmem', guest.name, namespace), { metadata: { annotations } });
    await stack.reaches(guest.name, 'Converged');
    await waitFor(async () => hotplugReady(await stack.read(guest.name))?.reason === 'AsExpected', {
      ...{ what: 'HotplugReady without a refusal', timeoutMs: 30_000 },
      details: async () => JSON.stringify(hotplugReady(await stack.read(guest.name))),
    });
  });

  it.concurrent('takes another set when one module of several is refused', async () => {
    const guest = stack.lab.guest('mixed');
    await guest.onlineAs('kernel');
    await grow(guest, '1Gi');
    await guest.onlineAs('movable');
    await grow(guest, '1280Mi');
    await grow(guest, '1536Mi');
    // 512Mi less: the one module of 512Mi comes first, is refused, and the two of 256Mi go instead.
    await apply(guest, '1Gi');
    const object = await stack.reaches(guest.name, 'Converged');
    expect(object.status?.modules).toMatchObject([{ slot: 0, size: '512Mi', refusals: 1 }]);
    expect(await guest.moduleAliases()).toEqual(['ua-dimmer-0']);
  });

  it.concurrent('does not even ask a guest that is using the memory', async () => {
    const guest = stack.lab.guest('accepting');
    await grow(guest, '1Gi');
    const work = await guest.useMemory(700);
    await waitFor(async () => (await guest.memInfoKiB('MemAvailable')) < 300 * 1024, {
      what: 'the memory to be used',
      timeoutMs: 20_000,
    });
    // What the host knows is up to 2 s old; once it has reported the use, the guest isn't asked.
    await waitFor(
      async () => {
        const stats = await stack.lab.hypervisor.virshOk(['dommemstat', guest.uuid]);
        return Number(/usable (\d+)/.exec(stats)?.[1]) < 300 * 1024;
      },
      { what: 'the statistics to show it', timeoutMs: 20_000 },
    );
    const name = `${namespace}/${guest.name}`;
    const waited = await dimmer('resize', name, '512Mi', '--yes', '--wait', '--timeout=3s');
    expect([waited.code, waited.stderr]).toEqual([4, '']);
    expect(waited.stdout).toMatch(
      /The time is over, and it goes on; 'kubectl dimmer\s+why tenants\/accepting'\s+says\s+more\.\n$/,
    );
    const object = await stack.reaches(guest.name, 'GuestMemoryInUse');
    expect(object.status?.modules).toMatchObject([{ state: 'Plugged' }]);
    expect(await work.isAlive()).toBe(true);
    const plan = await dimmer('plan', name);
    expect([plan.code, plan.stderr]).toEqual([2, '']);
    expect(plan.stdout.replaceAll(/\s+/g, ' ')).toContain("guest can't spare the 512Mi that would leave: ");
    await work.free();
    await stack.reaches(guest.name, 'Converged');
    expect(await guest.moduleAliases()).toEqual([]);
  });

  it.concurrent('reports silence as unknown, and finishes when the guest at last lets go', async () => {
    const guest = stack.lab.guest('silent');
    await grow(guest, '1Gi');
    await guest.waitPinned();
    const applied = await stack.apply(
      stack.manifest(guest.name, guest.uuid, { memory: '512Mi', growPolicy: 'Whole', unplugTimeout: '5s' }),
    );
    expect(applied.code, applied.stderr).toBe(0);
    const object = await stack.reaches(guest.name, 'UnplugUnknown');
    expect(object.status?.modules).toMatchObject([{ alias: 'ua-dimmer-0', state: 'Leaving' }]);
    expect(await guest.moduleAliases()).toEqual(['ua-dimmer-0']);
    const silent = await dimmer('resize', `${namespace}/silent`, '512Mi', '--yes', '--wait', '--timeout=1s');
    expect([silent.code, silent.stderr]).toEqual([4, '']);
    const why = await dimmer('why', `${namespace}/silent`);
    expect(why.stdout.replaceAll(/\s+/g, ' ')).toMatch(/The guest was asked for ua-dimmer-0 .* and still has it\./);
    await guest.letGo();
    await stack.reaches(guest.name, 'Converged');
    expect(await guest.moduleAliases()).toEqual([]);
  });
});
