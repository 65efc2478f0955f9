/** The program of an earlier version, built once from its commit, to see that it and today's understand each other. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { cacheDirectory } from './directory.ts';
import { withFileLock } from './lock.ts';
import { type Report, withHeartbeat } from './progress.ts';
import { run, runOk } from './run.ts';

/** Version 0.1.0. */
const COMMIT = '064b3cfa8f966aa570a1ba5fa16ae99f7257d43e';
const ROOT = join(import.meta.dirname, '../..');
/** What of a checkout is kept: the program, which is bundled, and what is installed beside it. */
const KEPT = ['dist', 'crds', 'deploy', 'package.json'];

export type ReleasedProgram = {
  readonly version: string;
  /** Runs with Node as `dist/cmd/main.js` does. */
  readonly program: string;
  /** Its CRDs and manifests, for `kubectl apply -k`. */
  readonly deployDirectory: string;
};

/** The program of 0.1.0, if it has been built. */
export function findReleasedProgram(): ReleasedProgram | null {
  const directory = builtDirectory();
  const program = join(directory, 'dist/cmd/main.js');
  return existsSync(program) ? { version: '0.1.0', program, deployDirectory: join(directory, 'deploy') } : null;
}

/** Builds the program of 0.1.0 from this repository's history, if it isn't there: a minute, then cached by commit. */
export async function ensureReleasedProgram(report: Report): Promise<void> {
  if (findReleasedProgram() !== null) return;
  const built = builtDirectory();
  mkdirSync(dirname(built), { recursive: true });
  await withFileLock(
    `${built}.lock`,
    async () => {
      if (findReleasedProgram() === null) await build(built, report);
    },
    () => report('another process is building the program of 0.1.0, waiting for it'),
  );
}

/** Null where the program of 0.1.0 is there or can be built; else why not, and what to do. */
export async function releasedProgramProblem(): Promise<string | null> {
  if (findReleasedProgram() !== null) return null;
  const { code } = await run('git', ['-C', ROOT, 'cat-file', '-e', `${COMMIT}^{commit}`]);
  if (code === 0) return null;
  return (
    `the history of this checkout lacks commit ${COMMIT.slice(0, 7)}, of which the program of version 0.1.0 is built; ` +
    'use a clone with its history (git fetch --unshallow)'
  );
}

async function build(target: string, report: Report): Promise<void> {
  report('building the program of version 0.1.0 from its commit, once: about a minute');
  const checkout = `${target}.unfinished`;
  rmSync(checkout, { recursive: true, force: true });
  mkdirSync(checkout);
  const archive = join(checkout, '.tar');
  await runOk('git', ['-C', ROOT, 'archive', `--output=${archive}`, '--format=tar', COMMIT]);
  await runOk('tar', ['--extract', '--file', archive, '--directory', checkout]);
  // Nothing of the npm that runs these tests, and the Node that does.
  const npmNames = Object.keys(process.env).filter((name) => /^npm_/i.test(name));
  const env = {
    ...Object.fromEntries(npmNames.map((name) => [name, ''])),
    PATH: [join(checkout, 'node_modules/.bin'), dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
  };
  const options = { cwd: checkout, env, timeoutMs: 10 * 60_000 };
  await withHeartbeat(
    report,
    () => 'building version 0.1.0',
    async () => {
      await runOk('npm', ['ci', '--no-audit', '--no-fund'], options);
      await runOk('npm', ['run', 'build'], options);
    },
  );
  const kept = `${target}.kept`;
  rmSync(kept, { recursive: true, force: true });
  mkdirSync(kept);
  for (const name of KEPT) renameSync(join(checkout, name), join(kept, name));
  rmSync(checkout, { recursive: true, force: true });
  rmSync(target, { recursive: true, force: true });
  renameSync(kept, target);
}

const builtDirectory = (): string => join(cacheDirectory(), 'released', COMMIT.slice(0, 12));
