/**
 * `npm run packages`: makes a `.deb` and an `.rpm` of the program with all that it needs, Node included
 * (docs/adr/0051-packages-for-hosts.md). The program must have been built. The same commit gives the same bytes.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import type { Build } from './packages/build.ts';
import { buildDeb } from './packages/debian.ts';
import { listFiles, type PackageKind, type Sources } from './packages/files.ts';
import { buildRpm } from './packages/rpm.ts';

const execute = promisify(execFile);
const root = dirname(import.meta.dirname);
const { values } = parseArgs({
  options: {
    'output-dir': { type: 'string', default: 'packages' },
    /** deb or rpm; both when left out. */
    only: { type: 'string' },
    /** Of the package: 2 for one that differs from an earlier one in how it is packed. */
    revision: { type: 'string', default: '1' },
    /** small, or none for a package to try. */
    compression: { type: 'string', default: 'small' },
    /** Node's binary for another architecture, with its LICENSE beside its bin/; this machine's when left out. */
    node: { type: 'string' },
    /** As Node calls it: x64, arm64. */
    architecture: { type: 'string', default: process.arch },
  },
});
const builders = { deb: buildDeb, rpm: buildRpm } as const;

/** Node as the npm package of that name brings it, which is what the tests run on. */
function findNode(given: string | undefined): Sources['node'] {
  const packaged = join(root, 'node_modules/node/node_modules', `node-linux-${process.arch}`);
  const binary = given ?? join(packaged, 'bin/node');
  return { binary, license: join(dirname(dirname(binary)), 'LICENSE') };
}

/** When this commit was made, unless somebody says otherwise. */
async function findDate(): Promise<number> {
  const given = process.env['SOURCE_DATE_EPOCH'];
  const text = given ?? (await execute('git', ['-C', root, 'log', '-1', '--format=%ct'])).stdout;
  const date = Number(text.trim());
  if (!Number.isSafeInteger(date) || date <= 0) throw new Error(`SOURCE_DATE_EPOCH: '${text}' is no date`);
  return date;
}

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const outputDirectory = resolve(values['output-dir']);
const { compression, only, revision } = values;
if (compression !== 'small' && compression !== 'none') throw new Error('--compression is small or none');
if (only !== undefined && only !== 'deb' && only !== 'rpm') throw new Error('--only is deb or rpm');
const kinds: readonly PackageKind[] = only === undefined ? ['deb', 'rpm'] : [only];
const node = findNode(values.node);
const sources: Sources = { root, node };
const workDirectory = mkdtempSync(join(tmpdir(), 'dimmer-packages-'));
try {
  mkdirSync(outputDirectory, { recursive: true });
  const build: Build = {
    ...{ version, revision, compression, workDirectory, outputDirectory },
    architecture: values.architecture,
    date: await findDate(),
  };
  for (const kind of kinds) console.log(await builders[kind](build, await listFiles(kind, sources)));
} finally {
  rmSync(workDirectory, { recursive: true, force: true });
}
