/**
 * Bundles the program into `dist/`: everything it needs but Node itself, each command in a file of its own that is
 * loaded only when it runs. Why: docs/adr/0007-one-small-program.md. What it starts with, and which any Node must be able
 * to read, is bundled apart: docs/adr/0010-the-package.md.
 */
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild';
import { collectLicenses } from './licenses.ts';
import { restoreManifest } from './manifest.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
restoreManifest(root);

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
} as const satisfies BuildOptions;

/** What people start: `dimmer`, and the plugin of kubectl. */
const entries = ['main', 'kubectl-dimmer'];

/** The program stays a file of its own: what it is written in is none of the entry's business. */
const programApart: Plugin = {
  name: 'program-apart',
  setup: (bundle) =>
    bundle.onResolve({ filter: /^\.\/program\.ts$/ }, () => ({ path: './program.js', external: true })),
};
await build({
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
  setup: (bundle) =>
    bundle.onResolve({ filter: /./ }, async ({ path, importer, resolveDir, kind, pluginData, with: attributes }) => {
      const isOfClient = [path, importer].some((place) => place.includes('@kubernetes/client-node'));
      if (!isOfClient || pluginData === 'resolved') return undefined;
      const resolved = await bundle.resolve(path, {
        ...{ importer, resolveDir, kind, with: attributes, pluginData: 'resolved' },
      });
      return resolved.path.includes('@kubernetes/client-node') ? { ...resolved, sideEffects: false } : resolved;
    }),
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
  metafile: true,
  plugins: [clientPruned],
});
refuseForeign(metafile);
for (const name of entries) chmodSync(join(dist, `cmd/${name}.js`), 0o755);
writeFileSync(join(dist, 'THIRD-PARTY-LICENSES.txt'), collectLicenses(root, Object.keys(metafile.inputs)));

/** What is imported and not in the bundle must be Node's own: the package that is installed declares nothing else. */
function refuseForeign({ outputs }: Metafile): void {
  const imports = Object.values(outputs).flatMap((output) => output.imports);
  const foreign = imports.filter(
    ({ path, external }) => external === true && !isBuiltin(path) && !optional.includes(path),
  );
  if (foreign.length > 0) throw new Error(`not in the bundle: ${foreign.map(({ path }) => path).join(', ')}`);
}
