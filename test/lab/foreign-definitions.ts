/**
 * Custom resource definitions of others, for whom we ship objects: a real API server judges those by them. Each comes from the
 * Go module that its makers publish, of one version, held to the checksum that is written here.
 */
import { copyFileSync, existsSync, globSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cacheDirectory } from './directory.ts';
import { ensureGo } from './go-toolchain.ts';
import { makeOnce } from './made-once.ts';
import type { Report } from './progress.ts';
import { runOk } from './run.ts';

type Source = { readonly module: string; readonly sum: string; readonly files: string };

const SOURCES: readonly Source[] = [
  {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    sum: 'h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=',
    files: 'example/prometheus-operator-crd/monitoring.coreos.com_{podmonitors,prometheusrules,scrapeconfigs}.yaml',
  },
  {
    module: 'github.com/fluxcd/kustomize-controller@v1.9.6',
    sum: 'h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=',
    files: 'config/crd/bases/*.yaml',
  },
  // What Kustomizations are made of: the version whose API that one has in its go.mod.
  {
    module: 'github.com/fluxcd/source-controller@v1.9.0',
    sum: 'h1:5msg2yyjVYDULZos+2ve8MZzcSqTpusiXmrOeBhc9yY=',
    files: 'config/crd/bases/*.yaml',
  },
];

const versions = SOURCES.map(({ module }) => basename(module).replace('@', '-'));
const TARGET = join(cacheDirectory(), 'watchtools', `definitions-${versions.join('-')}`);

/** The directory of the definitions, if they are there. */
export const findForeignDefinitions = (): string | null => (existsSync(TARGET) ? TARGET : null);

/** Gives the directory, downloading the definitions first if need be (a few seconds, then cached by version). */
export async function ensureForeignDefinitions(report: Report): Promise<string> {
  const what = 'downloading the definitions of others';
  await makeOnce({ target: TARGET, what, make: (unfinished) => download(unfinished, report) }, report);
  return TARGET;
}

async function download(target: string, report: Report): Promise<void> {
  const go = await ensureGo(report);
  mkdirSync(target);
  report('downloading the custom resource definitions of the Prometheus operator and of Flux, once');
  for (const { module, sum, files } of SOURCES) {
    // In no module: what is downloaded goes by what is said here alone.
    const json = await runOk(go.command, ['mod', 'download', '-json', module], {
      ...{ cwd: target, timeoutMs: 10 * 60_000, env: { ...go.env, GOFLAGS: '', GOWORK: 'off' } },
    });
    const { Dir: directory, Sum: found } = JSON.parse(json) as { readonly Dir: string; readonly Sum: string };
    if (found !== sum) throw new Error(`${module} has the checksum ${found}, not ${sum}`);
    for (const file of globSync(join(directory, files))) copyFileSync(file, join(target, basename(file)));
  }
}

/** Said where they are missing and may not be downloaded. */
export const FOREIGN_DEFINITIONS_MISSING = 'the definitions of the Prometheus operator and of Flux are not there yet';
