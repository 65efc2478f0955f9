/**
 * Compiles `src/` to `dist/` and makes the `dimmer` entry point executable.
 * Files whose source is gone are removed first, so that a stale module can't be loaded.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, globSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');

for (const output of globSync('**/*.js', { cwd: dist })) {
  const source = join(root, 'src', output.replace(/\.js$/, '.ts'));
  if (!existsSync(source)) {
    rmSync(join(dist, output));
    rmSync(join(dist, `${output}.map`), { force: true });
  }
}
execFileSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')],
  {
    stdio: 'inherit',
  },
);
chmodSync(join(dist, 'cmd/main.js'), 0o755);
