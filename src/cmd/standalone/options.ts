/** The command line of `dimmer standalone`. */
import { statSync } from 'node:fs';
import { type DriverChoice, readDriver } from '../agent/options.ts';
import { readArguments } from '../arguments.ts';
import {
  catchMistake,
  Mistake,
  readableFile,
  readReconcilerOptions,
  reconcilerOptions,
  type ReconcilerOptions,
  textIn,
} from '../option-values.ts';
import { ownStateDir } from './state-dir.ts';

export type AgentFiles = { readonly certFile: string; readonly keyFile: string; readonly caFile: string };

/** `demo`: the VMs of the demo; all else as for the agent. */
export type StandaloneDriver = DriverChoice | { readonly kind: 'demo' };

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
  if (!read.ok) return { kind: 'bad-usage', problem: read.error };
  const { values } = read.value;
  if (values['help'] === true) return { kind: 'help' };
  const given = textIn(values);
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
