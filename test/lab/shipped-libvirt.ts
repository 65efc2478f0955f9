import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { unpackPackages } from './apt.ts';
import { restoreCapabilities } from './capabilities-cache.ts';
import { cacheDirectory } from './directory.ts';
import type { GuestHypervisor } from './guest-handle.ts';
import { ensureGuestImage } from './guest-image.ts';
import { QEMU_CONF } from './hypervisor-config.ts';
import { withFileLock } from './lock.ts';
import { type LabMachine, type MachineOptions, startMachine } from './machine.ts';
import { type Report, reportToTerminal } from './progress.ts';

/** What makes libvirt a service: units, configuration, polkit's rules. Installed, it would start on this machine. */
const PACKAGE = 'libvirt-daemon-system';
const UNITS =
  'lib/systemd/system/{libvirtd,virtlogd,virtlockd,libvirt-guests,virt-guest-shutdown}*.{service,socket,target}';
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
    ...options,
    shows: { ...options.shows, ...Object.fromEntries(rules) },
    hypervisor: 'inside',
  });
  try {
    const units = join(machine.etcDirectory, 'systemd/system');
    for (const file of globSync(join(shipped, UNITS))) copyFileSync(file, join(units, basename(file)));
    for (const name of OTHER_UNITS) symlinkSync(join('/usr/lib/systemd/system', name), join(units, name));
    for (const name of ['libvirt', 'default']) {
      cpSync(join(shipped, 'etc', name), join(machine.etcDirectory, name), { recursive: true });
    }
    for (const user of ['messagebus', 'polkitd']) await machine.runOk('useradd', ['--system', user]);
    // Where polkit is installed here, this belongs to this machine's user of the name, and to nobody else's eyes.
    await machine.atEachBoot('chown polkitd /usr/share/polkit-1/rules.d');
    await machine.runOk('systemctl', ['daemon-reload']);
    await machine.runOk('systemctl', ['start', 'dbus.socket', 'libvirtd.socket']);
    return machine;
  } catch (error) {
    await machine.stop();
    throw error;
  }
}

/** A machine with libvirt as Debian ships it, guests in it, and what becomes of both when it is rebooted. */
export type HostWithGuests = { readonly machine: LabMachine; readonly hypervisor: GuestHypervisor };

const CACHE = '/var/cache/libvirt';

/**
 * As {@link startMachineWithLibvirt}, but `startGuest` works on it, and what libvirt keeps outlasts a reboot. Its services are
 * enabled as the package enables them, libvirt-guests too.
 */
export async function startHostWithGuests(options: MachineOptions = {}): Promise<HostWithGuests> {
  const image = dirname((await ensureGuestImage(reportToTerminal)).kernel);
  const machine = await startMachineWithLibvirt({
    shows: { ...options.shows, [image]: image },
    guests: true,
    keeps: [...(options.keeps ?? []), '/var/lib/libvirt', CACHE],
  });
  try {
    appendFileSync(join(machine.etcDirectory, 'libvirt/qemu.conf'), QEMU_CONF.map((line) => `${line}\n`).join(''));
    restoreCapabilities(machine.keptDirectory(CACHE));
    // Which its package does by a link of its own.
    await machine.runOk('systemctl', ['add-wants', 'sockets.target', 'dbus.socket']);
    await machine.runOk('systemctl', ['enable', 'libvirtd.service', 'libvirt-guests.service']);
    await machine.runOk('systemctl', ['start', 'libvirtd.service', 'libvirt-guests.service'], { timeoutMs: 60_000 });
  } catch (error) {
    await machine.stop();
    throw error;
  }
  const virshOk: GuestHypervisor['virshOk'] = (args, timeoutMs = 60_000) =>
    machine.runOk('virsh', ['--connect', 'qemu:///system', ...args], { timeoutMs });
  return { machine, hypervisor: { directory: machine.directory, virshOk } };
}
