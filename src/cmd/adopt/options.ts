/** The command line of `dimmer adopt`. */
import { parseLibvirtUri, type LibvirtEndpoint } from '../../libvirt/rpc/uri.ts';
import type { LogLevel } from '../../runtime/logger.ts';
import { readArguments } from '../arguments.ts';
import { catchMistake, Mistake, readableFile, readLogLevel } from '../option-values.ts';

export const adoptUsage = `Usage: dimmer adopt [--output-dir DIR] [--libvirt-uri URI] [OPTIONS]
       dimmer adopt [--output-dir DIR] --agent URL --agent-client-cert-file FILE --agent-client-key-file FILE
                    --agent-ca-file FILE [OPTIONS]

Writes a VirtualMachineMemory manifest for each VM that runs on a host, with the memory that it has now: applied at once,
they change nothing. For a cluster and for 'dimmer standalone' alike. It only ever reads, and overwrites no file. What
can't be done with a VM is said in a comment of its manifest, and on standard error.

Options:
  --output-dir DIR              a file a VM, NAME.yaml; made where it isn't there. VMs that a manifest in it names already
                                are left out (default: all manifests on standard output)
  --libvirt-uri URI             where libvirt is (default qemu:///system); 'dimmer agent --help' lists the forms
  --agent URL                   ask the agent of a host instead: https://HOST:PORT
  --agent-client-cert-file FILE certificate that the agent admits, with
  --agent-client-key-file FILE  its key, and
  --agent-ca-file FILE          the CA of the agent's certificate
  --agent-tls-server-name NAME  the name in the agent's certificate (default: HOST of the URL)
  --allow-domains PATTERN       names of the VMs, with * and ? (default *)
  -n, --namespace NAMESPACE     of the manifests (default: the owner of the VM, else none is named)
  --host-ref NAME               the HypervisorHost that the manifests name; 'localhost' is the host of 'dimmer standalone'
                                (default: none, so that a VM is found on whichever host runs it)
  --include-claimed             VMs that Dimmer acts on already, too
  --log-level LEVEL             debug says where an error comes from that nobody foresaw (debug, info, warn, error)
  --help

Examples:
  dimmer adopt
  dimmer adopt --output-dir vms/
  dimmer adopt --allow-domains 'db-*' --namespace tenants | kubectl apply -f -

It exits with 0, and with 1 on bad usage, where the host can't be asked, or when a manifest couldn't be written.
`;

/** Whom to ask. */
export type AdoptSource =
  | { readonly kind: 'libvirt'; readonly endpoint: LibvirtEndpoint; readonly shown: string }
  | {
      readonly kind: 'agent';
      readonly address: string;
      readonly tlsServerName: string | undefined;
      readonly files: { readonly certFile: string; readonly keyFile: string; readonly caFile: string };
    };

export type AdoptArguments = {
  /** null: standard output. */
  readonly outputDir: string | null;
  readonly source: AdoptSource;
  readonly allowDomains: string;
  readonly namespace: string | null;
  readonly hostRef: string | null;
  readonly includeClaimed: boolean;
  readonly logLevel: LogLevel;
};

export type ReadAdoptArguments =
  | { readonly kind: 'run'; readonly options: AdoptArguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'bad-usage'; readonly problem: string };

const text = { type: 'string' } as const;
const agentOptions = ['agent-client-cert-file', 'agent-client-key-file', 'agent-ca-file'] as const;

/** Reads the command line; the problem is one line that names the argument. */
export function readAdoptArguments(argv: readonly string[]): ReadAdoptArguments {
  const read = readArguments(argv, {
    'output-dir': text,
    'libvirt-uri': text,
    agent: text,
    'agent-client-cert-file': text,
    'agent-client-key-file': text,
    'agent-ca-file': text,
    'agent-tls-server-name': text,
    'allow-domains': text,
    namespace: { type: 'string', short: 'n' },
    'host-ref': text,
    'include-claimed': { type: 'boolean' },
    'log-level': text,
    help: { type: 'boolean' },
  });
  if (!read.ok) return { kind: 'bad-usage', problem: read.problem };
  const { values } = read;
  if (values['help'] === true) return { kind: 'help' };
  const given = (name: string): string | null => (typeof values[name] === 'string' ? values[name] : null);
  return catchMistake((): ReadAdoptArguments => ({
    kind: 'run',
    options: {
      outputDir: given('output-dir'),
      source: readSource(given),
      allowDomains: given('allow-domains') ?? '*',
      namespace: readName('namespace', given('namespace'), /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/),
      hostRef: readName('host-ref', given('host-ref'), /^(?=.{1,253}$)[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/),
      includeClaimed: values['include-claimed'] === true,
      logLevel: readLogLevel(given('log-level') ?? 'info'),
    },
  }));
}

function readSource(given: (name: string) => string | null): AdoptSource {
  const address = given('agent');
  if (address === null) {
    const lost = [...agentOptions, 'agent-tls-server-name'].find((name) => given(name) !== null);
    if (lost !== undefined) throw new Mistake(`--${lost} is only for --agent`);
    const shown = given('libvirt-uri') ?? 'qemu:///system';
    const parsed = parseLibvirtUri(shown);
    if (!parsed.ok) throw new Mistake(`--libvirt-uri: ${parsed.error}`);
    return { kind: 'libvirt', endpoint: parsed.value, shown };
  }
  if (given('libvirt-uri') !== null)
    throw new Mistake('--libvirt-uri is not for --agent, which knows where libvirt is');
  if (!/^https:\/\/[^/?#@\s]+\/?$/.test(address)) {
    throw new Mistake(`--agent: '${address}' is not the address of an agent: https://HOST:PORT`);
  }
  const [certFile = '', keyFile = '', caFile = ''] = agentOptions.map((name) => {
    const file = given(name);
    if (file === null) throw new Mistake(`--agent needs --${name}`);
    return readableFile(name, file);
  });
  const tlsServerName = given('agent-tls-server-name') ?? undefined;
  return { kind: 'agent', address, tlsServerName, files: { certFile, keyFile, caFile } };
}

function readName(option: string, value: string | null, pattern: RegExp): string | null {
  if (value !== null && !pattern.test(value))
    throw new Mistake(`--${option}: '${value}' is no name that Kubernetes takes`);
  return value;
}
