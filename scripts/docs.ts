/** `npm run docs`: writes what documents say of reasons, and what else is made of the same sources (made-files.ts). */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { computeMadeFiles } from './made-files.ts';
import { computeReasonDocuments } from './reason-documents.ts';

for (const [path, text] of [...(await computeReasonDocuments()), ...(await computeMadeFiles())]) {
  const file = join(import.meta.dirname, '..', path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
