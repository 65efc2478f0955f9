import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { cacheDirectory } from './directory.ts';
import { ensureGo, MINIMUM_GO } from './go-toolchain.ts';
import { withFileLock } from './lock.ts';
import { type Report, withHeartbeat } from './progress.ts';
import { run, runOk } from './run.ts';

/** Paths of the programs of a Kubernetes control plane. */
export type ControlPlaneBinaries = {
  readonly apiServer: string;
  readonly etcd: string;
  readonly kubectl: string;
  /** Where they come from, for people. */
  readonly origin: string;
};

const MODULE_DIRECTORY = join(import.meta.dirname, 'controlplane');
const MODULE_FILES = ['go.mod', 'go.sum'].map((name) => join(MODULE_DIRECTORY, name));
/** The admission policies of deploy/ need a stable ValidatingAdmissionPolicy (Kubernetes 1.30). */
const MINIMUM_MINOR = 30;

/** The control plane that is there, without building anything; null when none is. */
export async function findControlPlane(): Promise<ControlPlaneBinaries | null> {
  return (await findInstalled()) ?? findBuilt();
}

/** Gives the programs, building them first if need be (about 4 minutes on 2 cores, then cached by version). */
export async function ensureControlPlane(report: Report): Promise<ControlPlaneBinaries> {
  const found = await findControlPlane();
  if (found !== null) return found;
  const built = builtDirectory();
  mkdirSync(dirname(built), { recursive: true });
  await withFileLock(
    `${built}.lock`,
    async () => {
      if (findBuilt() === null) await build(built, report);
    },
    () => report('another process is building the control plane, waiting for it'),
  );
  const result = findBuilt();
  if (result === null) throw new Error(`the control plane was built, but ${built} does not hold it`);
  return result;
}

/** One directory with all three programs, so that client and server fit each other. */
async function findInstalled(): Promise<ControlPlaneBinaries | null> {
  const assets = process.env['KUBEBUILDER_ASSETS'];
  if (assets !== undefined && assets !== '') {
    const complete = completeDirectory(assets);
    if (complete === null) {
      throw new Error(
        `KUBEBUILDER_ASSETS=${assets} does not hold kube-apiserver, etcd and kubectl; unset or correct it`,
      );
    }
    return { ...complete, origin: 'KUBEBUILDER_ASSETS' };
  }
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const complete = directory === '' ? null : completeDirectory(directory);
    if (complete === null) continue;
    const version = (await run(complete.apiServer, ['--version'])).stdout;
    const minor = Number(/v1\.(\d+)/.exec(version)?.[1] ?? 0);
    if (minor >= MINIMUM_MINOR) return { ...complete, origin: directory };
  }
  return null;
}

function completeDirectory(directory: string): Omit<ControlPlaneBinaries, 'origin'> | null {
  const binaries = {
    apiServer: join(directory, 'kube-apiserver'),
    etcd: join(directory, 'etcd'),
    kubectl: join(directory, 'kubectl'),
  };
  return Object.values(binaries).every(isExecutable) ? binaries : null;
}

function findBuilt(): ControlPlaneBinaries | null {
  const directory = builtDirectory();
  const complete = completeDirectory(directory);
  return complete === null ? null : { ...complete, origin: directory };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function kubernetesVersion(): string {
  const goMod = readFileSync(join(MODULE_DIRECTORY, 'go.mod'), 'utf8');
  const version = /^\s*(?:require )?k8s\.io\/kubernetes (v\S+)/m.exec(goMod)?.[1];
  if (version === undefined) throw new Error(`${MODULE_DIRECTORY}/go.mod does not require k8s.io/kubernetes`);
  return version;
}

function builtDirectory(): string {
  const hash = createHash('sha256');
  for (const file of MODULE_FILES) hash.update(readFileSync(file));
  const name = `${kubernetesVersion()}-${hash.digest('hex').slice(0, 12)}`;
  return join(cacheDirectory(), 'controlplane', name);
}

async function build(target: string, report: Report): Promise<void> {
  const version = kubernetesVersion();
  const [, minor = ''] = version.split('.');
  const go = await ensureGo(report);
  const unfinished = `${target}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished);
  report(
    `building etcd, kube-apiserver and kubectl ${version} with ${go.version}: once, about 4 minutes on 2 cores; ` +
      'needs about 700 MB for Go modules and 2.2 GB for the build cache',
  );
  const env = { ...go.env, CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' };
  const total = await downloadModules(go.command, env, report);
  // Without the stamp `kubectl version` fails on the server's version string.
  const stamp = { gitVersion: version, gitMajor: '1', gitMinor: minor, gitTreeState: 'clean' };
  const flags = Object.entries(stamp).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
  const args = ['build', '-v', '-trimpath', '-buildvcs=false', '-ldflags', ['-s', '-w', ...flags].join(' ')];
  let compiled = 0;
  await withHeartbeat(
    report,
    () => `compiling: ${compiled} of at most ${total} packages`,
    () =>
      runOk(go.command, [...args, '-o', unfinished, 'tool'], {
        cwd: MODULE_DIRECTORY,
        env,
        timeoutMs: 60 * 60_000,
        onStderr: (text) => (compiled += text.split('\n').length - 1),
      }),
  );
  if (existsSync(join(unfinished, 'server'))) renameSync(join(unfinished, 'server'), join(unfinished, 'etcd'));
  rmSync(target, { recursive: true, force: true });
  renameSync(unfinished, target);
}

/** Downloads what the build needs and gives the number of packages to compile. */
async function downloadModules(go: string, env: Record<string, string>, report: Report): Promise<number> {
  let modules = 0;
  const packages = await withHeartbeat(
    report,
    () => `downloading: ${modules} Go modules`,
    () =>
      runOk(go, ['list', '-deps', 'tool'], {
        cwd: MODULE_DIRECTORY,
        env,
        timeoutMs: 30 * 60_000,
        onStderr: (text) => (modules += text.split('go: downloading').length - 1),
      }),
  );
  return packages.trim().split('\n').length;
}

/** Said where the programs are missing and may not be built. */
export const CONTROL_PLANE_MISSING = `the control plane is not built yet (it takes Go ${MINIMUM_GO} or newer and 4 minutes)`;
