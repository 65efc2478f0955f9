/** libvirt's connection URIs (libvirt.org/uri.html), as far as Dimmer connects to them. */
import { fail, type Result, succeed } from '../../memory/result.ts';

/** A daemon on this machine. */
export type UnixEndpoint = {
  readonly transport: 'unix';
  /** Tried in this order. */
  readonly sockets: readonly string[];
  /** What CONNECT_OPEN gets: the URI without transport, host and parameters. */
  readonly openUri: string;
};

/** A daemon that listens for TLS. */
export type TlsEndpoint = {
  readonly transport: 'tls';
  readonly host: string;
  readonly port: number;
  /** PEM files; read anew at every connect. */
  readonly files: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly openUri: string;
};

/** Where a daemon listens, and what it is asked to open. */
export type LibvirtEndpoint = UnixEndpoint | TlsEndpoint;

/** The modular daemon's socket, then the monolithic one's (libvirt.org/daemons.html). */
const defaultSockets: Readonly<Record<string, readonly string[]>> = {
  'qemu:///system': ['/run/libvirt/virtqemud-sock', '/run/libvirt/libvirt-sock'],
  'test:///default': ['/run/libvirt/libvirt-sock'],
};

/** libvirt's own port and paths (libvirt.org/kbase/tlscerts.html). */
const defaultTlsPort = 16514;
const systemFiles: TlsEndpoint['files'] = {
  ca: '/etc/pki/CA/cacert.pem',
  cert: '/etc/pki/libvirt/clientcert.pem',
  key: '/etc/pki/libvirt/private/clientkey.pem',
};
const filesIn = (directory: string): TlsEndpoint['files'] => ({
  ca: `${directory}/cacert.pem`,
  cert: `${directory}/clientcert.pem`,
  key: `${directory}/clientkey.pem`,
});

/** The one parameter of a transport, which names an absolute path; null: it isn't there. */
function readPath(query: string, name: string): Result<string | null, string> {
  let path: string | null = null;
  for (const [key, value] of new URLSearchParams(query)) {
    if (key !== name) return fail(`parameter '${key}' is not supported here; ${name} is`);
    if (!value.startsWith('/')) return fail(`${name} '${value}' is not an absolute path`);
    path = value;
  }
  return succeed(path);
}

/** `host`, `host:port`, `[::1]:port`. */
const authorityPattern = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/;

/**
 * Where to connect for `qemu:///system`, `qemu:///system?socket=PATH`, `qemu+unix:///...` or
 * `qemu+tls://HOST[:PORT]/system[?pkipath=DIR]`; `test:///default` is libvirt's own mock driver. Anything else is a
 * `problem` in words.
 */
export function parseLibvirtUri(text: string): Result<LibvirtEndpoint, string> {
  const match = /^(qemu|test)(?:\+([a-z0-9]+))?:\/\/([^/?#]*)(\/[^?#]*)(?:\?([^#]*))?$/.exec(text);
  if (match === null) return fail(`'${text.slice(0, 200)}' is not a libvirt URI such as qemu:///system`);
  const [, driver = '', transport = 'unix', authority = '', path = '', query = ''] = match;
  const openUri = `${driver}://${path}`;
  const sockets = defaultSockets[openUri];
  if (sockets === undefined) return fail(`'${openUri}' is not supported; use qemu:///system`);

  if (transport === 'unix') {
    if (authority !== '') return fail(`'${text}' names a host, which a UNIX socket has not; use qemu+tls`);
    const socket = readPath(query, 'socket');
    if (!socket.ok) return fail(socket.error);
    return succeed({ transport, sockets: socket.value === null ? sockets : [socket.value], openUri });
  }
  if (transport === 'tls') {
    const where = authorityPattern.exec(authority);
    const host = where?.[1] ?? where?.[2];
    const port = Number(where?.[3] ?? defaultTlsPort);
    if (host === undefined || port < 1 || port > 65_535) return fail(`'${text}' names no host to connect to`);
    const directory = readPath(query, 'pkipath');
    if (!directory.ok) return fail(directory.error);
    const files = directory.value === null ? systemFiles : filesIn(directory.value.replace(/\/+$/, ''));
    return succeed({ transport, host, port, files, openUri });
  }
  return fail(`transport '${transport}' of '${text}' is not supported; use unix or tls`);
}
