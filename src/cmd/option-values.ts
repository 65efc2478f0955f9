/**
 * Values of options that several long-running commands have. A bad one is a {@link Mistake}, which the command's reader
 * turns into its one line of bad usage: there is nothing to go on with half-way through a command line.
 */
import { accessSync, constants } from 'node:fs';
import { logLevels, type LogLevel } from '../runtime/logger.ts';
import { type Arguments, type HostPort, parseHostPort } from './arguments.ts';
import type { HelpItem } from './help.ts';

/** Bad usage, in one line that names the argument. */
export class Mistake extends Error {}

/** A file that can be read. @throws Mistake */
export function readableFile(name: string, path: string): string {
  try {
    accessSync(path, constants.R_OK);
  } catch {
    throw new Mistake(`--${name}: file ${path} can't be read`);
  }
  return path;
}

/** HOST:PORT. @throws Mistake */
export function readAddress(name: string, value: string): HostPort {
  const address = parseHostPort(value);
  if (address === null) throw new Mistake(`--${name}: '${value}' is not HOST:PORT`);
  return address;
}

/** The level for `--log-level`. @throws Mistake */
export function readLogLevel(value: string): LogLevel {
  const level = logLevels.find((known) => known === value);
  if (level === undefined) throw new Mistake(`--log-level: '${value}' is not one of ${logLevels.join(', ')}`);
  return level;
}

/** Options of each command that reconciles, as {@link readReconcilerOptions} reads them. */
export const reconcilerOptions = {
  'max-concurrent-reconciles': { type: 'string' },
  'metrics-bind-address': { type: 'string' },
  'health-probe-bind-address': { type: 'string' },
  'observe-only': { type: 'boolean' },
  'log-level': { type: 'string' },
} as const;

/** What the help says of them. */
export const reconcilerItems: readonly HelpItem[] = [
  {
    term: '--max-concurrent-reconciles N',
    about: 'resources of one host reconciled at once, 1 to 256 (default 16)',
  },
  { term: '--metrics-bind-address HOST:PORT', about: 'serve /metrics there (default: not served)' },
  {
    term: '--health-probe-bind-address HOST:PORT',
    about: 'serve /healthz and /readyz there (default: not served)',
  },
  { term: '--observe-only', about: 'observe and plan, change nothing on any VM' },
  { term: '--log-level LEVEL', about: 'debug, info, warn or error (default info)' },
];

export type ReconcilerOptions = {
  /** Resources of one host reconciled at once. */
  readonly concurrency: number;
  /** null: not served. */
  readonly metricsAddress: HostPort | null;
  readonly healthAddress: HostPort | null;
  readonly observeOnly: boolean;
  readonly logLevel: LogLevel;
};

type Values = Arguments['values'];

/** @throws Mistake */
export function readReconcilerOptions(values: Values): ReconcilerOptions {
  const optional = optionalOf(values);
  return {
    concurrency: optional('max-concurrent-reconciles', readConcurrency) ?? 16,
    metricsAddress: optional('metrics-bind-address', readAddress),
    healthAddress: optional('health-probe-bind-address', readAddress),
    observeOnly: values['observe-only'] === true,
    logLevel: optional('log-level', (_, level) => readLogLevel(level)) ?? 'info',
  };
}

/** The value of an option as it is given; null: it isn't. */
export const textIn =
  (values: Values) =>
  (name: string): string | null => {
    const value = values[name];
    return typeof value === 'string' ? value : null;
  };

export type Optional = <T>(name: string, readValue: (name: string, value: string) => T) => T | null;

/** Reads an option's value where it is given; null: it isn't. */
export const optionalOf =
  (values: Values): Optional =>
  (name, readValue) => {
    const value = textIn(values)(name);
    return value === null ? null : readValue(name, value);
  };

function readConcurrency(name: string, value: string): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 1 && count <= 256) return count;
  throw new Mistake(`--${name}: '${value}' is not a whole number from 1 to 256`);
}

/** Runs `read`; a {@link Mistake} in it is bad usage. */
export function catchMistake<T>(read: () => T): T | { readonly kind: 'bad-usage'; readonly problem: string } {
  try {
    return read();
  } catch (error) {
    if (error instanceof Mistake) return { kind: 'bad-usage', problem: error.message };
    throw error;
  }
}
