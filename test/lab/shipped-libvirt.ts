import { copyFileSync, cpSync, existsSync, globSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { unpackPackages } from './apt.ts';
import { cacheDirectory } from './directory.ts';
import { withFileLock } from './lock.ts';
import { type LabMachine, type MachineOptions, startMachine } from './machine.ts';
import type { Report } from './progress.ts';

/** What makes libvirt a service: units, configuration, polkit's rules. Installed, it would start on this machine. */
const PACKAGE = 'libvirt-daemon-system';
const UNITS = 'lib/systemd/system/{libvirtd,virtlogd,virtlockd}*.{service,socket}';
const POLKIT = 'usr/share/polkit-1/{actions/org.libvirt.unix.policy,rules.d/*.rules}';
/** What libvirt's units need of others. */
const OTHER_UNITS = ['dbus.service', 'dbus.socket', 'polkit.service'];

const directory = (): string => join(cacheDirectory(), PACKAGE);

/** Whether the package's files are there. */
export const hasShippedLibvirt = (): boolean => existsSync(directory());

/** Downloads the package (130 kB) and unpacks it, once. */
export async function ensureShippedLibvirt(report: Report): Promise<void> {
  const target = directory();
  mkdirSync(dirname(target), { recursive: true });
  await withFileLock(`${target}.lock`, async () => {
    if (hasShippedLibvirt()) return;
    const unfinished = `${target}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    report(`unpacking ${PACKAGE}`);
    await unpackPackages([PACKAGE], unfinished, report);
    if (globSync(join(unfinished, UNITS)).length === 0)
      throw new Error(`${PACKAGE} has no units; is this a Debian 12?`);
    renameSync(unfinished, target);
  });
}

/**
 * A machine with libvirt as Debian ships it: systemd listens on its socket and starts it when somebody comes, and polkit
 * decides who may use it. It has no virtual machines.
 */
export async function startMachineWithLibvirt(options: MachineOptions = {}): Promise<LabMachine> {
  const shipped = directory();
  const rules = globSync(join(shipped, POLKIT)).map((file) => [file.slice(shipped.length), file] as const);
  const machine = await startMachine({
    shows: { ...options.shows, ...Object.fromEntries(rules) },
    hypervisor: 'inside',
  });
  try {
    const units = join(machine.etcDirectory, 'systemd/system');
    for (const file of globSync(join(shipped, UNITS))) copyFileSync(file, join(units, basename(file)));
    for (const name of OTHER_UNITS) symlinkSync(join('/usr/lib/systemd/system', name), join(units, name));
    cpSync(join(shipped, 'etc/libvirt'), join(machine.etcDirectory, 'libvirt'), { recursive: true });
    for (const user of ['messagebus', 'polkitd']) await machine.runOk('useradd', ['--system', user]);
    // Where polkit is installed here, this belongs to this machine's user of the name, and to nobody else's eyes.
    await machine.runOk('chown', ['polkitd', '/usr/share/polkit-1/rules.d']);
    await machine.runOk('systemctl', ['daemon-reload']);
    await machine.runOk('systemctl', ['start', 'dbus.socket', 'libvirtd.socket']);
    return machine;
  } catch (error) {
    await machine.stop();
    throw error;
  }
}
