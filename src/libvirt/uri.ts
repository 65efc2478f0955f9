/** libvirt's connection URIs (libvirt.org/uri.html), as far as Dimmer connects to them. */

/** Where a daemon listens, and what it is asked to open. */
export type LibvirtEndpoint = {
  readonly transport: 'unix';
  /** Tried in this order. */
  readonly sockets: readonly string[];
  /** What CONNECT_OPEN gets: the URI without transport, host and parameters. */
  readonly openUri: string;
};

export type ParsedLibvirtUri =
  { readonly ok: true; readonly value: LibvirtEndpoint } | { readonly ok: false; readonly problem: string };

const problem = (text: string): ParsedLibvirtUri => ({ ok: false, problem: text });

/** The modular daemon's socket, then the monolithic one's (libvirt.org/daemons.html). */
const defaultSockets: Readonly<Record<string, readonly string[]>> = {
  'qemu:///system': ['/run/libvirt/virtqemud-sock', '/run/libvirt/libvirt-sock'],
  'test:///default': ['/run/libvirt/libvirt-sock'],
};

/**
 * Where to connect for `qemu:///system`, `qemu:///system?socket=PATH` or `qemu+unix:///...`; `test:///default` is
 * libvirt's own mock driver. Anything else is a `problem` in words.
 */
export function parseLibvirtUri(text: string): ParsedLibvirtUri {
  const match = /^(qemu|test)(?:\+([a-z0-9]+))?:\/\/([^/?#]*)(\/[^?#]*)(?:\?([^#]*))?$/.exec(text);
  if (match === null) return problem(`'${text.slice(0, 200)}' is not a libvirt URI such as qemu:///system`);
  const [, driver = '', transport = 'unix', host = '', path = '', query = ''] = match;

  if (transport !== 'unix') return problem(`transport '${transport}' of '${text}' is not supported; use unix`);
  if (host !== '') return problem(`'${text}' names a host, which a UNIX socket has not`);
  const openUri = `${driver}://${path}`;
  const known = defaultSockets[openUri];
  if (known === undefined) return problem(`'${openUri}' is not supported; use qemu:///system`);

  let socket: string | null = null;
  for (const [name, value] of new URLSearchParams(query)) {
    if (name !== 'socket') return problem(`parameter '${name}' of '${text}' is not supported; socket is`);
    if (!value.startsWith('/')) return problem(`socket '${value}' is not an absolute path`);
    socket = value;
  }
  return { ok: true, value: { transport: 'unix', sockets: socket === null ? known : [socket], openUri } };
}
