/** The bill of materials, judged by CycloneDX's own schemas. What people install publint judges in test/integration/package. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { describeLab } from '../lab/describe.ts';
import { installed, STRANGERS } from './checkers.ts';

const bom = join(import.meta.dirname, '../../dist/dimmer.cdx.json');

await describeLab(
  'the package',
  () => {
    test("the bill of materials is as CycloneDX 1.6 has it, with licences of SPDX's list", () => {
      const read = (name: string) =>
        JSON.parse(readFileSync(join(installed().cyclonedxSchemas, `${name}.SNAPSHOT.schema.json`), 'utf8')) as object;
      const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
      for (const name of ['spdx', 'jsf-0.82']) {
        ajv.addSchema(read(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
      }
      const judge = ajv.compile(read('bom-1.6'));
      const document = JSON.parse(readFileSync(bom, 'utf8')) as { components: { licenses: object[] }[] };
      expect([judge(document), judge.errors]).toEqual([true, null]);
      const [first, ...others] = document.components;
      const unknown = { ...first, licenses: [{ license: { id: 'Everybody-1.0' } }] };
      expect(judge({ ...document, components: [unknown, ...others] })).toBe(false);
    });
  },
  STRANGERS,
);
