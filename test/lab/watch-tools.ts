/**
 * Programs of others that read what we ship for watching and for GitOps, built once from Go modules: promtool and
 * kube-state-metrics as people run them, and the interpreter of Lua that Argo CD has in it.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheDirectory } from './directory.ts';
import { ensureGo, MINIMUM_GO } from './go-toolchain.ts';
import { withFileLock } from './lock.ts';
import { type Report, withHeartbeat } from './progress.ts';
import { runOk } from './run.ts';

/** Paths of the programs. */
export type WatchTools = { readonly promtool: string; readonly kubeStateMetrics: string; readonly lua: string };

const MODULE_DIRECTORY = join(import.meta.dirname, 'watchtools');
const MODULE_FILES = ['go.mod', 'go.sum'].map((name) => join(MODULE_DIRECTORY, name));
/** promtool without what finds targets in all clouds there are; Kubernetes is what our example of a configuration uses. */
const TAGS = 'remove_all_sd,enable_kubernetes_sd';

/** The programs, if they are built. */
export function findWatchTools(): WatchTools | null {
  const named = (name: string): string => join(builtDirectory(), name);
  const tools = { promtool: named('promtool'), kubeStateMetrics: named('kube-state-metrics'), lua: named('glua') };
  return Object.values(tools).every((path) => existsSync(path)) ? tools : null;
}

/** Gives the programs, building them first if need be (3 minutes on 2 cores, then cached by version). */
export async function ensureWatchTools(report: Report): Promise<WatchTools> {
  const found = findWatchTools();
  if (found !== null) return found;
  const built = builtDirectory();
  mkdirSync(dirname(built), { recursive: true });
  await withFileLock(
    `${built}.lock`,
    async () => {
      if (findWatchTools() === null) await build(built, report);
    },
    () => report('another process is building promtool, waiting for it'),
  );
  const result = findWatchTools();
  if (result === null) throw new Error(`promtool was built, but ${built} does not hold it`);
  return result;
}

async function build(target: string, report: Report): Promise<void> {
  const go = await ensureGo(report);
  const unfinished = `${target}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished);
  report(`building promtool, kube-state-metrics and glua with ${go.version}: once, about 3 minutes on 2 cores`);
  const args = ['build', '-v', '-trimpath', '-buildvcs=false', '-tags', TAGS, '-ldflags', '-s -w'];
  let lines = 0;
  await withHeartbeat(
    report,
    () => `downloading and compiling: ${lines} modules and packages`,
    () =>
      runOk(go.command, [...args, '-o', unfinished, 'tool'], {
        cwd: MODULE_DIRECTORY,
        env: { ...go.env, CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' },
        timeoutMs: 30 * 60_000,
        onStderr: (text) => (lines += text.split('\n').length - 1),
      }),
  );
  // The last element of its module's path is the major version, and would be the program's name.
  if (existsSync(join(unfinished, 'v2'))) renameSync(join(unfinished, 'v2'), join(unfinished, 'kube-state-metrics'));
  rmSync(target, { recursive: true, force: true });
  renameSync(unfinished, target);
}

function builtDirectory(): string {
  const hash = createHash('sha256');
  for (const file of MODULE_FILES) hash.update(readFileSync(file));
  return join(cacheDirectory(), 'watchtools', hash.digest('hex').slice(0, 12));
}

/** Said where they are missing and may not be built. */
export const WATCH_TOOLS_MISSING = `promtool is not built yet (it takes Go ${MINIMUM_GO} or newer and 3 minutes)`;
