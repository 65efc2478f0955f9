/**
 * Bundles the program into `dist/`: everything it needs but Node itself, each command in a file of its own that is
 * loaded only when it runs. Why: docs/adr/0007-one-small-program.md.
 */
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { collectLicenses } from './licenses.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');

// A stale chunk must not be loaded, nor shipped.
rmSync(dist, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['src/cmd/main.ts'],
  outbase: 'src',
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  // V8 keeps the source of what it runs; names stay, so that a stack trace in a log can be read.
  minifyWhitespace: true,
  minifySyntax: true,
  lineLimit: 160,
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  // Packages in CommonJS ask for Node's own modules in their own way.
  banner: { js: "import{createRequire as $cr}from'node:module';const require=$cr(import.meta.url);" },
  metafile: true,
  logLevel: 'warning',
});
chmodSync(join(dist, 'cmd/main.js'), 0o755);
writeFileSync(join(dist, 'THIRD-PARTY-LICENSES.txt'), collectLicenses(root, Object.keys(metafile.inputs)));
