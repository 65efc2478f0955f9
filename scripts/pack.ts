/** What `npm pack` runs before it packs (`replace`) and after it (`restore`). */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { replaceManifest, restoreManifest } from './manifest.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [task] = process.argv.slice(2);
switch (task) {
  case 'replace':
    replaceManifest(root);
    break;
  case 'restore':
    restoreManifest(root);
    break;
  default:
    throw new Error(`scripts/pack.ts replace|restore, not '${task ?? ''}'`);
}
