/** The command line of `dimmer controller`. */
import { hash } from 'node:crypto';
import { formatLabelSelector, parseLabelSelector } from '../../api/v1alpha1/selector-text.ts';
import { parseDurationMs } from '../../api/v1alpha1/spec.ts';
import { type ElectionTimes, findTimesProblem } from '../../kubernetes/election.ts';
import { readArguments } from '../arguments.ts';
import {
  catchMistake,
  Mistake,
  type Optional,
  optionalOf,
  readableFile,
  readReconcilerOptions,
  reconcilerOptions,
  type ReconcilerOptions,
} from '../option-values.ts';

/** `namespace` null: the pod's own. `shard`: the selector of its hosts, as its one text; null: it is there for all. */
export type ElectionArguments = {
  readonly namespace: string | null;
  readonly name: string;
  readonly shard: string | null;
  readonly times: ElectionTimes;
};

export type ControllerArguments = ReconcilerOptions & {
  readonly kubeconfig: string | null;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  readonly caFile: string;
  /** null: this is the only controller. */
  readonly election: ElectionArguments | null;
};

const electionOptions = [
  'leader-elect-resource-namespace',
  'leader-elect-resource-name',
  'leader-elect-lease-duration',
  'leader-elect-renew-deadline',
  'leader-elect-retry-period',
] as const;

export type ReadControllerArguments =
  | { readonly kind: 'run'; readonly options: ControllerArguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'bad-usage'; readonly problem: string };

/** Reads the command line; the problem is one line that names the argument. */
export function readControllerArguments(argv: readonly string[]): ReadControllerArguments {
  const text = { type: 'string' } as const;
  const read = readArguments(argv, {
    kubeconfig: text,
    'agent-client-cert-file': text,
    'agent-client-key-file': text,
    'agent-ca-file': text,
    ...reconcilerOptions,
    'leader-elect': { type: 'boolean' },
    ...Object.fromEntries(electionOptions.map((name) => [name, text])),
    'shard-selector': text,
    help: { type: 'boolean' },
  });
  if (!read.ok) return { kind: 'bad-usage', problem: read.error };
  const { values } = read.value;
  if (values['help'] === true) return { kind: 'help' };

  const optional = optionalOf(values);
  const requiredFile = (name: string): string => {
    const file = optional(name, readableFile);
    if (file === null) throw new Mistake(`--${name} is required`);
    return file;
  };
  return catchMistake(() => ({
    kind: 'run',
    options: {
      kubeconfig: optional('kubeconfig', readableFile),
      clientCertFile: requiredFile('agent-client-cert-file'),
      clientKeyFile: requiredFile('agent-client-key-file'),
      caFile: requiredFile('agent-ca-file'),
      ...readReconcilerOptions(values),
      election: readElection(values['leader-elect'] === true, optional),
    },
  }));
}

/** The election's options mean nothing without it, but are judged all the same. */
function readElection(takesPart: boolean, optional: Optional): ElectionArguments | null {
  const shard = optional('shard-selector', readSelector);
  if (shard !== null && !takesPart) {
    throw new Mistake('--shard-selector needs --leader-elect: by their Leases shards know of each other');
  }
  const election: ElectionArguments = {
    namespace: optional('leader-elect-resource-namespace', readName),
    name: optional('leader-elect-resource-name', readName) ?? computeLeaseName(shard),
    shard,
    times: {
      leaseMs: optional('leader-elect-lease-duration', readDurationMs) ?? 12_000,
      deadlineMs: optional('leader-elect-renew-deadline', readDurationMs) ?? 8_000,
      retryMs: optional('leader-elect-retry-period', readDurationMs) ?? 2_000,
    },
  };
  const problem = findTimesProblem(election.times);
  if (problem !== null) throw new Mistake(problem);
  return takesPart ? election : null;
}

/** Hours, minutes and seconds, such as 90s or 1m30s, in milliseconds. @throws Mistake */
function readDurationMs(name: string, value: string): number {
  const ms = parseDurationMs(value);
  if (ms === null || ms === 0) throw new Mistake(`--${name}: '${value}' is not a duration (12s, 1m30s)`);
  return ms;
}

/** RFC 1123. */
function readName(name: string, value: string): string {
  if (value.length <= 253 && /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(value)) return value;
  throw new Mistake(`--${name}: '${value}' is not the name of an object`);
}

/** A label selector, as its one text. @throws Mistake */
function readSelector(name: string, value: string): string {
  const parsed = parseLabelSelector(value);
  if (!parsed.ok) throw new Mistake(`--${name}: ${parsed.error}`);
  const text = formatLabelSelector(parsed.value);
  if (text === '') throw new Mistake(`--${name}: an empty selector matches every host: leave the option out`);
  // An annotation has room for more; nobody reads it then.
  if (text.length > 4_096) throw new Mistake(`--${name}: longer than 4096 characters`);
  return text;
}

/** Long enough for people to know it again, and short enough for whatever else is called after it. */
const longestSlug = 30;

/** The Lease of a shard: the same selector has the same, however it is written, and no other has. */
function computeLeaseName(shard: string | null): string {
  if (shard === null) return 'dimmer-controller';
  const slug = shard
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, longestSlug)
    .replaceAll(/^-+|-+$/g, '');
  return ['dimmer-controller', ...(slug === '' ? [] : [slug]), hash('sha256', shard).slice(0, 10)].join('-');
}
