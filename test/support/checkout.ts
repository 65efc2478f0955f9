/** A checkout to build and pack in, without touching what other tests run. */
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { run, runOk, type CommandResult } from '../lab/run.ts';

const root = join(import.meta.dirname, '../..');
const notInAClone = ['node_modules', 'dist', 'coverage', '.git', '.lab'];

/** The PATH on which `node` is the Node of the tests. */
export const nodePath = [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter);

export type Checkout = {
  readonly directory: string;
  /** Runs a shell command in it, as somebody who has configured nothing of npm. */
  readonly sh: (command: string, env?: Readonly<Record<string, string>>) => Promise<CommandResult>;
  readonly shOk: (command: string, env?: Readonly<Record<string, string>>) => Promise<string>;
};

/** Copies what a clone has into `directory`/checkout; the installed packages are those of this checkout. */
export function copyCheckout(directory: string): Checkout {
  const target = join(directory, 'checkout');
  const isInAClone = (path: string) => !notInAClone.includes(basename(path)) && !path.endsWith('.tgz');
  cpSync(root, target, { recursive: true, filter: isInAClone });
  symlinkSync(join(root, 'node_modules'), join(target, 'node_modules'));
  const home = join(directory, 'home');
  mkdirSync(home, { recursive: true });
  const options = (env: Readonly<Record<string, string>>) => ({
    cwd: target,
    env: { ...withoutNpm(), PATH: nodePath, HOME: home, npm_config_update_notifier: 'false', ...env },
    timeoutMs: 120_000,
  });
  return {
    directory: target,
    sh: (command, env = {}) => run('sh', ['-euc', command], options(env)),
    shOk: (command, env = {}) => runOk('sh', ['-euc', command], options(env)),
  };
}

/** What `npm test` tells the programs below it must not reach an npm of its own. */
function withoutNpm(): Record<string, string> {
  const names = Object.keys(process.env).filter((name) => /^npm_/i.test(name));
  return Object.fromEntries(names.map((name) => [name, '']));
}
