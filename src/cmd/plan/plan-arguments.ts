/** The arguments of `dimmer plan`; every problem is one sentence that names the argument. */
import type { Bytes } from '../../memory/bytes.ts';
import { growPolicies, type Rounding, roundings, shrinkPolicies } from '../../memory/policies.ts';
import { parseQuantity } from '../../memory/quantity.ts';
import type { LogLevel } from '../../runtime/logger.ts';
import { readArguments } from '../arguments.ts';
import { type PreviewInput, previewDefaults } from '../../preview/from-numbers.ts';
import type { DomainWish } from '../../preview/from-domain-xml.ts';
import type { StatusWish } from '../../preview/from-status.ts';

const outputs = ['text', 'json', 'yaml'] as const;
const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export type Output = (typeof outputs)[number];

/** What both kinds of preview have in common. */
export type CommonArguments = DomainWish & { readonly rounding: Rounding; readonly output: Output };

export type PlanArguments =
  | { readonly kind: 'help' }
  | { readonly kind: 'batch' }
  /** NAME is given: the rest is read where it is known what there is for it (../operator/lines.ts). */
  | { readonly kind: 'live' }
  | { readonly kind: 'domain'; readonly file: string; readonly common: CommonArguments }
  | { readonly kind: 'status'; readonly file: string; readonly wish: StatusWish; readonly output: Output }
  | { readonly kind: 'preview'; readonly input: PreviewInput; readonly output: Output }
  | { readonly kind: 'bad'; readonly problem: string };

const options = {
  memory: { type: 'string' },
  boot: { type: 'string' },
  modules: { type: 'string' },
  slots: { type: 'string' },
  'max-memory': { type: 'string' },
  'domain-xml': { type: 'string' },
  status: { type: 'string' },
  granularity: { type: 'string' },
  shrink: { type: 'string' },
  grow: { type: 'string' },
  rounding: { type: 'string' },
  'host-free': { type: 'string' },
  output: { type: 'string', short: 'o' },
  'log-level': { type: 'string' },
  batch: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Unknown with NAME: what is said of a VM that no resource speaks of. */
const offlineOnly: ReadonlySet<string> = new Set([
  ...['boot', 'modules', 'slots', 'max-memory', 'domain-xml', 'status', 'granularity', 'host-free', 'batch'],
]);

/** Known with NAME only. */
const whereabouts = {
  'state-dir': { type: 'string' },
  namespace: { type: 'string', short: 'n' },
  context: { type: 'string' },
  kubeconfig: { type: 'string' },
} as const;

type Values = Readonly<Partial<Record<string, string>>>;

/** Stays inside this file. */
class UsageError extends Error {}

const bad = (name: string, problem: string): never => {
  throw new UsageError(`--${name}: ${problem}`);
};

/** Reads the arguments after `plan`. */
export function readPlanArguments(argv: readonly string[]): PlanArguments {
  const read = readArguments(argv, { ...options, ...whereabouts }, true);
  if (!read.ok) return { kind: 'bad', problem: read.error };
  const [name] = read.value.positionals;
  if (name !== undefined && read.value.values['help'] !== true) {
    const offline = Object.keys(read.value.values).find((option) => offlineOnly.has(option));
    if (offline === undefined) return { kind: 'live' };
    return { kind: 'bad', problem: `'${name.slice(0, 64)}' names a resource, which can't be used with --${offline}` };
  }
  if (read.value.values['help'] === true) return { kind: 'help' };
  const texts = Object.entries(read.value.values).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  try {
    return readValues(Object.fromEntries(texts), read.value.values['batch'] === true);
  } catch (error) {
    if (error instanceof UsageError) return { kind: 'bad', problem: error.message };
    throw error;
  }
}

function readValues(values: Values, batch: boolean): PlanArguments {
  for (const name of Object.keys(whereabouts)) if (values[name] !== undefined) bad(name, 'needs NAME');
  // Used by the program around the command (../failure.ts).
  readOneOf(values, 'log-level', logLevels);
  if (batch) {
    forbid(values, without(Object.keys(values), 'log-level'), '--batch');
    return { kind: 'batch' };
  }
  if (values['status'] !== undefined) return readStatusArguments(values, values['status']);
  const common: CommonArguments = {
    memory: requireSize(values, 'memory', true),
    granularity: readSize(values, 'granularity', false),
    hostFree: readSize(values, 'host-free', true) ?? null,
    shrink: readOneOf(values, 'shrink', shrinkPolicies) ?? 'Exact',
    grow: readOneOf(values, 'grow', growPolicies) ?? 'Divisible',
    rounding: readOneOf(values, 'rounding', roundings) ?? 'Exact',
    output: readOneOf(values, 'output', outputs) ?? 'text',
  };
  const file = values['domain-xml'];
  if (file !== undefined) {
    forbid(values, ['boot', 'modules', 'slots', 'max-memory'], '--domain-xml');
    if (file === '') bad('domain-xml', 'names no file');
    return { kind: 'domain', file, common };
  }
  const { memory, granularity, hostFree, shrink, grow, rounding, output } = common;
  const input: PreviewInput = {
    ...previewDefaults,
    ...{ memory, granularity, hostFree },
    boot: [requireSize(values, 'boot', false)],
    modules: readModules(values).map((size) => ({ size })),
    slots: readCount(values, 'slots', 256),
    maxMemory: readSize(values, 'max-memory', false) ?? 'unlimited',
    // What the guest uses can't be known here: go ahead and say so.
    policy: { shrink, grow, rounding, guestSafety: 'BestEffort' },
  };
  return { kind: 'preview', input, output };
}

function readStatusArguments(values: Values, file: string): PlanArguments {
  forbid(
    values,
    without(Object.keys(values), 'status', 'memory', 'shrink', 'grow', 'rounding', 'output', 'log-level'),
    '--status',
  );
  if (file === '') bad('status', 'names no file');
  const memory = readSize(values, 'memory', true);
  const shrink = readOneOf(values, 'shrink', shrinkPolicies);
  const grow = readOneOf(values, 'grow', growPolicies);
  const rounding = readOneOf(values, 'rounding', roundings);
  const wish: StatusWish = {
    ...(memory === undefined ? {} : { memory }),
    ...(shrink === undefined ? {} : { shrink }),
    ...(grow === undefined ? {} : { grow }),
    ...(rounding === undefined ? {} : { rounding }),
  };
  return { kind: 'status', file, wish, output: readOneOf(values, 'output', outputs) ?? 'text' };
}

const without = (names: readonly string[], ...left: readonly string[]) => names.filter((name) => !left.includes(name));

function forbid(values: Values, names: readonly string[], beside: string): void {
  for (const name of names) if (values[name] !== undefined) bad(name, `can't be used with ${beside}`);
}

function sizeOf(text: string, name: string, zero: boolean): Bytes {
  const parsed = parseQuantity(text);
  if (!parsed.ok) return bad(name, parsed.error);
  return parsed.value > 0 || zero ? parsed.value : bad(name, 'must be more than 0');
}

function readSize(values: Values, name: string, zero: boolean): Bytes | undefined {
  const text = values[name];
  return text === undefined ? undefined : sizeOf(text, name, zero);
}

const requireSize = (values: Values, name: string, zero: boolean): Bytes =>
  readSize(values, name, zero) ?? bad(name, 'is missing');

function readModules(values: Values): Bytes[] {
  const text = values['modules'] ?? '';
  return text === '' ? [] : text.split(',').map((part) => sizeOf(part.trim(), 'modules', false));
}

function readCount(values: Values, name: string, most: number): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const count = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  return count <= most ? count : bad(name, `'${text.slice(0, 64)}' is not a whole number from 0 to ${most}`);
}

function readOneOf<T extends string>(values: Values, name: string, allowed: readonly T[]): T | undefined {
  // `-o=json`, as kubectl takes it, reaches us as `=json`.
  const text = values[name]?.replace(/^=/, '');
  if (text === undefined) return undefined;
  return (
    allowed.find((candidate) => candidate === text) ??
    bad(name, `'${text.slice(0, 64)}' is not one of ${allowed.join(', ')}`)
  );
}
