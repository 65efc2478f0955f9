/** The command line of `dimmer standalone`. */
import { statSync } from 'node:fs';
import { type Driver, readDriver } from '../agent/options.ts';
import { readArguments } from '../arguments.ts';
import {
  catchMistake,
  Mistake,
  readableFile,
  readReconcilerOptions,
  reconcilerOptions,
  type ReconcilerOptions,
} from '../option-values.ts';
import { ownStateDir } from './state-dir.ts';

export const standaloneUsage = `Usage: dimmer standalone --manifests DIR [OPTIONS]

Reconciles the VirtualMachineMemory manifests of a directory with the VMs of this host: the cluster's controller and the
host's agent in one process, without a cluster. Edit a manifest, and the VM follows; 'dimmer status' says how far it is.

Options:
  --manifests DIR               manifests, in files *.yaml, *.yml and *.json, folders below it included (required)
  --state-dir DIR               status, events and what must outlast a restart (default: $STATE_DIRECTORY, /var/lib/dimmer
                                for root, ~/.local/state/dimmer for others); one process uses it at a time
  --driver DRIVER               whose VMs: libvirt (default), or simulated: VMs that only exist in the state directory, to
                                try this without libvirt
  --libvirt-uri URI             where libvirt is (default qemu:///system); 'dimmer agent --help' lists the forms
  --simulated-vms N|FIRST-LAST  which VMs a simulated host has (default 4); 'dimmer agent --help' says which those are.
                                demo: those of 'npm run demo'
  --allow-domains PATTERN       names of this host's VMs that may be served, with * and ? (default *)
  --guest-agent                 ask this host's QEMU guest agents, too, as in 'dimmer agent --help'
  --observe-only                observe and plan, change nothing on any VM
  --agent-client-cert-file FILE certificate for the agents of other hosts, which HypervisorHost manifests name; with
  --agent-client-key-file FILE  its key, and
  --agent-ca-file FILE          the CA of the agents' certificates
  --max-concurrent-reconciles N resources of one host reconciled at once, 1 to 256 (default 16)
  --metrics-bind-address HOST:PORT   serve /metrics there (default: not served)
  --health-probe-bind-address HOST:PORT   serve /healthz and /readyz there (default: not served)
  --log-level LEVEL             debug, info, warn or error (default info)
  --help
`;

export type AgentFiles = { readonly certFile: string; readonly keyFile: string; readonly caFile: string };

/** `demo`: the VMs of the demo; all else as for the agent. */
export type StandaloneDriver = Driver | { readonly kind: 'demo' };

export type StandaloneArguments = ReconcilerOptions & {
  readonly manifests: string;
  readonly stateDir: string;
  readonly driver: StandaloneDriver;
  readonly allowDomains: string;
  /** Whether the agents in this host's guests are asked. */
  readonly guestAgent: boolean;
  /** null: there are no other hosts. */
  readonly agents: AgentFiles | null;
};

export type ReadStandaloneArguments =
  | { readonly kind: 'run'; readonly options: StandaloneArguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'bad-usage'; readonly problem: string };

/** Reads the command line; the problem is one line that names the argument. */
export function readStandaloneArguments(argv: readonly string[]): ReadStandaloneArguments {
  const text = { type: 'string' } as const;
  const read = readArguments(argv, {
    manifests: text,
    'state-dir': text,
    driver: text,
    'libvirt-uri': text,
    'simulated-vms': text,
    'allow-domains': text,
    'guest-agent': { type: 'boolean' },
    'agent-client-cert-file': text,
    'agent-client-key-file': text,
    'agent-ca-file': text,
    ...reconcilerOptions,
    help: { type: 'boolean' },
  });
  if (!read.ok) return { kind: 'bad-usage', problem: read.problem };
  const { values } = read;
  if (values['help'] === true) return { kind: 'help' };
  const given = (name: string): string | null => (typeof values[name] === 'string' ? values[name] : null);
  return catchMistake((): ReadStandaloneArguments => ({
    kind: 'run',
    options: {
      manifests: readFolder('manifests', given('manifests')),
      stateDir: given('state-dir') ?? ownStateDir(),
      driver: readStandaloneDriver(given('driver') ?? 'libvirt', given('libvirt-uri'), given('simulated-vms')),
      allowDomains: given('allow-domains') ?? '*',
      guestAgent: values['guest-agent'] === true,
      agents: readAgentFiles(given),
      ...readReconcilerOptions(values),
    },
  }));
}

const readStandaloneDriver = (name: string, uri: string | null, vms: string | null): StandaloneDriver =>
  name === 'simulated' && uri === null && vms === 'demo' ? { kind: 'demo' } : readDriver(name, uri, vms);

function readFolder(name: string, value: string | null): string {
  if (value === null) throw new Mistake(`--${name} is required`);
  if (statSync(value, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new Mistake(`--${name}: ${value} is not a directory`);
  }
  return value;
}

/** All three, or none. */
function readAgentFiles(given: (name: string) => string | null): AgentFiles | null {
  const names = ['agent-client-cert-file', 'agent-client-key-file', 'agent-ca-file'] as const;
  const missing = names.find((name) => given(name) === null);
  if (missing === undefined) {
    const [certFile, keyFile, caFile] = names.map((name) => readableFile(name, given(name) ?? ''));
    return { certFile: certFile ?? '', keyFile: keyFile ?? '', caFile: caFile ?? '' };
  }
  const there = names.find((name) => given(name) !== null);
  if (there !== undefined) throw new Mistake(`--${there} needs --${missing}`);
  return null;
}
