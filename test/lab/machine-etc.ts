import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** All that the machine has of the units that systemd brings. What isn't there can't be started by accident. */
const UNITS = [
  ...['sysinit.target', 'basic.target', 'sockets.target', 'multi-user.target', 'network-online.target'],
  ...['local-fs.target', 'shutdown.target', 'umount.target', 'final.target', 'reboot.target', 'systemd-reboot.service'],
  ...['systemd-journald.service', 'systemd-journald.socket', 'systemd-journald-dev-log.socket'],
];

/** Writes what a fresh Debian with libvirt has in /etc, as far as a lab machine needs it. */
export function writeMachineEtc(etc: string): void {
  const files: Readonly<Record<string, readonly string[]>> = {
    passwd: [
      'root:x:0:0:root:/root:/bin/sh',
      'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
      'libvirt-qemu:x:64055:64055:Libvirt Qemu:/var/lib/libvirt:/usr/sbin/nologin',
    ],
    group: ['root:x:0:', 'tty:x:5:', 'nogroup:x:65534:', 'libvirt:x:150:', 'libvirt-qemu:x:64055:'],
    shadow: [],
    gshadow: [],
    'login.defs': ['USERGROUPS_ENAB yes'],
    'machine-id': [],
    'pam.d/runuser': ['auth sufficient pam_rootok.so', 'session required pam_permit.so'],
    // `Audit=` leaves the kernel's auditing as it is.
    'systemd/journald.conf': ['[Journal]', 'Storage=volatile', 'Audit='],
  };
  mkdirSync(join(etc, 'systemd/system'), { recursive: true, mode: 0o755 });
  for (const [name, lines] of Object.entries(files)) {
    mkdirSync(dirname(join(etc, name)), { recursive: true });
    writeFileSync(join(etc, name), lines.map((line) => `${line}\n`).join(''));
  }
  const lab = join(etc, 'systemd/lab');
  mkdirSync(join(lab, 'sysinit.target.wants'), { recursive: true, mode: 0o755 });
  for (const unit of UNITS) symlinkSync(join('/usr/lib/systemd/system', unit), join(lab, unit));
  symlinkSync('../systemd-journald.service', join(lab, 'sysinit.target.wants/systemd-journald.service'));
}
