/** The command line of `dimmer agent`. */
import { parseLibvirtUri, type LibvirtEndpoint } from '../../libvirt/uri.ts';
import type { LogLevel } from '../../runtime/logger.ts';
import { type HostPort, readArguments } from '../arguments.ts';
import { catchMistake, Mistake, readableFile, readAddress, readLogLevel } from '../option-values.ts';

export const agentUsage = `Usage: dimmer agent --allow-client URI [OPTIONS]
       dimmer agent check [OPTIONS] [-o text|json]
       dimmer agent release UUID [--libvirt-uri URI]

The host agent: observes, plugs and unplugs memory modules of this host's virtual machines through libvirt, for clients
that show a certificate which an admin of this host has named.

'check', with the same options, says what is wrong with this host and its VMs, and changes nothing. It exits with 0 when
all is well (warnings may be left), and with 1 on bad usage or when there is a problem: the agent couldn't work, or a VM
that --allow-domains admits can't be given memory (a pattern that leaves it out settles that). Run it as the agent's user.

'release' removes what Dimmer keeps with a VM (the claim and the marks of unplugs), so that another cluster may claim it.

Options:
  --allow-client URI            URI name in the certificate of a client that may use the agent (required; repeatable)
  --allow-domains PATTERN       names of the VMs that the agent serves, with * and ? (default *)
  --listen HOST:PORT            serve HTTPS there (default 0.0.0.0:9443)
  --tls-cert-file FILE          the agent's certificate (default /etc/pki/libvirt/servercert.pem)
  --tls-private-key-file FILE   its key (default /etc/pki/libvirt/private/serverkey.pem)
  --client-ca-file FILE         CA of the clients' certificates (default /etc/pki/CA/cacert.pem)
  --libvirt-uri URI             where libvirt is (default qemu:///system), one of
                                  qemu:///system, qemu:///system?socket=PATH  by UNIX socket
                                  qemu+tls://HOST[:PORT]/system               by TLS, certificates under /etc/pki
                                  qemu+tls://HOST/system?pkipath=DIR          with cacert.pem, clientcert.pem and
                                                                              clientkey.pem in DIR
  --log-level LEVEL             debug, info, warn or error (default info)
  -o, --output FORMAT           of 'check': text (default) or json
  --help
`;

type CommonArguments = {
  readonly allowClients: readonly string[];
  readonly allowDomains: string;
  readonly listen: HostPort;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  readonly endpoint: LibvirtEndpoint;
};

export type ServeArguments = CommonArguments & { readonly logLevel: LogLevel };

/** `allowClients` may be empty and files may be missing: finding that out is what the check is for. */
export type CheckArguments = CommonArguments & { readonly output: CheckOutput };
export type CheckOutput = 'text' | 'json';

export type ReadAgentArguments =
  | { readonly kind: 'serve'; readonly options: ServeArguments }
  | { readonly kind: 'check'; readonly options: CheckArguments }
  | { readonly kind: 'release'; readonly uuid: string; readonly endpoint: LibvirtEndpoint }
  | { readonly kind: 'help' }
  | { readonly kind: 'bad-usage'; readonly problem: string };

const text = { type: 'string' } as const;

const serveOptions = {
  'allow-client': { type: 'string', multiple: true },
  'allow-domains': text,
  listen: text,
  'tls-cert-file': text,
  'tls-private-key-file': text,
  'client-ca-file': text,
  'log-level': text,
} as const;

/** Reads the command line; the problem is one line that names the argument. */
export function readAgentArguments(argv: readonly string[]): ReadAgentArguments {
  const [first, ...rest] = argv;
  const task = first === 'release' || first === 'check' ? first : 'serve';
  const read = readArguments(
    task === 'serve' ? argv : rest,
    {
      'libvirt-uri': text,
      help: { type: 'boolean' },
      ...(task === 'release' ? {} : serveOptions),
      ...(task === 'check' ? { output: { type: 'string', short: 'o' } as const } : {}),
    },
    task === 'release',
  );
  if (!read.ok) return { kind: 'bad-usage', problem: read.problem };
  const { values, positionals } = read;
  if (values['help'] === true) return { kind: 'help' };
  const option = (name: string, otherwise: string): string =>
    typeof values[name] === 'string' ? values[name] : otherwise;
  return catchMistake((): ReadAgentArguments => {
    const endpoint = readUri(option('libvirt-uri', 'qemu:///system'));
    if (task === 'release') return { kind: 'release', uuid: readUuid(positionals), endpoint };
    const logLevel = readLogLevel(option('log-level', 'info'));
    const common: CommonArguments = {
      allowClients: readClients(values['allow-client']),
      allowDomains: option('allow-domains', '*'),
      listen: readAddress('listen', option('listen', '0.0.0.0:9443')),
      certFile: option('tls-cert-file', '/etc/pki/libvirt/servercert.pem'),
      keyFile: option('tls-private-key-file', '/etc/pki/libvirt/private/serverkey.pem'),
      caFile: option('client-ca-file', '/etc/pki/CA/cacert.pem'),
      endpoint,
    };
    if (task === 'check') {
      return { kind: 'check', options: { ...common, output: readOutput(option('output', 'text')) } };
    }
    if (common.allowClients.length === 0) throw new Mistake(clientsRequired);
    readableFile('tls-cert-file', common.certFile);
    readableFile('tls-private-key-file', common.keyFile);
    readableFile('client-ca-file', common.caFile);
    return { kind: 'serve', options: { ...common, logLevel } };
  });
}

function readUri(value: string): LibvirtEndpoint {
  const parsed = parseLibvirtUri(value);
  if (!parsed.ok) throw new Mistake(`--libvirt-uri: ${parsed.problem}`);
  return parsed.value;
}

function readUuid(positionals: readonly string[]): string {
  const [uuid, ...others] = positionals;
  if (uuid === undefined || others.length > 0) throw new Mistake('release takes one UUID');
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid)) throw new Mistake(`'${uuid}' is not a UUID`);
  return uuid.toLowerCase();
}

/** Why there must be a client to allow. */
export const clientsRequired = '--allow-client is required: without it every client of the CA would be admitted';

/** A URI without the characters that Node would have to quote; see http/identity.ts. */
function readClients(values: unknown): readonly string[] {
  const clients = Array.isArray(values) ? values.filter((value) => typeof value === 'string') : [];
  const wrong = clients.find((client) => !/^[a-z][a-z0-9+.-]*:[\x21\x23-\x2b\x2d-\x7e]+$/i.test(client));
  if (wrong !== undefined) throw new Mistake(`--allow-client: '${wrong}' is not a URI`);
  return clients;
}

function readOutput(value: string): CheckOutput {
  if (value !== 'text' && value !== 'json') throw new Mistake(`--output: '${value}' is not text or json`);
  return value;
}
