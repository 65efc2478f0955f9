/** Whether libvirt can be reached, by which socket, and if not, what the admin of the host can do about it. */
import { readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import type { Hypervisor } from '../../libvirt/domain/hypervisor.ts';
import type { ConnectFailureReason, ConnectionChange } from '../../libvirt/rpc/session.ts';
import { judgeVersion } from '../../runtime/versions.ts';
import type { LibvirtEndpoint } from '../../libvirt/rpc/uri.ts';
import type { Finding } from '../../agent/check/report.ts';
import { formatVersion } from './driver.ts';

const connectMs = 10_000;

/** What came of opening a socket: `open`, or the code of the error. */
export type SocketProbe = {
  readonly path: string;
  readonly result: string;
  /** Owner and rights; null: they can't be seen. */
  readonly rights: { readonly group: string; readonly mode: number } | null;
};

function groupName(gid: number): string {
  try {
    const line = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .find((entry) => entry.split(':')[2] === String(gid));
    return line?.split(':')[0] ?? String(gid);
  } catch {
    return String(gid);
  }
}

function readRights(path: string): SocketProbe['rights'] {
  try {
    const { gid, mode } = statSync(path);
    return { group: groupName(gid), mode: mode & 0o777 };
  } catch {
    return null;
  }
}

/** Opens the socket and closes it again. */
function probeSocket(path: string): Promise<SocketProbe> {
  return new Promise((resolve) => {
    const socket = connect({ path, timeout: connectMs });
    const settle = (result: string): void => {
      socket.destroy();
      resolve({ path, result, rights: readRights(path) });
    };
    socket.once('connect', () => settle('open'));
    socket.once('timeout', () => settle('ETIMEDOUT'));
    socket.once('error', (error: NodeJS.ErrnoException) => settle(error.code ?? 'UNKNOWN'));
  });
}

// libvirt's own configuration says nothing about a socket that systemd has opened (libvirtd.conf, "UNIX socket access
// controls").
const configurationHint =
  'in /etc/libvirt/libvirtd.conf (virtqemud.conf with modular daemons) set unix_sock_group = "libvirt" and ' +
  'unix_sock_rw_perms = "0770", or, where systemd opens the socket, SocketGroup=libvirt and SocketMode=0660 in ' +
  'libvirtd.socket (virtqemud.socket); restart that, and add the user to the group';

function describeForbidden({ path, rights }: SocketProbe, user: string): string {
  if (rights === null) return `user ${user} may not look into the directory of ${path}`;
  const { group, mode } = rights;
  const seen = `user ${user} may not use ${path} (group ${group}, mode ${mode.toString(8).padStart(4, '0')})`;
  // Connecting takes the right to write.
  return (mode & 0o020) !== 0 && group !== 'root'
    ? `${seen}; make it a member of the group: usermod --append --groups ${group} ${user}`
    : `${seen}; ${configurationHint}`;
}

/** Why none of the sockets could be opened, and what helps. */
export function describeUnopened(probes: readonly SocketProbe[], user: string): string {
  const forbidden = probes.find(({ result }) => result === 'EACCES' || result === 'EPERM');
  if (forbidden !== undefined) return describeForbidden(forbidden, user);
  const there = probes.find(({ result }) => result !== 'ENOENT');
  if (there === undefined) {
    const paths = probes.map(({ path }) => path).join(' nor ');
    return `there is ${probes.length > 1 ? 'neither' : 'no'} ${paths}; install and start libvirt (libvirtd, or virtqemud.socket), or name its socket with --libvirt-uri "qemu:///system?socket=PATH"`;
  }
  return there.result === 'ECONNREFUSED'
    ? `nobody listens on ${there.path}; start libvirt (systemctl start libvirtd, or virtqemud.socket)`
    : `${there.path} cannot be opened: ${there.result}`;
}

/** The socket could be opened, so that on this host it is polkit that says no; there is no other way to authenticate. */
function describeRefusal(
  endpoint: LibvirtEndpoint,
  reason: ConnectFailureReason,
  message: string,
  user: string,
): string {
  if (reason !== 'Forbidden') return message;
  return endpoint.transport === 'unix'
    ? `${message}; polkit decides who may use libvirt here, and lets in members of the group libvirt as it is shipped: ` +
        `usermod --append --groups libvirt ${user} (docs/operations.md has the way without polkit)`
    : `${message}; daemon and agent must trust each other's certificates, and the daemon's must name ${endpoint.host}`;
}

function firstChange(hypervisor: Hypervisor): Promise<ConnectionChange> {
  return new Promise((resolve) => {
    const timer = setTimeout(
      () => resolve({ kind: 'disconnected', reason: 'NoDaemon', message: 'libvirt does not answer', retryInMs: 0 }),
      connectMs,
    );
    hypervisor.onConnection((change) => {
      clearTimeout(timer);
      resolve(change);
    });
    hypervisor.start();
  });
}

/** Judges libvirt's version and QEMU's; good ones are told with the way they were reached. */
export function judgeVersions(libvirt: number, qemu: number, hostname: string, way: string): Finding {
  const subject = 'libvirt';
  const versions = `libvirt ${formatVersion(libvirt)} with hypervisor ${formatVersion(qemu)} on ${hostname}`;
  const judged = [judgeVersion('libvirt', formatVersion(libvirt)), judgeVersion('QEMU', formatVersion(qemu))];
  const tooOld = judged.flatMap((one) => (one.standing === 'too-old' ? [one.problem] : []));
  return tooOld.length > 0
    ? { verdict: 'problem', subject, message: `${versions} is too old. ${tooOld.join('; ')}` }
    : { verdict: 'ok', subject, message: `${versions}, through ${way}` };
}

/** Connects `hypervisor`, which is then ready for calls if `connected`. */
export async function checkLibvirt(
  hypervisor: Hypervisor,
  endpoint: LibvirtEndpoint,
  user: string,
): Promise<{ readonly finding: Finding; readonly connected: boolean }> {
  const refuse = (message: string) => ({
    finding: { verdict: 'problem', subject: 'libvirt', message } as const,
    connected: false,
  });
  let way = endpoint.transport === 'tls' ? `TLS at ${endpoint.host}:${endpoint.port}` : '';
  if (endpoint.transport === 'unix') {
    const probes: SocketProbe[] = [];
    for (const path of endpoint.sockets) probes.push(await probeSocket(path));
    const open = probes.find(({ result }) => result === 'open');
    if (open === undefined) return refuse(describeUnopened(probes, user));
    way = open.path;
  }
  const change = await firstChange(hypervisor);
  if (change.kind === 'disconnected') return refuse(describeRefusal(endpoint, change.reason, change.message, user));
  try {
    const { libvirtVersion, hypervisorVersion, hostname } = await hypervisor.info();
    return { finding: judgeVersions(libvirtVersion, hypervisorVersion, hostname, way), connected: true };
  } catch (error) {
    return refuse(`it was reached through ${way}, but: ${error instanceof Error ? error.message : String(error)}`);
  }
}
