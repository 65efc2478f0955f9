import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { describeLab } from '../../lab/describe.ts';
import { createLabDirectory, removeLabDirectory } from '../../lab/directory.ts';
import { startGuest } from '../../lab/guest.ts';
import { type LabHypervisor, startHypervisor } from '../../lab/hypervisor.ts';
import { createPki } from '../../lab/pki.ts';
import { run } from '../../lab/run.ts';

await describeLab(
  'hypervisor of the lab',
  () => {
    const cleanups: (() => Promise<void> | void)[] = [];

    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    });

    async function start(options: Parameters<typeof startHypervisor>[0]): Promise<LabHypervisor> {
      const hypervisor = await startHypervisor(options);
      cleanups.push(() => hypervisor.stop());
      return hypervisor;
    }

    test('libvirtd can be frozen and thawed; a frozen one answers nothing', async () => {
      const hypervisor = await start({});
      hypervisor.freezeDaemon();
      await expect(hypervisor.virsh(['list'], 1000)).rejects.toThrow(/did not end within 1000 ms/);
      hypervisor.thawDaemon();
      expect((await hypervisor.virsh(['list'])).code).toBe(0);
    });

    test('a guest outlives libvirtd, and its QEMU has a process id out here; when it ends, what was logged last is told', async () => {
      const hypervisor = await start({});
      const guest = await startGuest(hypervisor, { kind: 'accepting' });
      const qemu = hypervisor.qemuPid(guest.uuid);
      await hypervisor.killDaemon();
      expect(() => hypervisor.daemonPid()).toThrow(/not running/);
      await hypervisor.startDaemon();
      expect(hypervisor.qemuPid(guest.uuid)).toBe(qemu);
      expect(await hypervisor.virshOk(['domstate', guest.uuid])).toContain('running');
      expect((await guest.sh('true')).code).toBe(0);
      process.kill(qemu, 'SIGKILL');
      await expect(guest.sh('true')).rejects.toThrow(
        /the guest went away[^]*last lines of QEMU[^]*last lines of libvirtd/,
      );
    });

    test('TLS lets in who has a certificate of the authority, and nobody else', async () => {
      const directory = createLabDirectory();
      cleanups.push(() => removeLabDirectory(directory));
      const pki = await createPki(join(directory, 'pki'));
      const strangers = await createPki(join(directory, 'strangers'));
      const hypervisor = await start({ tls: pki });
      const virshWith = async (authority: typeof pki): Promise<number | null> => {
        const { certFile, keyFile } = await authority.issue({ name: 'client' });
        const folder = join(authority.directory, 'libvirt');
        mkdirSync(folder);
        copyFileSync(pki.caFile, join(folder, 'cacert.pem'));
        copyFileSync(certFile, join(folder, 'clientcert.pem'));
        copyFileSync(keyFile, join(folder, 'clientkey.pem'));
        const uri = `qemu+tls://127.0.0.1:${hypervisor.tlsPort ?? 0}/system?pkipath=${folder}`;
        return (await run('virsh', ['--connect', uri, 'list'])).code;
      };
      expect(await virshWith(pki)).toBe(0);
      expect(await virshWith(strangers)).toBe(1);
    });

    test('huge pages back a module, and go back to the machine afterwards', async () => {
      const pool = (): number => Number(readFileSync('/proc/sys/vm/nr_hugepages', 'utf8'));
      const before = pool();
      const hypervisor = await start({ hugePages: 64 });
      expect(pool()).toBe(before + 64);
      const guest = await startGuest(hypervisor, { kind: 'no-os' });
      await guest.plugDimm(128, 'ua-huge', 0, { hugePages: true });
      expect(await guest.dumpXml()).toContain(`<pagesize unit='KiB'>2048</pagesize>`);
      await hypervisor.stop();
      expect(pool()).toBe(before);
    });
  },
  ['hypervisor'],
);
