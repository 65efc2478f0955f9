/** How the tests here run what nobody here wrote. */
import type { LabPart } from '../lab/needs.ts';
import { type CommandResult, run, type RunOptions } from '../lab/run.ts';
import { findStrangers, type Strangers } from '../lab/strangers.ts';

/** What the tests need of the lab. */
export const STRANGERS: readonly LabPart[] = ['strangers'];

/** The checkers that the lab has installed. @throws Error where it hasn't */
export function installed(): Strangers {
  const found = findStrangers();
  if (found === null) throw new Error('the checkers are not installed');
  return found;
}

/** Runs one of them. They ask nobody whether there is a newer version, and tell nobody that they run. */
export function check(
  [command, ...first]: readonly [string, ...string[]],
  args: readonly string[],
  options: RunOptions = {},
): Promise<CommandResult> {
  const quiet = { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', NO_COLOR: '1', CI: 'true' };
  return run(command, [...first, ...args], { timeoutMs: 120_000, ...options, env: { ...quiet, ...options.env } });
}

/**
 * What a checker may find fault with, as `where: rule`, and why that is right as it is. A test holds what is found against
 * it in both directions: a reason that nothing needs any more goes.
 */
export type Accepted = Readonly<Record<string, string>>;

/** `found` without repetitions, in order, to be compared with the keys of an {@link Accepted}. */
export const distinct = (found: readonly string[]): readonly string[] => [...new Set(found)].toSorted();
