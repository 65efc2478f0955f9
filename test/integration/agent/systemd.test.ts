/** The agent under its unit, by a real systemd, beside a real libvirtd: what an admin installs, and dares to. */
import { chmodSync, chownSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startTimeOf } from '../../../src/agent/domain/identity.ts';
import type { DomainObservation } from '../../../src/host/port.ts';
import { MiB, mib } from '../../../src/memory/bytes.ts';
import { claim, codeOf, observedUntil, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { type LabMachine, startMachine } from '../../lab/machine.ts';
import { waitFor } from '../../lab/wait.ts';
import { type AgentService, installAgentService, programFiles, unit } from './agent-service.ts';
import { type Fate, procedures, startRpcRelay } from './rpc-relay.ts';

const size = mib(128);
/** For what takes a second or two, on a machine with much else to do. */
const patienceMs = 45_000;
vi.setConfig({ testTimeout: 180_000 });

await describeLab(
  'the agent under systemd',
  () => {
    let machine: LabMachine;
    let lab: Lab;
    let guest: LabGuest;
    let service: AgentService;

    beforeAll(async () => {
      machine = await startMachine({ shows: programFiles() });
      lab = await startLab({ hypervisor: { machine }, guests: [{ kind: 'accepting', name: 'tenant-1' }] });
      guest = lab.guest('accepting');
      service = await installAgentService(machine);
    });
    afterAll(async () => {
      try {
        await service.client.close();
        await lab.stop();
      } finally {
        await machine.stop();
      }
    });

    const systemctl = (...args: string[]) => machine.runOk('systemctl', args, { timeoutMs: 150_000 });
    const bench = () => ({ host: service.client, uuid: guest.uuid });
    const observe = async (): Promise<DomainObservation> => valueOf(await service.client.observe(guest.uuid));
    const reports = () =>
      observedUntil(bench(), 'the guest reports', (o) => o.guest?.fresh === true && !o.booting, patienceMs);
    /** Waits until systemd has started the agent and it answers, after whatever happened to it. */
    const isBack = () =>
      waitFor(async () => codeOf(await service.client.observe(guest.uuid)) === 'ok', {
        ...{ what: 'the agent to be back', timeoutMs: patienceMs },
      });

    test('`dimmer agent check` as its user finds nothing wrong before it is started', async () => {
      const answer = await service.check();
      expect(answer.stdout).toMatch(/ok +libvirt .* through \/run\/libvirt\/libvirt-sock\n/);
      expect(answer.stdout).toMatch(/ok +private key +\/etc\/dimmer\/tls\.key: can be read/);
      expect(answer.stdout).toMatch(/\n0 problems, /);
      expect(answer.code).toBe(0);
    });

    test('what the unit gives as its documentation is there', async () => {
      const addresses = (await service.property('Documentation')).split(' ');
      expect(addresses).not.toEqual(['']);
      for (const address of addresses) await machine.runOk('test', ['-s', fileURLToPath(address)]);
    });

    test('the unit has no mistakes, and is not looser than it has to be', async () => {
      expect(await machine.run('systemd-analyze', ['verify', unit])).toEqual({ stdout: '', stderr: '', code: 0 });
      const file = `/etc/systemd/system/${unit}`;
      const { stdout, code } = await machine.run('systemd-analyze', [
        ...['security', '--offline=true', '--threshold=18', '--json=short', file],
      ]);
      const found = JSON.parse(stdout) as { name: string; exposure: string | null }[];
      const weak = found.filter(({ exposure }) => Number(exposure) > 0).map(({ name }) => name);
      expect(weak.filter((name) => !accepted.includes(name))).toEqual([]);
      expect(code).toBe(0);
    });

    test('`systemctl enable --now` returns when it listens; it is active, and ready soon', async () => {
      await systemctl('enable', '--now', unit);
      expect(await systemctl('is-active', unit)).toBe('active\n');
      expect(await systemctl('is-enabled', unit)).toBe('enabled\n');
      expect((await service.log()).map(({ msg }) => msg)).toContain('agent is listening');
      await waitFor(async () => (await service.property('StatusText')).startsWith('Serves clients'), {
        ...{ what: 'the agent to be ready', timeoutMs: patienceMs },
      });
    });

    test('it runs as dimmer, without capabilities or a way to get any, within its limits', async () => {
      const lines = (await service.proc('status')).split('\n').map((line) => line.split(':\t') as [string, string]);
      const status = Object.fromEntries(lines);
      const id = (await machine.runOk('id', ['--user', 'dimmer'])).trim();
      expect(status['Uid']?.split('\t')).toEqual([id, id, id, id]);
      const groups = (await machine.runOk('id', ['--groups', 'dimmer'])).trim().split(' ');
      expect(status['Groups']?.trim().split(' ').sort()).toEqual(groups.sort());
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
        expect([set, Number.parseInt(status[set] ?? '', 16)]).toEqual([set, 0]);
      }
      expect(status).toMatchObject({ NoNewPrivs: '1', Seccomp: '2', Umask: '0077' });
      expect(await service.proc('limits')).toMatch(/^Max open files +4096 +4096 /m);
      const { controlGroup } = service;
      expect(await controlGroup('memory', 'memory.max', 'memory.limit_in_bytes')).toBe(String(512 * MiB));
      expect(await controlGroup('pids', 'pids.max')).toBe('64');
    });

    test('it can write nowhere but in temporary directories of its own', async () => {
      for (const place of ['/', '/etc', '/usr/bin', '/var/lib', '/run', '/run/libvirt', '/run/lock', '/dev/shm']) {
        const { code, stderr } = await service.runInside('touch', join(place, 'probe'));
        expect([place, code, stderr]).toEqual([place, 1, expect.stringContaining('Read-only file system')]);
      }
      const writable = (await service.proc('mounts')).split('\n').filter((line) => / rw[, ]/.test(line));
      // What proc shows of others is guarded by the kernel, what it shows of the kernel by ProtectKernelTunables.
      expect(writable.map((line) => line.split(' ')[1]).sort()).toEqual(['/dev/pts', '/proc', '/tmp', '/var/tmp']);
      await machine.runOk('touch', ['/tmp/of-somebody-else']);
      expect((await service.runInside('ls', '/tmp')).stdout).toBe('');
    });

    test('it tells one run of a VM from the next, by the start time of a QEMU that belongs to root', async () => {
      const stat = readFileSync(`/proc/${lab.hypervisor.qemuPid(guest.uuid)}/stat`, 'utf8');
      expect((await observe()).runtimeId).toMatch(new RegExp(`/${startTimeOf(stat) ?? 'unknown'}$`));
    });

    test('it plugs and unplugs a module of a real guest, and the journal says who asked for it', async () => {
      const before = await guest.memTotalKiB();
      const { revision } = await reports();
      valueOf(await service.client.plug(guest.uuid, revision, plugRequest(0, size)));
      await waitFor(async () => (await guest.memTotalKiB()) > before, {
        ...{ what: 'the guest to grow', timeoutMs: patienceMs },
      });
      const plugged = await reports();
      valueOf(await service.client.unplug(guest.uuid, plugged.revision, unplugRequest(0)));
      await observedUntil(bench(), 'the module is gone', (o) => o.layout?.modules.length === 0, patienceMs);
      expect(await guest.memTotalKiB()).toBe(before);
      const who = { audit: true, client: service.clientUri, uuid: guest.uuid, slot: 0, objectUid: claim.objectUid };
      expect((await service.log()).filter(({ audit }) => audit === true)).toMatchObject([
        { ...who, operation: 'plug', from: 512 * MiB, to: 640 * MiB, result: 'done' },
        { ...who, operation: 'unplug', from: 640 * MiB, to: 512 * MiB, result: 'accepted' },
      ]);
    });

    test('a new certificate is taken up without a restart', async () => {
      const before = await serialInUse();
      const pid = await service.property('MainPID');
      await service.installCertificate();
      await waitFor(async () => (await serialInUse()) !== before, {
        ...{ what: 'the new certificate to be shown', timeoutMs: patienceMs, intervalMs: 250 },
      });
      expect(await service.property('MainPID')).toBe(pid);
      expect(codeOf(await service.client.observe(guest.uuid))).toBe('ok');
    });

    /** The serial number of the certificate that the agent shows. */
    function serialInUse(): Promise<string> {
      return new Promise((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port: service.port, ca: service.pki.caPem }, () => {
          const { serialNumber } = socket.getPeerCertificate();
          socket.destroy();
          resolve(serialNumber);
        });
        socket.once('error', reject);
      });
    }

    test('killed, it is started again, and serves the same claim and the same run', async () => {
      const { revision } = await reports();
      valueOf(await service.client.plug(guest.uuid, revision, plugRequest(1, size)));
      const before = await observe();
      const pid = await service.property('MainPID');
      await systemctl('kill', '--signal=KILL', unit);
      await waitFor(async () => (await service.property('NRestarts')) === '1', {
        ...{ what: 'systemd to start the agent again', timeoutMs: patienceMs },
      });
      await isBack();
      expect(await service.property('MainPID')).not.toBe(pid);
      const { runtimeId, claim: kept, layout } = await observe();
      expect({ runtimeId, claim: kept }).toEqual({ runtimeId: before.runtimeId, claim });
      expect(layout?.modules).toMatchObject([{ slot: 1, size, state: 'Plugged' }]);
    });

    test('stopped in the middle of a change, it finishes it, says so to its client and ends well', async () => {
      // libvirt's job lock waits 30 s, preallocating huge pages takes longer still: systemd must have the patience.
      expect(await service.property('TimeoutStopUSec')).toBe('2min 10s');
      // The agent prefers the socket of the modular daemon. Between it and libvirtd a call can be held.
      const path = join(machine.libvirtDirectory, 'virtqemud-sock');
      const relay = await startRpcRelay(path, lab.hypervisor.socketPath);
      chownSync(path, 0, statSync(lab.hypervisor.socketPath).gid);
      chmodSync(path, 0o770);
      try {
        await systemctl('restart', unit);
        await isBack();
        const { revision } = await reports();
        let letGo = (): void => undefined;
        const held = new Promise<void>((heldNow) => {
          void relay.intercept(procedures.attachDevice, async (): Promise<Fate> => {
            heldNow();
            await new Promise<void>((resolve) => (letGo = resolve));
            return 'forward';
          });
        });
        const answer = service.client.plug(guest.uuid, revision, plugRequest(2, size));
        await held;
        const stopped = systemctl('stop', unit);
        await waitFor(async () => (await service.log()).at(-1)?.['msg'] === 'agent is stopping', {
          ...{ what: 'the agent to hear of it', timeoutMs: patienceMs },
        });
        expect((await service.log()).at(-1)).toMatchObject({ pendingOperations: 1 });
        expect((await machine.run('systemctl', ['is-active', unit])).stdout).toBe('deactivating\n');
        letGo();
        valueOf(await answer);
        await stopped;
      } finally {
        relay.close();
        rmSync(path, { force: true });
      }
      const ending = { ActiveState: 'inactive', Result: 'success', ExecMainCode: '1', ExecMainStatus: '0' };
      for (const [name, value] of Object.entries(ending))
        expect([name, await service.property(name)]).toEqual([name, value]);
      expect(await guest.moduleAliases()).toEqual(['ua-dimmer-1', 'ua-dimmer-2']);
      const audit = (await service.log()).filter((line) => line['audit'] === true).at(-1);
      expect(audit).toMatchObject({ operation: 'plug', slot: 2, result: 'done' });

      await systemctl('start', unit);
      await isBack();
      const { layout } = await observe();
      expect(layout?.modules.map(({ slot, state }) => [slot, state])).toEqual([
        [1, 'Plugged'],
        [2, 'Plugged'],
      ]);
    });

    test('`systemctl start` fails where the agent cannot serve, and says why; it is tried again until it can', async () => {
      const file = join(machine.etcDirectory, 'dimmer/agent.env');
      const good = readFileSync(file, 'utf8');
      await systemctl('stop', unit);
      writeFileSync(file, good.replace('tls.key', 'missing.key'));
      const { code } = await machine.run('systemctl', ['start', unit]);
      expect(code).not.toBe(0);
      const journal = await machine.runOk('journalctl', ['--unit', unit, '--output', 'cat', '--no-pager']);
      expect(journal).toMatch(/missing\.key/);
      writeFileSync(file, good);
      await isBack();
    });
  },
  ['hypervisor', 'machine'],
);

/** What `systemd-analyze security` finds fault with, and the unit says why, or can't do without. */
const accepted = [
  // Things that it needs: libvirt's socket, its port, the QEMU processes and the memory in /proc.
  ...['RestrictAddressFamilies=~AF_UNIX', 'RestrictAddressFamilies=~AF_(INET|INET6)'],
  ...['PrivateNetwork=', 'ProtectProc=', 'ProcSubset=', 'NotifyAccess='],
  // For the admin to say, or not for every host; what ProtectClock= brings; what other settings have done already.
  ...['IPAddressDeny=', 'PrivateUsers=', 'RootDirectory=/RootImage=', 'DeviceAllow=', 'PrivateMounts='],
];
