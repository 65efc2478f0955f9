/**
 * A host that is rebooted by its systemd: libvirt, libvirt-guests, the agent and standalone as the units that are shipped and
 * documented, so that all are ended and begun in systemd's own order.
 */
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { findCondition } from '../../src/api/v1alpha1/conditions.ts';
import type { VirtualMachineMemory } from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import { type AgentService, installAgentService, programFiles, unit } from '../integration/agent/agent-service.ts';
import { describeLab } from '../lab/describe.ts';
import { startGuest } from '../lab/guest.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { type HostWithGuests, startHostWithGuests } from '../lab/shipped-libvirt.ts';
import { root } from '../lab/stack.ts';
import { waitFor } from '../lab/wait.ts';
import { documented } from '../support/documents.ts';

const standaloneUnit = 'dimmer-standalone.service';
/** As docs/operations.md has the agent let VMs in. */
const vm = 'tenant-1';
const stateDirectory = '/var/lib/dimmer';
vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

await describeLab(
  'a host that is rebooted',
  () => {
    let host: HostWithGuests;
    let guest: LabGuest;
    let service: AgentService;

    beforeAll(async () => {
      host = await startHostWithGuests({ shows: programFiles(), keeps: [stateDirectory] });
      await configureLibvirtGuests();
      service = await installAgentService(host.machine);
      guest = await startGuest(host.hypervisor, { kind: 'accepting', name: vm });
      await installStandalone();
      await host.machine.runOk('systemctl', ['enable', '--now', unit, standaloneUnit], { timeoutMs: 90_000 });
      await reaches('the size, stored', ({ status }) => status?.memory?.atNextBoot === '1Gi');
    });
    afterAll(async () => {
      await service.client.close();
      await host.machine.stop();
    });

    /** As docs/operations.md says, with a manifest of the guest; the machine under the lab is small, and others share it. */
    async function installStandalone(): Promise<void> {
      const { machine } = host;
      const etc = machine.etcDirectory;
      await machine.runOk('install', ['-d', '-m', '0755', '/etc/dimmer/vms']);
      copyFileSync(join(root, 'deploy/standalone', standaloneUnit), join(etc, 'systemd/system', standaloneUnit));
      await machine.runOk('systemctl', ['daemon-reload']);
      const manifest = (kind: string, name: string, spec: object): void =>
        writeFileSync(
          join(etc, `dimmer/vms/${name}.json`),
          JSON.stringify({ apiVersion: 'dimmer.dev/v1alpha1', kind, metadata: { name }, spec }),
        );
      manifest('HypervisorHost', 'localhost', {
        ...{ address: 'https://localhost', allowedNamespaces: { from: 'All' } },
        ...{ memoryReserve: '256Mi', memoryOvercommit: '8.0' },
      });
      manifest('VirtualMachineMemory', vm, {
        ...{ virtualMachine: { uuid: guest.uuid }, memory: '1Gi', growPolicy: 'Whole', persistence: 'LiveAndConfig' },
      });
    }
    const stateOf = (file: string): unknown =>
      JSON.parse(
        readFileSync(
          join(host.machine.keptDirectory(stateDirectory), 'virtualmachinememories/default', vm, file),
          'utf8',
        ),
      );
    const read = (): VirtualMachineMemory => stateOf('resource.json') as VirtualMachineMemory;
    const events = (): readonly { readonly reason: string; readonly lastSeen: string }[] =>
      stateOf('events.json') as never;
    /** What was told since, also of what had been told before. */
    const since = (atMs: number) => events().filter(({ lastSeen }) => Date.parse(lastSeen) >= atMs);
    const journal = () => host.machine.runOk('journalctl', ['--no-pager', '--output=short-monotonic', '--lines=100']);
    const reaches = (what: string, holds: (object: VirtualMachineMemory) => boolean): Promise<VirtualMachineMemory> => {
      const isSo = (object: VirtualMachineMemory) =>
        object.status?.memory?.current === '1Gi' &&
        findCondition(object.status.conditions, 'Ready')?.reason === 'Converged' &&
        findCondition(object.status.conditions, 'Persisted')?.status === 'True' &&
        holds(object);
      return waitFor(
        () => {
          const object = read();
          return isSo(object) && object;
        },
        {
          ...{ what, timeoutMs: 90_000, intervalMs: 100 },
          details: async () => `${JSON.stringify(read().status)}\n${await journal()}`,
        },
      );
    };
    const isRunning = async (): Promise<true> =>
      waitFor(async () => (await host.hypervisor.virshOk(['domstate', vm])).trim() === 'running', {
        ...{ what: 'libvirt to run the guest', timeoutMs: 60_000, intervalMs: 200, details: journal },
      });
    const claim = async (): Promise<string> => {
      const { machine } = host;
      const args = ['metadata', vm, 'https://dimmer.dev/xmlns/state/1', '--live'];
      return (await machine.run('virsh', ['--connect', 'qemu:///system', ...args])).stdout;
    };
    /** As docs/operations.md says: what VMs are to be done with, and the order that the shipped unit lacks. */
    async function configureLibvirtGuests(): Promise<void> {
      const { machine } = host;
      appendFileSync(
        join(machine.etcDirectory, 'default/libvirt-guests'),
        `${documented('docs/operations.md', 'ON_SHUTDOWN=suspend').text}\n`,
      );
      const dropIns = join(machine.etcDirectory, 'systemd/system/libvirt-guests.service.d');
      mkdirSync(dropIns);
      writeFileSync(
        join(dropIns, 'order.conf'),
        `${documented('docs/operations.md', 'After=libvirtd.service').text}\n`,
      );
      await machine.runOk('systemctl', ['daemon-reload']);
    }
    /** In another run it has its size, by a start and not by plugging, and nothing that happened is called trouble. */
    const hasWithoutPlugging = async (before: VirtualMachineMemory, told: number): Promise<void> => {
      const run = before.status?.virtualMachine?.runtimeId;
      const now = await reaches('its size in another run', ({ status }) => {
        return status?.virtualMachine?.runtimeId !== run;
      });
      expect(now.status?.lastResize).toEqual(before.status?.lastResize);
      expect(now.status?.modules).toEqual(before.status?.modules);
      // True, each in its moment; nothing of drift, of a resize, or of memory that the guest hasn't taken.
      const passing = ['HostUnreachable', 'VMNotRunning', 'WaitingForGuest', 'Converged'];
      expect(passing).toEqual(expect.arrayContaining(since(told).map(({ reason }) => reason)));
    };

    test('libvirt-guests suspends and resumes it: the guest goes on with its size, and its claim is as it was', async () => {
      const before = read();
      const told = Date.now();
      const held = await claim();
      expect(held).toContain('<claim');
      await guest.shOk('echo here >/tmp/marker');
      await guest.goesOnBy(async () => {
        await host.machine.reboot();
        await isRunning();
      });
      expect(await guest.shOk('cat /tmp/marker')).toBe('here\n');
      await hasWithoutPlugging(before, told);
      expect(await claim()).toBe(held);
      // The agent is up again by itself, too, and says the same.
      const observed = await waitFor(
        async () => {
          const answer = await service.client.observe(guest.uuid);
          return answer.ok && answer.value;
        },
        { what: 'the agent to be back', timeoutMs: 45_000, intervalMs: 200, details: journal },
      );
      expect(observed).toMatchObject({ claim: { namespace: 'default' }, stored: { isSame: true, obstacle: null } });
      expect(observed.layout?.modules).toMatchObject([{ slot: 0, alias: 'ua-dimmer-0', state: 'Plugged' }]);
    });
  },
  ['hypervisor', 'machine'],
);
