/** `npm run docs`: writes what documents say of reasons (reason-documents.ts). */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { computeReasonDocuments } from './reason-documents.ts';

for (const [path, text] of await computeReasonDocuments()) writeFileSync(join(import.meta.dirname, '..', path), text);
