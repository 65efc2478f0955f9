/** docs/reference.md is what the custom resource definitions and the OpenAPI document make it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { referenceFile, writeReference } from '../../../scripts/reference.ts';

const root = join(import.meta.dirname, '../../..');
const text = readFileSync(referenceFile, 'utf8');

test('it is up to date: node scripts/reference.ts makes it', async () => {
  expect(text).toBe(await writeReference());
});

type Schema = { readonly properties?: Record<string, Schema>; readonly items?: Schema };
const fieldsOf = ({ properties = {}, items = {} }: Schema): readonly string[] => [
  ...Object.entries(properties).flatMap(([name, schema]) => [name, ...fieldsOf(schema)]),
  ...(Object.entries(items).length > 0 ? fieldsOf(items) : []),
];

test.each(['virtualmachinememories', 'hypervisorhosts'])('it has every field of %s', (plural) => {
  const crd = parse(readFileSync(join(root, `crds/dimmer.dev_${plural}.yaml`), 'utf8')) as {
    spec: { versions: { schema: { openAPIV3Schema: Schema } }[] };
  };
  const { spec = {}, status = {} } = crd.spec.versions[0]?.schema.openAPIV3Schema.properties ?? {};
  const fields = [...fieldsOf(spec), ...fieldsOf(status)];
  expect(fields.length).toBeGreaterThan(20);
  for (const field of fields) expect(text).toContain(`- **\`${field}\`**`);
});

test('it has every operation of the agent', () => {
  const { paths } = JSON.parse(readFileSync(join(root, 'docs/openapi/agent-v1.json'), 'utf8')) as {
    paths: Record<string, object>;
  };
  for (const path of Object.keys(paths)) expect(text.replaceAll('\\', '')).toContain(` ${path}\n`);
});
