import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { reserveHugePages } from './huge-pages.ts';
import type { LabMachine } from './machine.ts';
import type { Pki } from './pki.ts';
import { freePorts } from './ports.ts';

export type HypervisorOptions = {
  /** Lines added to libvirtd.conf, for example `max_client_requests = 2`. */
  readonly libvirtdConf?: readonly string[];
  /** Lines added to qemu.conf. */
  readonly qemuConf?: readonly string[];
  /**
   * Listen for TLS on 127.0.0.1 too, with a certificate of this authority; clients must show one of it. The hypervisor
   * then has no network namespace of its own.
   */
  readonly tls?: Pki;
  /** Add so many huge pages of 2 MiB to the machine's pool, and mount them for guests. */
  readonly hugePages?: number;
  /**
   * The machine that it belongs to: its processes are seen there, its sockets too, for members of the group `libvirt`.
   * Stop the hypervisor before the machine.
   */
  readonly machine?: LabMachine;
};

/** How libvirtd is to be started. */
export type HypervisorConfiguration = {
  readonly libvirtdArgs: readonly string[];
  readonly tlsPort: number | null;
};

const LIBVIRTD_CONF = [
  'unix_sock_group = "root"',
  'unix_sock_rw_perms = "0700"',
  'auth_unix_ro = "none"',
  'auth_unix_rw = "none"',
  'log_outputs = "3:stderr"',
];

const FOR_A_GROUP = ['unix_sock_group = "libvirt"', 'unix_sock_rw_perms = "0770"'];

// A container may have neither control groups to write nor a security module, and the lab needs neither.
export const QEMU_CONF: readonly string[] = [
  'user = "root"',
  'group = "root"',
  'dynamic_ownership = 0',
  'remember_owner = 0',
  'security_driver = "none"',
  'cgroup_controllers = []',
  'namespaces = []',
  'stdio_handler = "file"',
];

/** Makes the directories that libvirtd will see as its own and writes its configuration into them. */
export async function configureHypervisor(
  directory: string,
  options: HypervisorOptions,
): Promise<HypervisorConfiguration> {
  const { machine } = options;
  for (const name of ['etc', 'lib', 'cache', 'log', 'guests']) mkdirSync(join(directory, name), { mode: 0o755 });
  if (machine === undefined) {
    mkdirSync(join(directory, 'run'), { mode: 0o755 });
  } else {
    // hypervisor-init.sh mounts what they point to.
    symlinkSync(machine.libvirtDirectory, join(directory, 'run'));
    symlinkSync(machine.etcDirectory, join(directory, 'machine-etc'));
  }
  const tls = options.tls === undefined ? null : await configureTls(options.tls);
  const hugePages: string[] = [];
  if (options.hugePages !== undefined) {
    reserveHugePages(directory, options.hugePages);
    // hypervisor-init.sh mounts it, in the hypervisor's namespace.
    const mountPoint = join(directory, 'hugetlbfs');
    mkdirSync(mountPoint);
    hugePages.push(`hugetlbfs_mount = "${mountPoint}"`);
  }
  const write = (name: string, lines: readonly string[]): void =>
    writeFileSync(join(directory, 'etc', name), [...lines, ''].join('\n'));
  // Of two lines for one key libvirt takes the first.
  const group = machine === undefined ? [] : FOR_A_GROUP;
  write('libvirtd.conf', [...(options.libvirtdConf ?? []), ...(tls?.lines ?? []), ...group, ...LIBVIRTD_CONF]);
  write('qemu.conf', [...(options.qemuConf ?? []), ...hugePages, ...QEMU_CONF]);
  return {
    libvirtdArgs: [...(tls === null ? [] : ['--listen']), '--pid-file', join(directory, 'run', 'libvirtd.pid')],
    tlsPort: tls?.port ?? null,
  };
}

async function configureTls(pki: Pki): Promise<{ port: number; lines: string[] }> {
  const { certFile, keyFile } = await pki.issue({ name: 'libvirtd', dns: ['localhost'], ip: ['127.0.0.1'] });
  const [port = 0] = await freePorts(1);
  const lines = [
    ...['listen_tls = 1', 'listen_addr = "127.0.0.1"', `tls_port = "${port}"`, 'auth_tls = "none"'],
    ...[`ca_file = "${pki.caFile}"`, `cert_file = "${certFile}"`, `key_file = "${keyFile}"`],
  ];
  return { port, lines };
}
