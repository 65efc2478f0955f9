/** helm and operator-verify, built once from Go modules: what installs the chart, and what OLM's own library says of the bundle. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheDirectory } from './directory.ts';
import { ensureGo, MINIMUM_GO } from './go-toolchain.ts';
import { withFileLock } from './lock.ts';
import { type Report, withHeartbeat } from './progress.ts';
import { runOk } from './run.ts';

/** Paths of the programs. */
export type ChartTools = { readonly helm: string; readonly operatorVerify: string };

const MODULE_DIRECTORY = join(import.meta.dirname, 'charttools');
const MODULE_FILES = ['go.mod', 'go.sum'].map((name) => join(MODULE_DIRECTORY, name));
const NAMES = ['helm', 'operator-verify'] as const;

/** The programs, if they are built. */
export function findChartTools(): ChartTools | null {
  const [helm, operatorVerify] = NAMES.map((name) => join(builtDirectory(), name)) as [string, string];
  return existsSync(helm) && existsSync(operatorVerify) ? { helm, operatorVerify } : null;
}

/** Gives the programs, building them first if need be (2 minutes on 2 cores, then cached by version). */
export async function ensureChartTools(report: Report): Promise<ChartTools> {
  const found = findChartTools();
  if (found !== null) return found;
  const built = builtDirectory();
  mkdirSync(dirname(built), { recursive: true });
  await withFileLock(
    `${built}.lock`,
    async () => {
      if (findChartTools() === null) await build(built, report);
    },
    () => report('another process is building helm, waiting for it'),
  );
  const result = findChartTools();
  if (result === null) throw new Error(`helm was built, but ${built} does not hold it`);
  return result;
}

async function build(target: string, report: Report): Promise<void> {
  const version = helmVersion();
  const go = await ensureGo(report);
  const unfinished = `${target}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished);
  report(`building helm ${version} and operator-verify with ${go.version}: once, about 2 minutes on 2 cores`);
  // Without it, it calls itself by its branch.
  const stamp = `-X helm.sh/helm/v4/internal/version.version=${version}`;
  const args = ['build', '-v', '-trimpath', '-buildvcs=false', '-ldflags', `-s -w ${stamp}`, '-o', unfinished, 'tool'];
  let lines = 0;
  await withHeartbeat(
    report,
    () => `downloading and compiling: ${lines} modules and packages`,
    () =>
      runOk(go.command, args, {
        cwd: MODULE_DIRECTORY,
        env: { ...go.env, CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' },
        timeoutMs: 30 * 60_000,
        onStderr: (text) => (lines += text.split('\n').length - 1),
      }),
  );
  rmSync(target, { recursive: true, force: true });
  renameSync(unfinished, target);
}

function helmVersion(): string {
  const version = /^\s*helm\.sh\/helm\/v4 (v\S+)/m.exec(readFileSync(join(MODULE_DIRECTORY, 'go.mod'), 'utf8'))?.[1];
  if (version === undefined) throw new Error(`${MODULE_DIRECTORY}/go.mod does not require helm`);
  return version;
}

function builtDirectory(): string {
  const hash = createHash('sha256');
  for (const file of MODULE_FILES) hash.update(readFileSync(file));
  return join(cacheDirectory(), 'charttools', `${helmVersion()}-${hash.digest('hex').slice(0, 12)}`);
}

/** Said where they are missing and may not be built. */
export const CHART_TOOLS_MISSING = `helm is not built yet (it takes Go ${MINIMUM_GO} or newer and 2 minutes)`;
