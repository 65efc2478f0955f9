/**
 * Checkers that nobody here wrote (test/strangers), in one version each and apart from this repository's dependencies: those of
 * npm by a lock file, those in Go by go.sum, those in Python by their versions. Installed once, then cached by what they are made from.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { cacheDirectory } from './directory.ts';
import { buildEnv, ensureGo } from './go-toolchain.ts';
import { makeOnce } from './made-once.ts';
import { type Report, withHeartbeat } from './progress.ts';
import { runOk } from './run.ts';

type Command = readonly [string, ...string[]];

export type Strangers = {
  /** Each a command with its first arguments. */
  readonly redocly: Command;
  readonly spectral: Command;
  readonly publint: Command;
  readonly kubeconform: Command;
  readonly kubeScore: Command;
  readonly kstatus: Command;
  readonly krew: Command;
  readonly k9s: Command;
  readonly schemathesis: Command;
  readonly hadolint: Command;
  /** The directory of CycloneDX's JSON schemas. */
  readonly cyclonedxSchemas: string;
};

const SOURCES = join(import.meta.dirname, 'strangers');

type Kind = {
  readonly name: string;
  readonly about: string;
  /** Of files below `SOURCES`, which make it what it is. */
  readonly sources: string;
  readonly install: (source: string, target: string, report: Report) => Promise<void>;
};

const MODULES: Kind = {
  name: 'npm',
  about: 'checkers from npm (90 MB)',
  sources: 'npm/package*.json',
  async install(source, target) {
    cpSync(source, target, { recursive: true });
    // Nothing of the npm that runs these tests, and the Node that does.
    const names = Object.keys(process.env).filter((name) => /^npm_/i.test(name));
    const env = {
      ...Object.fromEntries(names.map((name) => [name, ''])),
      PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
    };
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier'];
    await runOk('npm', args, { cwd: target, env, timeoutMs: 10 * 60_000 });
  },
};

const buildFlags = ['-trimpath', '-buildvcs=false', '-ldflags=-s -w'];

/** Runs `go` in a directory. */
async function goIn(cwd: string, report: Report): Promise<(...args: readonly string[]) => Promise<string>> {
  const go = await ensureGo(report);
  return (...args) => runOk(go.command, args, { cwd, env: buildEnv(go), timeoutMs: 30 * 60_000 });
}

const GO: Kind = {
  name: 'go',
  about: 'kubeconform, kube-score, kstatus and krew, built with Go',
  sources: 'go/{go.mod,go.sum,*/*.go}',
  async install(source, target, report) {
    const go = await goIn(source, report);
    mkdirSync(target);
    await go('build', ...buildFlags, '-o', target, 'tool', './kstatus');
  },
};

/** As it is released, but for its scanner of images, which needs more than all the rest of it (k9s/vul). */
const K9S: Kind = {
  name: 'k9s',
  about: 'k9s, built with Go (4 minutes)',
  sources: 'k9s/{go.mod,go.sum,vul/*.go}',
  async install(source, target, report) {
    const go = await goIn(source, report);
    const answer = await go('mod', 'download', '-json', 'github.com/derailed/k9s');
    const { Dir: released } = JSON.parse(answer) as { readonly Dir: string };
    const tree = `${target}.source`;
    rmSync(tree, { recursive: true, force: true });
    // What Go keeps of modules nobody may write.
    await runOk('cp', ['-r', '--no-preserve=mode', released, tree]);
    rmSync(join(tree, 'internal/vul/scan.go'));
    cpSync(join(source, 'vul/scanner.go'), join(tree, 'internal/vul/scanner.go'));
    const goInTree = await goIn(tree, report);
    await goInTree('build', ...buildFlags, '-o', join(target, 'k9s'), '.');
    rmSync(tree, { recursive: true });
  },
};

const PYTHON: Kind = {
  name: 'python',
  about: 'schemathesis and hadolint, in a Python environment of their own (100 MB)',
  sources: 'python/requirements.txt',
  async install(source, target) {
    await runOk('python3', ['-m', 'venv', target]);
    const pip = [join(target, 'bin/python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'] as const;
    const [command, ...args] = [...pip, '--no-deps', '--only-binary=:all:', '-r', join(source, 'requirements.txt')];
    await runOk(command, args, { timeoutMs: 10 * 60_000 });
  },
};

const KINDS = [MODULES, GO, K9S, PYTHON];

/** The checkers, if they have been installed. */
export function findStrangers(): Strangers | null {
  if (!KINDS.every((kind) => existsSync(directoryOf(kind)))) return null;
  const [modules = '', go = '', k9s = '', python = ''] = KINDS.map(directoryOf);
  const ofNpm = (path: string): string => join(modules, 'node_modules', path);
  const byNode = (path: string): Command => [process.execPath, ofNpm(path)];
  return {
    redocly: byNode('@redocly/cli/bin/cli.js'),
    spectral: byNode('@stoplight/spectral-cli/dist/index.js'),
    publint: byNode('publint/src/cli.js'),
    kubeconform: [join(go, 'kubeconform')],
    kubeScore: [join(go, 'kube-score')],
    kstatus: [join(go, 'kstatus')],
    krew: [join(go, 'krew')],
    k9s: [join(k9s, 'k9s')],
    // Its own first line names the place where it was installed.
    schemathesis: [join(python, 'bin/python'), join(python, 'bin/schemathesis')],
    hadolint: [join(python, 'bin/hadolint')],
    cyclonedxSchemas: ofNpm('@cyclonedx/cyclonedx-library/res/schema'),
  };
}

/** Installs the checkers that aren't there: half a minute each, then cached. */
export async function ensureStrangers(report: Report): Promise<void> {
  for (const kind of KINDS) {
    const make = (unfinished: string): Promise<void> => {
      report(`installing ${kind.about}, once`);
      return withHeartbeat(
        report,
        () => `installing ${kind.about}`,
        () => kind.install(join(SOURCES, kind.name), unfinished, report),
      );
    };
    await makeOnce({ target: directoryOf(kind), what: `installing ${kind.about}`, make }, report);
  }
}

function directoryOf({ name, sources }: Kind): string {
  const hash = createHash('sha256');
  for (const file of globSync(join(SOURCES, sources)).toSorted())
    hash.update(basename(file)).update(readFileSync(file));
  return join(cacheDirectory(), 'strangers', `${name}-${hash.digest('hex').slice(0, 12)}`);
}
