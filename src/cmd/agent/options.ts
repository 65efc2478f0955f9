/** The command line of `dimmer agent`. */
import type { DomainNumbers } from '../../host/simulated/numbered-domains.ts';
import { parseLibvirtUri, type LibvirtEndpoint } from '../../libvirt/rpc/uri.ts';
import type { LogLevel } from '../../runtime/logger.ts';
import { type HostPort, readArguments } from '../arguments.ts';
import { catchMistake, Mistake, readableFile, readAddress, readLogLevel, textIn } from '../option-values.ts';

type CommonArguments = {
  readonly allowClients: readonly string[];
  readonly allowDomains: string;
  readonly listen: HostPort;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  /** Whether the agents in the guests are asked. */
  readonly guestAgent: boolean;
};

/** Where the VMs come from. */
export type DriverChoice =
  | { readonly kind: 'libvirt'; readonly endpoint: LibvirtEndpoint }
  | { readonly kind: 'simulated'; readonly numbers: DomainNumbers };

export type ServeArguments = CommonArguments & { readonly driver: DriverChoice; readonly logLevel: LogLevel };

/** `allowClients` may be empty and files may be missing: finding that out is what the check is for. */
export type CheckArguments = CommonArguments & { readonly endpoint: LibvirtEndpoint; readonly output: CheckOutput };
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
  'guest-agent': { type: 'boolean' },
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
      ...(task === 'release' ? { 'log-level': text } : serveOptions),
      ...(task === 'serve' ? { driver: text, 'simulated-vms': text } : {}),
      ...(task === 'check' ? { output: { type: 'string', short: 'o' } as const } : {}),
    },
    task === 'release',
  );
  if (!read.ok) return { kind: 'bad-usage', problem: read.error };
  const { values, positionals } = read.value;
  if (values['help'] === true) return { kind: 'help' };
  const given = textIn(values);
  const option = (name: string, otherwise: string): string => given(name) ?? otherwise;
  return catchMistake((): ReadAgentArguments => {
    const uri = given('libvirt-uri');
    if (task === 'release') return { kind: 'release', uuid: readUuid(positionals), endpoint: readUri(uri) };
    const logLevel = readLogLevel(option('log-level', 'info'));
    const common: CommonArguments = {
      allowClients: readClients(values['allow-client']),
      allowDomains: option('allow-domains', '*'),
      listen: readAddress('listen', option('listen', '0.0.0.0:9443')),
      certFile: option('tls-cert-file', '/etc/pki/libvirt/servercert.pem'),
      keyFile: option('tls-private-key-file', '/etc/pki/libvirt/private/serverkey.pem'),
      caFile: option('client-ca-file', '/etc/pki/CA/cacert.pem'),
      guestAgent: values['guest-agent'] === true,
    };
    if (task === 'check') {
      return {
        kind: 'check',
        options: { ...common, endpoint: readUri(uri), output: readOutput(option('output', 'text')) },
      };
    }
    if (common.allowClients.length === 0) throw new Mistake(clientsRequired);
    readableFile('tls-cert-file', common.certFile);
    readableFile('tls-private-key-file', common.keyFile);
    readableFile('client-ca-file', common.caFile);
    const driver = readDriver(option('driver', 'libvirt'), uri, given('simulated-vms'));
    return { kind: 'serve', options: { ...common, driver, logLevel } };
  });
}

/** A driver with what belongs to it and to no other; null: not given. @throws Mistake */
export function readDriver(name: string, uri: string | null, vms: string | null): DriverChoice {
  switch (name) {
    case 'libvirt':
      if (vms !== null) throw new Mistake('--simulated-vms is only for --driver simulated');
      return { kind: 'libvirt', endpoint: readUri(uri) };
    case 'simulated':
      if (uri !== null) throw new Mistake('--libvirt-uri is not for --driver simulated, which has no libvirt');
      return { kind: 'simulated', numbers: readNumbers(vms ?? '4') };
    default:
      throw new Mistake(`--driver: '${name}' is not libvirt or simulated`);
  }
}

const mostSimulatedVms = 10_000;

/** `4` or `101-200`: a number for how many, two for which. Nine digits fit into a uuid with room to spare. */
function readNumbers(value: string): DomainNumbers {
  const match = /^(?:(\d{1,9})-)?(\d{1,9})$/.exec(value);
  const first = Number(match?.[1] ?? 1);
  const last = Number(match?.[2]);
  if (match === null || first < 1 || last < first || last - first >= mostSimulatedVms) {
    throw new Mistake(`--simulated-vms: '${value}' is not N or FIRST-LAST with 1 to ${mostSimulatedVms} VMs`);
  }
  return { first, last };
}

function readUri(value: string | null): LibvirtEndpoint {
  const parsed = parseLibvirtUri(value ?? 'qemu:///system');
  if (!parsed.ok) throw new Mistake(`--libvirt-uri: ${parsed.error}`);
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
