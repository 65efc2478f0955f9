/** The agent beside libvirt as Debian ships it: systemd opens its socket, and polkit decides who gets in. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { codeOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabMachine } from '../../lab/machine.ts';
import { startMachineWithLibvirt } from '../../lab/shipped-libvirt.ts';
import { waitFor } from '../../lab/wait.ts';
import { documented } from '../../support/documents.ts';
import { type AgentService, installAgentService, programFiles, unit } from './agent-service.ts';

const patienceMs = 45_000;
vi.setConfig({ testTimeout: 120_000 });

await describeLab(
  'the agent beside libvirt as it is shipped',
  () => {
    let machine: LabMachine;
    let service: AgentService;

    beforeAll(async () => {
      machine = await startMachineWithLibvirt({ shows: programFiles() });
      service = await installAgentService(machine);
    });
    afterAll(async () => {
      await service.client.close();
      await machine.stop();
    });

    const systemctl = (...args: string[]) => machine.runOk('systemctl', args, { timeoutMs: 60_000 });
    const stateOf = async (name: string) => (await machine.run('systemctl', ['is-active', name])).stdout.trim();
    const untilAnswer = (code: string) =>
      waitFor(async () => codeOf(await service.client.facts()) === code, {
        ...{ what: `the agent to answer ${code}`, timeoutMs: patienceMs },
      });

    test('libvirt is started by the agent that comes to its socket; polkit lets its user in', async () => {
      expect([await stateOf('libvirtd.socket'), await stateOf('libvirtd.service')]).toEqual(['active', 'inactive']);
      await systemctl('enable', '--now', unit);
      await untilAnswer('ok');
      expect(await stateOf('libvirtd.service')).toBe('active');
      expect(await stateOf('polkit.service')).toBe('active');
      const { stdout, code } = await service.check();
      expect(stdout).toMatch(/ok +libvirt .* through \/run\/libvirt\/libvirt-sock\n/);
      expect([code, stdout.includes('\n0 problems, ')]).toEqual([0, true]);
    });

    test('a daemon that was restarted, and one that was stopped, is used again', async () => {
      for (const [connections, verb] of [
        [2, 'restart'],
        [3, 'stop'],
      ] as const) {
        await systemctl(verb, 'libvirtd.service');
        await waitFor(
          async () => (await service.log()).filter(({ msg }) => msg === 'libvirt is connected').length === connections,
          { what: `connection ${connections}`, timeoutMs: patienceMs },
        );
        expect(codeOf(await service.client.facts())).toBe('ok');
        expect(await stateOf('libvirtd.service')).toBe('active');
      }
    });

    test('who is not in the group is kept out; log and check say by whom, and what to do', async () => {
      await machine.runOk('gpasswd', ['--delete', 'dimmer', 'libvirt']);
      await systemctl('restart', 'polkit.service', unit);
      const refused = await waitFor(
        async () => (await service.log()).find(({ reason }) => reason === 'Forbidden') ?? false,
        { what: 'the agent to be refused', timeoutMs: patienceMs },
      );
      expect(refused).toMatchObject({
        msg: 'libvirt cannot be reached',
        err: expect.stringContaining("'org.libvirt.unix.manage'") as string,
      });
      expect(codeOf(await service.client.facts())).toBe('hypervisor-unreachable');
      const { stdout, code } = await service.check();
      expect(stdout).toMatch(/problem +libvirt .*polkit.*usermod --append --groups libvirt dimmer/);
      expect(code).toBe(1);
      const journal = await machine.runOk('journalctl', ['--unit', 'libvirtd.service', '--no-pager']);
      expect(journal).toContain('no polkit agent available');
    });

    test('as soon as it is in the group again it serves, without a restart', async () => {
      const pid = await service.property('MainPID');
      await machine.runOk('usermod', ['--append', '--groups', 'libvirt', 'dimmer']);
      await untilAnswer('ok');
      expect(await service.property('MainPID')).toBe(pid);
    });

    test('without polkit the group of the socket decides, set up as docs/operations.md says', async () => {
      const dropIn = join(machine.etcDirectory, 'systemd/system/libvirtd.socket.d');
      mkdirSync(dropIn);
      writeFileSync(join(dropIn, 'override.conf'), `${documented('docs/operations.md', '[Socket]').text}\n`);
      writeFileSync(join(machine.etcDirectory, 'libvirt/libvirtd.conf'), 'auth_unix_rw = "none"\n');
      await systemctl('daemon-reload');
      await systemctl('stop', 'polkit.service');
      await systemctl('mask', '--runtime', 'polkit.service');
      const anew = documented(
        'docs/operations.md',
        '`systemctl stop libvirtd.socket libvirtd.service && systemctl start libvirtd.socket`',
      );
      await machine.runOk('sh', ['-euc', anew.text]);
      // The groups of a process are those of its user when it was started.
      await systemctl('restart', unit);
      await untilAnswer('ok');
      expect(await stateOf('polkit.service')).toBe('inactive');
      await machine.runOk('useradd', ['--system', 'stranger']);
      const stranger = ['--user', 'stranger', '--', 'virsh', '--connect', 'qemu:///system', 'list'];
      expect(await machine.run('runuser', stranger)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('Permission denied') as string,
      });
    });
  },
  ['hypervisor', 'machine'],
);
