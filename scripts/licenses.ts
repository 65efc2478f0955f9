/** The licences of the packages that a bundle contains: whoever passes it on passes them on, too. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

type Manifest = { readonly name: string; readonly version: string; readonly license?: string };

/** The folder of the package that a file belongs to; undefined: it is our own. */
function packageOf(file: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
}

/**
 * One text with name, version and licence of each package that one of `files` belongs to.
 * @param files paths relative to `root`
 */
export function collectLicenses(root: string, files: readonly string[]): string {
  const folders = [...new Set(files.flatMap((file) => packageOf(file) ?? []))].toSorted();
  const sections = folders.map((folder) => {
    const path = join(root, folder);
    const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Manifest;
    const texts = readdirSync(path)
      .filter((entry) => /^(licen[cs]e|notice|copying)(\.|$)/i.test(entry))
      .map((entry) => readFileSync(join(path, entry), 'utf8').trim());
    return [`${name} ${version} (${license ?? 'licence not named'})`, ...texts].join('\n\n');
  });
  return `${sections.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}
