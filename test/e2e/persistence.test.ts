/** Sizes that survive a restart, on real guests: started from the stored definition, restored, reverted, changed by hand. */
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { findCondition } from '../../src/api/v1alpha1/conditions.ts';
import type { VirtualMachineMemory } from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import { beside } from '../lab/beside.ts';
import { describeLab } from '../lab/describe.ts';
import { startGuest } from '../lab/guest.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { startLab } from '../lab/lab.ts';
import { writeEmptyDisk } from '../lab/qcow2.ts';
import { runOk } from '../lab/run.ts';
import { namespace, type Stack, startStack } from '../lab/stack.ts';
import { waitFor } from '../lab/wait.ts';
import { documented } from '../support/documents.ts';

vi.setConfig({ maxConcurrency: 2 });

await describeLab('a size that survives a restart', () => {
  let stack: Stack;
  let snapped: LabGuest;
  beforeAll(async () => {
    const lab = await startLab({ controlPlane: 'shared', guests: [{ kind: 'accepting', name: 'kept' }] });
    const disk = join(lab.hypervisor.directory, 'snapped.qcow2');
    writeEmptyDisk(disk);
    [stack, snapped] = await Promise.all([
      startStack(lab),
      startGuest(lab.hypervisor, {
        ...{ kind: 'accepting', name: 'snapped', maxMemoryMib: 1024 },
        // Else it takes long until a page of each block is pinned.
        kernelArgs: ['page_alloc.shuffle=1'],
        extraDevicesXml: `<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${disk}'/><target dev='vda' bus='virtio'/></disk>`,
      }),
    ]);
  });
  afterAll(() => stack.stop());

  const virsh = (...args: readonly string[]) => stack.lab.hypervisor.virshOk(args);
  const inside = async (command: string, ...args: readonly string[]): Promise<string> =>
    runOk(...stack.lab.hypervisor.commandInside(command, args), { timeoutMs: 120_000 });
  const apply = async (name: string, uuid: string, spec: Record<string, unknown>) => {
    const wish = { persistence: 'LiveAndConfig', growPolicy: 'Whole', ...spec };
    const applied = await stack.apply(stack.manifest(name, uuid, wish));
    expect(applied.code, applied.stderr).toBe(0);
  };
  const brief = ({ status }: VirtualMachineMemory): string =>
    JSON.stringify({
      memory: status?.memory,
      conditions: status?.conditions?.map(({ type, status: is, reason, message }) => [type, is, reason, message]),
    });
  const readUntil = async (name: string, what: string, holds: (object: VirtualMachineMemory) => boolean) => {
    let last = '';
    const probe = async () => {
      const object = await stack.read(name);
      last = brief(object);
      return holds(object) ? object : undefined;
    };
    return waitFor(probe, { what, timeoutMs: 90_000, intervalMs: 100, details: () => last });
  };
  /** Waits until Persisted has that reason, for the newest generation. */
  const persisted = (name: string, reason: string) =>
    readUntil(name, `${name}'s Persisted to say ${reason}`, ({ status, metadata }) => {
      const condition = findCondition(status?.conditions, 'Persisted');
      return condition?.reason === reason && condition.observedGeneration === metadata.generation;
    });
  const messageOf = ({ status }: VirtualMachineMemory, type: string) =>
    findCondition(status?.conditions, type)?.message;
  const stored = (name: string): Promise<string> => virsh('dumpxml', name, '--inactive');
  const modulesIn = (xml: string): readonly string[] =>
    (xml.match(/<memory model='dimm'[\s\S]*?<\/memory>/g) ?? []).map((module) => module.replaceAll(/\s*\n\s*/g, ''));
  /** All of a definition but modules and what counts them. */
  const restOf = (xml: string): string =>
    xml
      .replaceAll(/ *<memory model='dimm'[\s\S]*?<\/memory>\n/g, '')
      .replaceAll(/ *<(memory|currentMemory) [^\n]*\n/g, '');
  const dimm = (slot: number, mib: number): string =>
    `<memory model='dimm'><target><size unit='KiB'>${mib * 1024}</size><node>0</node></target>` +
    `<alias name='ua-dimmer-${slot}'/><address type='dimm' slot='${slot}'/></memory>`;
  /** The definition has the modules that the guest has, and no place for them: a start finds one. */
  async function expectAsRunning(name: string): Promise<void> {
    const running = modulesIn(await virsh('dumpxml', name));
    expect(running).not.toEqual([]);
    expect(modulesIn(await stored(name)).toSorted()).toEqual(
      running.map((module) => module.replace(/ base='[^']*'/, '')).toSorted(),
    );
  }
  const define = (name: string, xml: string) => {
    const file = join(stack.lab.hypervisor.directory, `${name}-edited.xml`);
    writeFileSync(file, xml);
    return virsh('define', file);
  };
  const claim = (name: string) =>
    stack.lab.hypervisor.virsh(['metadata', name, 'https://dimmer.dev/xmlns/state/1', '--live']).then((r) => r.stdout);
  /** It has the size, by a start and not by plugging: no resize was begun since. */
  async function hasWithoutPlugging(name: string, before: VirtualMachineMemory, runs: string): Promise<void> {
    const now = await readUntil(name, `${name} to have its size in another run`, ({ status }) => {
      const { virtualMachine, memory, conditions } = status ?? {};
      return (
        virtualMachine?.runtimeId !== runs &&
        memory?.current === before.status?.memory?.current &&
        findCondition(conditions, 'Ready')?.reason === 'Converged' &&
        findCondition(conditions, 'Persisted')?.status === 'True'
      );
    });
    expect(now.status?.lastResize).toEqual(before.status?.lastResize);
  }

  beside('one guest', () => {
    const guest = () => stack.lab.guest('accepting');

    it('what is plugged is in the stored definition once the guest has it, with slot and alias, and nothing else of it is touched', async () => {
      const before = await stored('kept');
      await apply('kept', guest().uuid, { memory: '1Gi' });
      const wait = documented('docs/user-guide.md', '`kubectl wait vmmem/NAME --for=condition=Persisted`');
      const [, ...args] = wait.text.replace('NAME', 'kept').split(' ');
      await stack.lab.controlPlane.kubectlOk([...args, '-n', namespace, '--timeout=60s']);
      const { status } = await persisted('kept', 'AsExpected');
      expect(status?.memory).toMatchObject({ current: '1Gi', atNextBoot: '1Gi' });
      const after = await stored('kept');
      expect(modulesIn(after)).toEqual([dimm(0, 512)]);
      expect(restOf(after)).toBe(restOf(before));
      expect(after).toMatch(/<memory unit='KiB'>1048576<\/memory>/);
    });

    it('managed save and start: the size, the claim and the definition are as they were', async () => {
      const before = await stack.read('kept');
      const held = await claim('kept');
      expect(held).toContain('<claim');
      await virsh('managedsave', 'kept');
      await virsh('start', 'kept');
      await hasWithoutPlugging('kept', before, before.status?.virtualMachine?.runtimeId ?? '');
      expect(await claim('kept')).toBe(held);
    });

    it('destroyed and started: the guest has it all at once, and gives back what it was started with', async () => {
      const before = await stack.read('kept');
      await virsh('destroy', 'kept');
      await stack.reaches('kept', 'VMNotRunning');
      await guest().start();
      expect(await guest().moduleAliases()).toEqual(['ua-dimmer-0']);
      expect(await guest().memTotalKiB()).toBeGreaterThan(900 * 1024);
      await hasWithoutPlugging('kept', before, before.status?.virtualMachine?.runtimeId ?? '');
      await apply('kept', guest().uuid, { memory: '512Mi' });
      const { status } = await persisted('kept', 'AsExpected');
      expect(status?.memory).toMatchObject({ current: '512Mi', atNextBoot: '512Mi' });
      expect(modulesIn(await stored('kept'))).toEqual([]);
    });

    it('RestartRequired: below its boot memory, which the definition is then given', async () => {
      // As a new resource: of one whose sizes are known the API server refuses that.
      await stack.lab.controlPlane.kubectlOk(['delete', 'vmmem', 'kept', '-n', namespace]);
      await apply('kept', guest().uuid, { memory: '384Mi' });
      const asked = await stack.reaches('kept', 'BelowBootMemory');
      const change = 'lower its boot memory of 512Mi (<memory> less its modules) to at most 384Mi';
      const restart = 'shut it down and start it: a reboot of the guest changes nothing';
      expect(messageOf(asked, 'RestartRequired')).toBe(
        `${change} in its stored definition (virsh edit kept), then ${restart}`,
      );
      const xml = await stored('kept');
      await define('kept', xml.replaceAll(String(512 * 1024), String(384 * 1024)));
      const already = await readUntil('kept', 'RestartRequired to know of it', (object) =>
        (messageOf(object, 'RestartRequired') ?? '').includes('already'),
      );
      expect(messageOf(already, 'RestartRequired')).toBe(
        `${change}: its stored definition says so already; ${restart}`,
      );
      await guest().destroy();
      await guest().start();
      const { status } = await persisted('kept', 'AsExpected');
      expect(status?.memory).toMatchObject({ current: '384Mi', atNextBoot: '384Mi', boot: '384Mi' });
      expect(findCondition(status?.conditions, 'RestartRequired')?.status).toBe('False');
    });

    it('changed by hand: what is in the way is told, and modules that are missing are written again', async () => {
      await apply('kept', guest().uuid, { memory: '1Gi' });
      await persisted('kept', 'AsExpected');
      const xml = await stored('kept');
      await define('kept', xml.replace(/(<maxMemory slots=')\d+/, '$18'));
      const told = messageOf(await persisted('kept', 'DefinitionDiffers'), 'Persisted');
      expect(told).toBe(
        'the stored definition has slots of 8 and the running VM of 16: shut the VM down and start it, or set that back (virsh edit kept)',
      );
      await define('kept', xml.replaceAll(/ *<memory model='dimm'[\s\S]*?<\/memory>\n/g, ''));
      await waitFor(async () => modulesIn(await stored('kept')).length === 1, {
        ...{ what: 'the module to be written again', timeoutMs: 60_000, intervalMs: 200 },
      });
      await persisted('kept', 'AsExpected');
      await expectAsRunning('kept');
    });

    it('made transient: said so; defined again: written', async () => {
      const xml = await stored('kept');
      await virsh('undefine', 'kept');
      const object = await persisted('kept', 'TransientVM');
      expect(object.status?.memory).not.toHaveProperty('atNextBoot');
      expect(findCondition(object.status?.conditions, 'Ready')?.reason).toBe('Converged');
      await define('kept', xml.replaceAll(/ *<memory model='dimm'[\s\S]*?<\/memory>\n/g, ''));
      await persisted('kept', 'AsExpected');
      await expectAsRunning('kept');
    });
  });

  beside('a guest with snapshots', () => {
    it('rebooted by the guest: QEMU goes on, and so does all that it has', async () => {
      await apply('snapped', snapped.uuid, { memory: '768Mi' });
      const before = await persisted('snapped', 'AsExpected');
      await snapped.reset();
      await snapped.waitReady();
      expect(await snapped.memTotalKiB()).toBeGreaterThan(650 * 1024);
      const { status } = await persisted('snapped', 'AsExpected');
      expect(status?.lastResize).toEqual(before.status?.lastResize);
      expect(status?.virtualMachine).toEqual(before.status?.virtualMachine);
    });

    it('reverted: the older claim, modules and definition come back, and the size is reached and stored again', async () => {
      const held = await claim('snapped');
      await virsh('snapshot-create-as', 'snapped', 'before');
      await apply('snapped', snapped.uuid, { memory: '1Gi' });
      const grown = await persisted('snapped', 'AsExpected');
      expect(modulesIn(await stored('snapped'))).toHaveLength(2);
      await stack.controller.stop();
      await snapped.goesOnBy(() => virsh('snapshot-revert', 'snapped', 'before', '--running', '--force'));
      expect(await claim('snapped')).toBe(held);
      expect(modulesIn(await stored('snapped'))).toHaveLength(1);
      await stack.controller.start();
      await readUntil('snapped', 'it to be grown again', ({ status }) => {
        const { virtualMachine, memory, conditions } = status ?? {};
        return (
          virtualMachine?.runtimeId !== grown.status?.virtualMachine?.runtimeId &&
          memory?.current === '1Gi' &&
          memory.atNextBoot === '1Gi' &&
          findCondition(conditions, 'Ready')?.reason === 'Converged' &&
          findCondition(conditions, 'Persisted')?.status === 'True'
        );
      });
      expect(modulesIn(await stored('snapped'))).toHaveLength(2);
    });

    it('reverted to the middle of an unplug: that module is still leaving, no other is asked, and it goes when the guest lets go', async () => {
      await snapped.pin();
      await apply('snapped', snapped.uuid, { memory: '768Mi' });
      const leaving = ({ status }: VirtualMachineMemory) =>
        (status?.modules ?? []).flatMap(({ slot, state, leavingSince }) =>
          state === 'Leaving' ? [{ slot, leavingSince }] : [],
        );
      const asked = await readUntil('snapped', 'a module to be leaving', (object) => leaving(object).length === 1);
      await virsh('snapshot-create-as', 'snapped', 'midway');
      await snapped.letGo();
      const shrunk = await persisted('snapped', 'AsExpected');
      expect(shrunk.status?.memory).toMatchObject({ current: '768Mi', atNextBoot: '768Mi' });

      // The agent hears of the start, which is none of the guest's: that goes on giving what it was asked for.
      await snapped.goesOnBy(() => virsh('snapshot-revert', 'snapped', 'midway', '--running', '--force'));
      const back = await readUntil('snapped', 'the run of the snapshot to be waited for', ({ status }) => {
        const { virtualMachine, memory, conditions } = status ?? {};
        return (
          virtualMachine?.runtimeId !== shrunk.status?.virtualMachine?.runtimeId &&
          memory?.current === '1Gi' &&
          // While libvirt reverts it is busy.
          ['Unplugging', 'UnplugUnknown'].includes(findCondition(conditions, 'Ready')?.reason ?? '')
        );
      });
      expect(leaving(back)).toEqual(leaving(asked));
      await snapped.letGo();
      const { status } = await persisted('snapped', 'AsExpected');
      expect(status?.memory).toMatchObject({ current: '768Mi', atNextBoot: '768Mi' });
      await expectAsRunning('snapped');
    });

    it('RestartRequired says to change the definition, then only to restart, and clears itself', async () => {
      await apply('snapped', snapped.uuid, { memory: '1280Mi' });
      const asked = await stack.reaches('snapped', 'ExceedsMaxMemory');
      const change = 'raise <maxMemory> to at least 1280Mi';
      const restart = 'shut it down and start it: a reboot of the guest changes nothing';
      expect(messageOf(asked, 'RestartRequired')).toBe(
        `${change} in its stored definition (virsh edit snapped), then ${restart}`,
      );
      const xml = await stored('snapped');
      await define('snapped', xml.replace(/(<maxMemory [^>]*>)\d+/, '$12097152'));
      const already = await readUntil('snapped', 'RestartRequired to know of it', (object) =>
        (messageOf(object, 'RestartRequired') ?? '').includes('already'),
      );
      expect(messageOf(already, 'RestartRequired')).toBe(
        `${change}: its stored definition says so already; ${restart}`,
      );
      await snapped.destroy();
      await snapped.start();
      const { status } = await persisted('snapped', 'AsExpected');
      expect(status?.memory).toMatchObject({ current: '1280Mi', atNextBoot: '1280Mi', max: '2Gi' });
      expect(findCondition(status?.conditions, 'RestartRequired')?.status).toBe('False');
    });
  });

  it('a definition that cannot be written is a condition, and a crash before it can be is made up for', async () => {
    // A file system of its own, as full as can be.
    const fill = [
      'cp -a /etc/libvirt/qemu /var/lib/libvirt/definitions',
      'mount -t tmpfs -o size=256k tmpfs /etc/libvirt/qemu',
      'cp -a /var/lib/libvirt/definitions/. /etc/libvirt/qemu/',
      '{ dd if=/dev/zero of=/etc/libvirt/qemu/full bs=4k 2>/dev/null || true; }',
    ];
    await inside('sh', '-c', fill.join(' && '));
    try {
      await apply('kept', stack.lab.guest('accepting').uuid, { memory: '1536Mi' });
      const object = await persisted('kept', 'DefinitionNotWritten');
      expect(messageOf(object, 'Persisted')).toMatch(
        /^the stored definition could not be written: libvirt: .*No space left on device.* \(error \d+\); tried \d+ times?, again at /,
      );
      expect(findCondition(object.status?.conditions, 'Ready')).toMatchObject({
        status: 'True',
        reason: 'Converged',
      });
      expect(object.status?.memory).toMatchObject({ current: '1536Mi', atNextBoot: '1Gi' });
      expect(object.status?.lastResize).toHaveProperty('completionTime');
      // All that took part in the running change dies before the stored one is made.
      await stack.controller.stop('SIGKILL');
      await stack.agent.stop('SIGKILL');
      await stack.lab.hypervisor.killDaemon();
    } finally {
      await inside('umount', '-l', '/etc/libvirt/qemu');
    }
    await stack.lab.hypervisor.startDaemon();
    await stack.agent.start();
    await stack.controller.start();
    await persisted('kept', 'AsExpected');
    await expectAsRunning('kept');
  });
});
