/** Bundles the console's page into `dist/console/`: one script, one stylesheet, nothing loaded from elsewhere. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';

/** Files that are served as they are. */
const plain = ['index.html', 'icon.svg'];
/** Since May 2024: nothing is written anew for older ones. The stylesheet's light-dark() is the youngest that it takes. */
const browsers = ['chrome123', 'firefox121', 'safari17.5'];

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
    target: browsers,
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
    target: browsers,
    minify: true,
    logLevel: 'warning',
  });
  return metafile;
}
