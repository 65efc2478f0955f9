/**
 * Bundles the program into `dist/`: everything it needs but Node itself, each command in a file of its own that is
 * loaded only when it runs. Why: docs/adr/0007-one-small-program.md. What it starts with, and which any Node must be able
 * to read, is bundled apart: docs/adr/0010-the-package.md.
 */
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type Metafile, type Plugin, version as esbuildVersion } from 'esbuild';
import { findBundled } from './bundled.ts';
import { writeLicenses } from './licenses.ts';
import { restoreManifest } from './manifest.ts';
import { buildPage } from './page.ts';
import { describeMaterials } from './sbom.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
restoreManifest(root);
// esbuild is a Go program that lives for seconds: a fourth of what it takes of a processor is collecting garbage.
process.env['GOGC'] ??= '400';

/** Native helpers that the WebSockets of the Kubernetes client do without. */
const optional = ['bufferutil', 'utf-8-validate'];

// A stale chunk must not be loaded, nor shipped.
rmSync(dist, { recursive: true, force: true });
const common = {
  absWorkingDir: root,
  outbase: 'src',
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  platform: 'node',
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  // Paths are those in the checkout, wherever it is and whatever its node_modules is a link to: the same bytes everywhere.
  preserveSymlinks: true,
} as const satisfies BuildOptions;

/** What people start: `dimmer`, and the plugin of kubectl. */
const entries = ['main', 'kubectl-dimmer'];

/** The program stays a file of its own: what it is written in is none of the entry's business. */
const programApart: Plugin = {
  name: 'program-apart',
  setup: (bundle) =>
    bundle.onResolve({ filter: /^\.\/program\.ts$/ }, () => ({ path: './program.js', external: true })),
};
const { metafile: entriesMetafile } = await build({
  ...common,
  entryPoints: entries.map((name) => `src/cmd/${name}.ts`),
  target: 'node12.22',
  plugins: [programApart],
});

/**
 * Of the Kubernetes client only what is used (src/kubernetes/connect.ts). It doesn't say that its modules do nothing when they
 * are loaded, so that esbuild would take all 700 models of the API along.
 */
const clientPruned: Plugin = {
  name: 'client-pruned',
  setup: (bundle) => {
    const isOfClient = (place: string): boolean => place.includes('@kubernetes/client-node');
    bundle.onResolve(
      { filter: /^@kubernetes\/client-node/ },
      async ({ path, pluginData, with: attributes, ...from }) => {
        if (pluginData === 'resolved') return undefined;
        const { importer, resolveDir, kind } = from;
        const options = { importer, resolveDir, kind, with: attributes, pluginData: 'resolved' };
        return { ...(await bundle.resolve(path, options)), sideEffects: false };
      },
    );
    // Its own modules name each other by their whole paths. `resolve` would read all folders again for each of them (15 s).
    bundle.onResolve({ filter: /^\.{1,2}\/.*\.js$/ }, ({ path, importer, resolveDir }) =>
      isOfClient(importer) ? { path: join(resolveDir, path), sideEffects: false } : undefined,
    );
  },
};

const { metafile } = await build({
  ...common,
  entryPoints: ['src/cmd/program.ts'],
  chunkNames: 'chunks/[name]-[hash]',
  splitting: true,
  target: 'node24',
  // V8 keeps the source of what it runs; names stay, so that a stack trace in a log can be read.
  minifyWhitespace: true,
  minifySyntax: true,
  lineLimit: 160,
  sourcemap: 'linked',
  sourcesContent: false,
  // Packages in CommonJS ask for Node's own modules in their own way.
  banner: { js: "import{createRequire as $cr}from'node:module';const require=$cr(import.meta.url);" },
  plugins: [clientPruned],
});
refuseForeign(metafile);
for (const name of entries) chmodSync(join(dist, `cmd/${name}.js`), 0o755);

const bundled = findBundled(root, [entriesMetafile, metafile, await buildPage(root)]);
writeFileSync(join(dist, 'THIRD-PARTY-LICENSES.txt'), writeLicenses(bundled.packages));
const materials = describeMaterials(bundled, readProduct());
writeFileSync(join(dist, 'dimmer.cdx.json'), `${JSON.stringify(materials, null, 2)}\n`);

/** Our own package and what it is locked to. */
function readProduct(): Parameters<typeof describeMaterials>[1] {
  const read = (file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'));
  type Manifest = { name: string; version: string; license: string; description: string };
  const { name, version, license, description } = read('package.json') as Manifest;
  const { packages } = read('package-lock.json') as {
    packages: Record<string, { version: string; integrity?: string }>;
  };
  const locked = Object.entries(packages).flatMap(([path, { version: lockedVersion, integrity }]) =>
    integrity === undefined
      ? []
      : [[`${path.split('node_modules/').at(-1) ?? ''}@${lockedVersion}`, integrity] as const],
  );
  const integrities = new Map(locked);
  const { SOURCE_DATE_EPOCH: epoch } = process.env;
  return {
    ...{ name, version, license, description, bundler: { name: 'esbuild', version: esbuildVersion } },
    builtAtS: epoch === undefined || epoch === '' ? null : Number(epoch),
    integrityOf: (each, itsVersion) => integrities.get(`${each}@${itsVersion}`) ?? null,
  };
}

/** What is imported and not in the bundle must be Node's own: the package that is installed declares nothing else. */
function refuseForeign({ outputs }: Metafile): void {
  const imports = Object.values(outputs).flatMap((output) => output.imports);
  const foreign = imports.filter(
    ({ path, external }) => external === true && !isBuiltin(path) && !optional.includes(path),
  );
  if (foreign.length > 0) throw new Error(`not in the bundle: ${foreign.map(({ path }) => path).join(', ')}`);
}
