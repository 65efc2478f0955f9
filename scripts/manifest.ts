/**
 * The package.json of the package that people install: the repository's without what the bundle contains already, and
 * without what only developers need. `npm pack` takes whatever package.json is there, so the repository's is put aside
 * while it packs (docs/adr/0010-the-package.md).
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const leftOut = ['dependencies', 'devDependencies', 'allowScripts'];

const paths = (root: string) => ({ manifest: join(root, 'package.json'), aside: join(root, 'package.json.aside') });

/** The text of the package's manifest, made from the repository's. */
function publish(repository: string): string {
  const fields = Object.entries(JSON.parse(repository) as Readonly<Record<string, unknown>>);
  const kept = fields.filter(([name]) => !leftOut.includes(name));
  return `${JSON.stringify(Object.fromEntries(kept), null, 2)}\n`;
}

/** Puts the package's manifest in the place of the repository's. Both are whole at every moment: files are only renamed. */
export function replaceManifest(root: string): void {
  restoreManifest(root);
  const { manifest, aside } = paths(root);
  const repository = readFileSync(manifest, 'utf8');
  writeFileSync(`${aside}.new`, repository);
  renameSync(`${aside}.new`, aside);
  writeFileSync(`${manifest}.new`, publish(repository));
  renameSync(`${manifest}.new`, manifest);
}

/**
 * Puts the repository's manifest back, if the package's is in its place; also after a pack that failed or was killed, which
 * `npm run build` and the next pack set right. What somebody has written there meanwhile stays.
 */
export function restoreManifest(root: string): void {
  const { manifest, aside } = paths(root);
  if (!existsSync(aside)) return;
  if (readFileSync(manifest, 'utf8') === publish(readFileSync(aside, 'utf8'))) renameSync(aside, manifest);
  else rmSync(aside);
}
