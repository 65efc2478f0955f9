/** The command line of `dimmer adopt`. */
import { parseLibvirtUri, type LibvirtEndpoint } from '../../libvirt/rpc/uri.ts';
import type { LogLevel } from '../../runtime/logger.ts';
import { readArguments } from '../arguments.ts';
import { catchMistake, Mistake, readableFile, readLogLevel, textIn } from '../option-values.ts';

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
  if (!read.ok) return { kind: 'bad-usage', problem: read.error };
  const { values } = read.value;
  if (values['help'] === true) return { kind: 'help' };
  const given = textIn(values);
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
