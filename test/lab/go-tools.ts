/**
 * Programs of others, built once from Go modules: the tools of a go.mod that has no code of ours, pinned by its go.sum. Cached by
 * both, below the name of the directory that holds them.
 */
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from './directory.ts';
import { buildEnv, ensureGo, MINIMUM_GO } from './go-toolchain.ts';
import { makeOnce } from './made-once.ts';
import { type Report, withHeartbeat } from './progress.ts';
import { runOk } from './run.ts';

/** What to build. */
export type GoToolsPlan<Program extends string> = {
  /** Beside this file, with `go.mod` and `go.sum`. */
  readonly directory: string;
  /** What each is called where it is built. */
  readonly programs: Readonly<Record<Program, string>>;
  /** For people: all of them, in a few words. */
  readonly about: string;
  /** For people: how long it takes on 2 cores. */
  readonly minutes: number;
  /** For people: what it takes beside time. */
  readonly needs?: string;
  /** A module whose version is part of the cache's name, and goes to `stamp`. */
  readonly versionOf?: string;
  /** Values of variables to link in: `-X NAME=VALUE`. */
  readonly stamp?: (version: string) => Readonly<Record<string, string>>;
  readonly tags?: readonly string[];
  /** What `go build` calls a program by its import path, and what it is called. */
  readonly renamed?: Readonly<Record<string, string>>;
};

export type GoTools<Program extends string> = {
  /** Where they are when they are built. */
  readonly target: string;
  /** Their paths, without building anything; null when they aren't there. */
  readonly find: () => Readonly<Record<Program, string>> | null;
  /** Builds them first if need be. */
  readonly ensure: (report: Report) => Promise<Readonly<Record<Program, string>>>;
  /** Said where they are missing and may not be built. */
  readonly missing: string;
};

/** Makes of a plan what finds the programs, and builds them once on a machine. */
export function goTools<Program extends string>(plan: GoToolsPlan<Program>): GoTools<Program> {
  const source = join(import.meta.dirname, plan.directory);
  const target = join(cacheDirectory(), plan.directory, cacheName(plan, source));
  const find = (): Readonly<Record<Program, string>> | null => findPrograms(target, plan.programs);
  const ensure = async (report: Report): Promise<Readonly<Record<Program, string>>> => {
    const make = (unfinished: string): Promise<void> => build(plan, source, unfinished, report);
    await makeOnce({ target, what: `building ${plan.about}`, isWhole: () => find() !== null, make }, report);
    const found = find();
    if (found === null) throw new Error(`${plan.about} was built, but ${target} does not hold it`);
    return found;
  };
  const missing = `not built yet: ${plan.about} (with Go ${MINIMUM_GO} or newer, in ${plan.minutes} minutes)`;
  return { target, find, ensure, missing };
}

/** The paths of programs in a directory, by their names there; null unless it has them all. */
export function findPrograms<Program extends string>(
  directory: string,
  programs: Readonly<Record<Program, string>>,
): Readonly<Record<Program, string>> | null {
  const paths = Object.entries<string>(programs).map(([name, file]) => [name, join(directory, file)] as const);
  if (!paths.every(([, path]) => isExecutable(path))) return null;
  return Object.fromEntries(paths) as Record<Program, string>;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function cacheName({ versionOf }: GoToolsPlan<string>, source: string): string {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(join(source, file)));
  const version = versionOf === undefined ? [] : [versionIn(source, versionOf)];
  return [...version, hash.digest('hex').slice(0, 12)].join('-');
}

function versionIn(source: string, module: string): string {
  const required = readFileSync(join(source, 'go.mod'), 'utf8')
    .split('\n')
    .map((line) => line.trim().replace(/^require /, ''))
    .find((line) => line.startsWith(`${module} v`));
  const version = required?.split(' ')[1];
  if (version === undefined) throw new Error(`${source}/go.mod does not require ${module}`);
  return version;
}

async function build(plan: GoToolsPlan<string>, source: string, unfinished: string, report: Report): Promise<void> {
  const go = await ensureGo(report);
  const version = plan.versionOf === undefined ? '' : versionIn(source, plan.versionOf);
  const needs = plan.needs === undefined ? '' : `; needs ${plan.needs}`;
  const named = [plan.about, version].filter((word) => word !== '').join(' ');
  report(`building ${named} with ${go.version}: once, about ${plan.minutes} minutes on 2 cores${needs}`);
  mkdirSync(unfinished);
  const env = buildEnv(go);
  const stamps = Object.entries(plan.stamp?.(version) ?? {}).map(([name, value]) => `-X ${name}=${value}`);
  const tags = plan.tags === undefined ? [] : ['-tags', plan.tags.join(',')];
  const flags = ['-trimpath', '-buildvcs=false', ...tags, '-ldflags', ['-s', '-w', ...stamps].join(' ')];
  let modules = 0;
  const packages = await withHeartbeat(
    report,
    () => `downloading: ${modules} Go modules`,
    () =>
      runOk(go.command, ['list', '-deps', ...tags, 'tool'], {
        ...{ cwd: source, env, timeoutMs: 30 * 60_000 },
        onStderr: (text) => (modules += text.split('go: downloading').length - 1),
      }),
  );
  const total = packages.trim().split('\n').length;
  let compiled = 0;
  await withHeartbeat(
    report,
    () => `compiling: ${compiled} of at most ${total} packages`,
    () =>
      runOk(go.command, ['build', '-v', ...flags, '-o', unfinished, 'tool'], {
        ...{ cwd: source, env, timeoutMs: 60 * 60_000 },
        onStderr: (text) => (compiled += text.split('\n').length - 1),
      }),
  );
  for (const [from, to] of Object.entries(plan.renamed ?? {}))
    if (existsSync(join(unfinished, from))) renameSync(join(unfinished, from), join(unfinished, to));
}
