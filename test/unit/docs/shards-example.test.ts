/** deploy/shards/ starts what deploy/ does: kustomize takes no file of a folder above, so there is a copy. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('the controller of deploy/shards/ is that of deploy/', () => {
  const read = (file: string) => readFileSync(join(import.meta.dirname, '../../../deploy', file), 'utf8');
  expect(read('shards/controller/controller.yaml')).toBe(read('40-controller.yaml'));
});
