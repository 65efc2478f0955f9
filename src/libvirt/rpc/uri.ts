/** libvirt's connection URIs (libvirt.org/uri.html), as far as Dimmer connects to them. */

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

export type ParsedLibvirtUri =
  { readonly ok: true; readonly value: LibvirtEndpoint } | { readonly ok: false; readonly problem: string };

const problem = (text: string): ParsedLibvirtUri => ({ ok: false, problem: text });

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
type PathParameter =
  { readonly ok: true; readonly path: string | null } | { readonly ok: false; readonly problem: string };

function readPath(query: string, name: string): PathParameter {
  let path: string | null = null;
  for (const [key, value] of new URLSearchParams(query)) {
    if (key !== name) return { ok: false, problem: `parameter '${key}' is not supported here; ${name} is` };
    if (!value.startsWith('/')) return { ok: false, problem: `${name} '${value}' is not an absolute path` };
    path = value;
  }
  return { ok: true, path };
}

/** `host`, `host:port`, `[::1]:port`. */
const authorityPattern = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/;

/**
 * Where to connect for `qemu:///system`, `qemu:///system?socket=PATH`, `qemu+unix:///...` or
 * `qemu+tls://HOST[:PORT]/system[?pkipath=DIR]`; `test:///default` is libvirt's own mock driver. Anything else is a
 * `problem` in words.
 */
export function parseLibvirtUri(text: string): ParsedLibvirtUri {
  const match = /^(qemu|test)(?:\+([a-z0-9]+))?:\/\/([^/?#]*)(\/[^?#]*)(?:\?([^#]*))?$/.exec(text);
  if (match === null) return problem(`'${text.slice(0, 200)}' is not a libvirt URI such as qemu:///system`);
  const [, driver = '', transport = 'unix', authority = '', path = '', query = ''] = match;
  const openUri = `${driver}://${path}`;
  const sockets = defaultSockets[openUri];
  if (sockets === undefined) return problem(`'${openUri}' is not supported; use qemu:///system`);

  if (transport === 'unix') {
    if (authority !== '') return problem(`'${text}' names a host, which a UNIX socket has not; use qemu+tls`);
    const socket = readPath(query, 'socket');
    if (!socket.ok) return problem(socket.problem);
    return { ok: true, value: { transport, sockets: socket.path === null ? sockets : [socket.path], openUri } };
  }
  if (transport === 'tls') {
    const where = authorityPattern.exec(authority);
    const host = where?.[1] ?? where?.[2];
    const port = Number(where?.[3] ?? defaultTlsPort);
    if (host === undefined || port < 1 || port > 65_535) return problem(`'${text}' names no host to connect to`);
    const directory = readPath(query, 'pkipath');
    if (!directory.ok) return problem(directory.problem);
    const files = directory.path === null ? systemFiles : filesIn(directory.path.replace(/\/+$/, ''));
    return { ok: true, value: { transport, host, port, files, openUri } };
  }
  return problem(`transport '${transport}' of '${text}' is not supported; use unix or tls`);
}
