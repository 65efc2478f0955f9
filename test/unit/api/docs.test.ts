import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

/** The cells of each row of the first table after `heading`, without its head. */
function tableAfter(document: string, heading: string): string[][] {
  const start = document.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`no '${heading}'`);
  const [, table = ''] = /\n\n(\|[^]*?)(\n\n|\n$|$)/.exec(document.slice(start + heading.length)) ?? [];
  const cells = (row: string) => row.split('|').slice(1, -1);
  return table
    .split('\n')
    .slice(2)
    .map((row) => cells(row).map((cell) => cell.trim()));
}

const named = (cell = ''): string => /^`(.*)`$/.exec(cell)?.[1] ?? cell;

type Schema = { readonly properties?: Readonly<Record<string, Schema>>; readonly items?: Schema };
type Definition = {
  readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[] };
};

test.each([
  { kind: 'VirtualMachineMemory', file: 'virtualmachinememories', part: 'spec' },
  { kind: 'VirtualMachineMemory', file: 'virtualmachinememories', part: 'status' },
  { kind: 'HypervisorHost', file: 'hypervisorhosts', part: 'spec' },
  { kind: 'HypervisorHost', file: 'hypervisorhosts', part: 'status' },
])('docs/api.md has every field of the $part of a $kind, and no other', ({ kind, file, part }) => {
  const { spec } = parse(read(`crds/dimmer.dev_${file}.yaml`)) as Definition;
  const fields = spec.versions[0]?.schema.openAPIV3Schema.properties?.[part]?.properties ?? {};
  const rows = tableAfter(read('docs/api.md'), `### ${part} of a ${kind}`);
  expect(rows.map(([field]) => named(field))).toEqual(Object.keys(fields));
  for (const [field, text = ''] of rows) {
    const members = Object.keys(fields[named(field)]?.items?.properties ?? fields[named(field)]?.properties ?? {});
    if (named(field) !== 'conditions') for (const member of members) expect(text, field).toContain(`\`${member}\``);
  }
});
