import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeLab } from '../../lab/describe.ts';
import { type EventWatch, type LabEvent, watchEvents } from '../../lab/hypervisor-events.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { run } from '../../lab/run.ts';
import { waitFor } from '../../lab/wait.ts';

const GONE_TIMEOUT_MS = 45_000;

await describeLab(
  'guests of the lab',
  () => {
    let lab: Lab;
    let watch: EventWatch;

    beforeAll(async () => {
      const twoNodes = [
        { mib: 384, vcpus: 1 },
        { mib: 128, vcpus: 1 },
      ];
      lab = await startLab({
        guests: [
          { kind: 'accepting', nodes: twoNodes },
          { kind: 'refusing' },
          { kind: 'mixed' },
          { kind: 'silent' },
          { kind: 'no-os' },
        ],
      });
      watch = await watchEvents(lab.hypervisor);
    });

    afterAll(async () => {
      await watch.stop();
      await lab.stop();
    });

    /** Plugs a module and waits until the guest has most of it; the rest is the kernel's page table. */
    async function plugAndGrow(guest: LabGuest, mib: number, alias: string, node = 0): Promise<void> {
      const before = await guest.memTotalKiB();
      await guest.plugDimm(mib, alias, node);
      await waitFor(async () => (await guest.memTotalKiB()) >= before + mib * 1024 * 0.9, {
        what: `${guest.name} to have ${mib} MiB more`,
        timeoutMs: 45_000,
      });
    }

    async function untilGone(guest: LabGuest, alias: string): Promise<void> {
      await waitFor(async () => !(await guest.moduleAliases()).includes(alias), {
        what: `${alias} to leave ${guest.name}`,
        timeoutMs: GONE_TIMEOUT_MS,
      });
    }

    const about =
      (guest: LabGuest, name: string, alias: string) =>
      (event: LabEvent): boolean =>
        event.domain === guest.name && event.name === name && event.detail === alias;

    test('an accepting guest grows on the NUMA node asked for, and gives the module back', async () => {
      const guest = lab.guest('accepting');
      const before = await guest.memTotalKiB();
      await plugAndGrow(guest, 512, 'ua-a', 1);
      const node1 = await guest.shOk(`grep MemTotal /sys/devices/system/node/node1/meminfo`);
      expect(Number(/(\d+) kB/.exec(node1)?.[1])).toBeGreaterThan(512 * 1024);
      await guest.unplugDimm('ua-a');
      await watch.waitFor(about(guest, 'device-removed', 'ua-a'), 'device-removed', GONE_TIMEOUT_MS);
      expect(await guest.moduleAliases()).toEqual([]);
      expect(await guest.memTotalKiB()).toBe(before);
    });

    test('a process in a guest really uses memory, and can be asked whether it lives', async () => {
      const guest = lab.guest('accepting');
      const before = await guest.memInfoKiB('MemAvailable');
      const use = await guest.useMemory(100);
      expect(before - (await guest.memInfoKiB('MemAvailable'))).toBeGreaterThan(90 * 1024);
      expect(await use.isAlive()).toBe(true);
      await use.free();
      expect(await use.isAlive()).toBe(false);
    });

    test('a refusing guest keeps the module and says so, until it changes its mind', async () => {
      const guest = lab.guest('refusing');
      await plugAndGrow(guest, 256, 'ua-r');
      await guest.unplugDimm('ua-r');
      await watch.waitFor(about(guest, 'device-removal-failed', 'ua-r'), 'device-removal-failed', GONE_TIMEOUT_MS);
      expect(await guest.moduleAliases()).toEqual(['ua-r']);
      await guest.refuse(false);
      await guest.unplugDimm('ua-r');
      await untilGone(guest, 'ua-r');
    });

    test('a mixed guest refuses the one module that its kernel uses', async () => {
      const guest = lab.guest('mixed');
      await plugAndGrow(guest, 128, 'ua-free1');
      await guest.onlineAs('kernel');
      await plugAndGrow(guest, 128, 'ua-used');
      await guest.onlineAs('movable');
      await plugAndGrow(guest, 128, 'ua-free2');
      await guest.unplugDimm('ua-used');
      await watch.waitFor(about(guest, 'device-removal-failed', 'ua-used'), 'device-removal-failed', GONE_TIMEOUT_MS);
      for (const alias of ['ua-free1', 'ua-free2']) {
        await guest.unplugDimm(alias);
        await untilGone(guest, alias);
      }
      expect(await guest.moduleAliases()).toEqual(['ua-used']);
    });

    test('a silent guest says nothing, even to a restarted libvirtd, until it lets go', async () => {
      const guest = lab.guest('silent');
      await plugAndGrow(guest, 256, 'ua-s');
      await guest.waitPinned();
      await guest.unplugDimm('ua-s');
      // The kernel is at work on the removal: from here on only an answer could come.
      await waitFor(
        async () => (await guest.shOk('cat /sys/devices/system/memory/memory*/state')).includes('going-offline'),
        {
          what: 'the guest to begin the removal',
          timeoutMs: 10_000,
        },
      );
      await lab.hypervisor.killDaemon();
      await lab.hypervisor.startDaemon();
      await watch.stop();
      watch = await watchEvents(lab.hypervisor);
      expect(await guest.moduleAliases()).toEqual(['ua-s']);
      expect(watch.events.filter((event) => event.domain === guest.name)).toEqual([]);
      await guest.letGo();
      await watch.waitFor(about(guest, 'device-removed', 'ua-s'), 'device-removed', GONE_TIMEOUT_MS);
      expect(await guest.moduleAliases()).toEqual([]);
    });

    test('a guest without an operating system takes a module, and a request to give it back, without a word', async () => {
      const guest = lab.guest('no-os');
      await guest.plugDimm(128, 'ua-n');
      await guest.unplugDimm('ua-n');
      expect(await guest.moduleAliases()).toEqual(['ua-n']);
      await expect(guest.sh('true')).rejects.toThrow(/no shell/);
    });

    test('a reset guest boots again, with its modules', async () => {
      const guest = lab.guest('refusing');
      await guest.plugDimm(128, 'ua-boot');
      const bootId = 'cat /proc/sys/kernel/random/boot_id';
      const before = await guest.shOk(bootId);
      await guest.reset();
      await guest.waitReady();
      expect(await guest.moduleAliases()).toEqual(['ua-boot']);
      expect(await guest.shOk(bootId)).not.toBe(before);
    });
  },
  ['hypervisor'],
);

await describeLab('labs side by side', () => {
  test('do not disturb each other, and leave nothing behind', async () => {
    const guests = [{ kind: 'no-os', name: 'same-name' }] as const;
    const labs = await Promise.all([startLab({ controlPlane: {}, guests }), startLab({ controlPlane: {}, guests })]);
    const [first, second] = labs;
    try {
      await first.controlPlane.kubectlOk(['create', 'namespace', 'only-here']);
      const { code } = await second.controlPlane.kubectl(['get', 'namespace', 'only-here']);
      expect(code).not.toBe(0);
      const [firstPids, secondPids] = [processesOf(first), processesOf(second)];
      expect([...firstPids, ...secondPids].every(isAlive)).toBe(true);
      await first.stop();
      expect(firstPids.filter(isAlive)).toEqual([]);
      expect(existsSync(first.hypervisor.directory)).toBe(false);
      expect(existsSync(first.controlPlane.directory)).toBe(false);
      expect(await second.controlPlane.kubectlOk(['version'])).toContain('Server Version');
      expect(await second.hypervisor.virshOk(['list', '--name'])).toContain('same-name');
      await second.stop();
      expect(secondPids.filter(isAlive)).toEqual([]);
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(first.hypervisor.directory);
    } finally {
      await Promise.all(labs.map((lab) => lab.stop()));
    }
  });

  test('end even when the process that started them is killed', async () => {
    const { stdout, stderr } = await run(process.execPath, [join(import.meta.dirname, 'abandoned-lab.ts')]);
    const pids = JSON.parse(stdout) as number[];
    expect(pids.length, stderr).toBeGreaterThan(4);
    await waitFor(() => !pids.some(isAlive), { what: 'the processes of an abandoned lab to end', timeoutMs: 10_000 });
  });
});

function processesOf(lab: Lab): number[] {
  return [...lab.controlPlane.pids(), ...lab.hypervisor.pids()];
}

/** A zombie, which only its parent can reap, is not alive. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
