/** Fills in the manifest for krew of a release: `node scripts/krew.ts dimmer-0.1.0.tgz https://.../dimmer-0.1.0.tgz`. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [archive, uri] = process.argv.slice(2);
if (archive === undefined || uri === undefined) throw new Error('scripts/krew.ts ARCHIVE URI');
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string };
const filled: Readonly<Record<string, string>> = {
  // krew takes semantic versions with a v before them.
  version: `v${version}`,
  uri,
  sha256: createHash('sha256').update(readFileSync(archive)).digest('hex'),
};
const template = readFileSync(join(root, 'deploy/kubectl/krew.yaml'), 'utf8').replace(/^#.*\n/gm, '');
process.stdout.write(template.replaceAll(/'\{(\w+)\}'/g, (_, name: string) => filled[name] ?? ''));
