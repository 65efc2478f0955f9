/**
 * Writes what is made from crds/ and deploy/: the Helm chart, the bundle for OLM, and the copy that deploy/shards needs.
 * `node scripts/deploy.ts`; test/unit/deploy/made.test.ts says when it is out of date.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { computeDeployFiles } from './packaging/made.ts';
import { root } from './packaging/manifests.ts';

for (const [path, text] of await computeDeployFiles()) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
