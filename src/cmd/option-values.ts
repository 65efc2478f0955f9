/**
 * Values of options that several long-running commands have. A bad one is a {@link Mistake}, which the command's reader
 * turns into its one line of bad usage: there is nothing to go on with half-way through a command line.
 */
import { accessSync, constants } from 'node:fs';
import { logLevels, type LogLevel } from '../runtime/logger.ts';
import { type HostPort, parseHostPort } from './arguments.ts';

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

/** Runs `read`; a {@link Mistake} in it is bad usage. */
export function catchMistake<T>(read: () => T): T | { readonly kind: 'bad-usage'; readonly problem: string } {
  try {
    return read();
  } catch (error) {
    if (error instanceof Mistake) return { kind: 'bad-usage', problem: error.message };
    throw error;
  }
}
