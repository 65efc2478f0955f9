/** `npm run docs`: writes what documents say of reasons, and what is made for monitoring (monitoring/files.ts). */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { computeMonitoringFiles } from './monitoring/files.ts';
import { computeReasonDocuments } from './reason-documents.ts';

for (const [path, text] of [...(await computeReasonDocuments()), ...(await computeMonitoringFiles())]) {
  const file = join(import.meta.dirname, '..', path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
