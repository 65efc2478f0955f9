/** Bundles the console's page into `dist/console/`: one script, one stylesheet, nothing loaded from elsewhere. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';

/** Files that are served as they are. */
const plain = ['index.html', 'icon.svg'];

/** Returns esbuild's account of the bundle, for its bill of materials. */
export async function buildPage(root: string): Promise<Metafile> {
  const source = join(root, 'src/console/page');
  const target = join(root, 'dist/console');
  mkdirSync(target, { recursive: true });
  for (const file of plain) copyFileSync(join(source, file), join(target, file));
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { page: 'src/console/page/main.tsx' },
    outdir: 'dist/console',
    bundle: true,
    format: 'esm',
    platform: 'browser',
    // Browsers of the last two years: nothing is written anew for older ones.
    target: ['chrome120', 'firefox121', 'safari17.4'],
    minify: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    tsconfig: 'src/console/page/tsconfig.json',
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
  });
  await build({
    absWorkingDir: root,
    entryPoints: { page: 'src/console/page/style/main.css' },
    outdir: 'dist/console',
    bundle: true,
    target: ['chrome120', 'firefox121', 'safari17.4'],
    minify: true,
    logLevel: 'warning',
  });
  return metafile;
}
