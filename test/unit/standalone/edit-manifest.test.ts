/** Writing a size into a manifest: only that changes, to the letter. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findManifests } from '../../../src/standalone/edit-manifest.ts';
import { findManifestFile } from '../../../src/standalone/manifest-file.ts';

const web = { namespace: 'default', name: 'web' };
const head = 'apiVersion: dimmer.dev/v1alpha1\nkind: VirtualMachineMemory\n';

/** The text with 6Gi in the place of its size. */
function edited(text: string): string {
  const [only, ...others] = findManifests(text, web);
  expect(others).toEqual([]);
  const written = only?.withValues({ memory: '6Gi' });
  if (written?.ok !== true) throw new Error(written?.error ?? 'none found');
  return written.value;
}

describe('only the size changes', () => {
  test.each([
    [
      'a plain one, with comments around it',
      `${head}metadata: {name: web}\nspec:\n  # big\n  memory: @4Gi@   # why\n  x:   1\n`,
    ],
    ['in double quotes', `${head}metadata: {name: web}\nspec:\n    memory:   "@4Gi@"\n    paused: no\n`],
    ['in single quotes', `${head}metadata: {name: web}\nspec: {memory: '@4Gi@', paused: false}\n`],
    ['a number', `${head}metadata: {name: web}\nspec: {memory: @4294967296@}\n`],
    ['with an anchor', `${head}metadata: {name: web}\nspec:\n  memory: &size @4Gi@\n`],
    ['windows lines', `${head}metadata: {name: web}\nspec:\n  memory: @4Gi@\n`.replaceAll('\n', '\r\n')],
    [
      'the second of three documents',
      `${head}metadata: {name: a}\nspec: {memory: 4Gi}\n---\n${head}metadata: {name: web}\nspec: {memory: @4Gi@}\n---\n# end\nkind: Other\n`,
    ],
    [
      'in a list',
      `kind: List\nitems:\n- kind: VirtualMachineMemory\n  metadata: {name: web}\n  spec:\n    memory: @4Gi@\n- kind: VirtualMachineMemory\n  metadata: {name: b}\n  spec: {memory: 4Gi}\n`,
    ],
    ['JSON', `{"kind":"VirtualMachineMemory","metadata":{"name":"web"},"spec":{"memory":"@4Gi@"}}`],
  ])('%s', (_, text) => {
    expect(edited(text.replaceAll('@', ''))).toBe(text.replace(/@[^@]*@/, '6Gi'));
  });

  test('a number in JSON becomes a text', () => {
    expect(edited('{"kind":"VirtualMachineMemory","metadata":{"name":"web"},"spec":{"memory": 4294967296}}')).toBe(
      '{"kind":"VirtualMachineMemory","metadata":{"name":"web"},"spec":{"memory": "6Gi"}}',
    );
  });

  test.each([
    [
      'in lines',
      `${head}metadata: {name: web}\nspec:\n  # which\n  virtualMachine: {uuid: u} # it\n`,
      `${head}metadata: {name: web}\nspec:\n  memory: 6Gi\n  # which\n  virtualMachine: {uuid: u} # it\n`,
    ],
    [
      'in braces',
      `${head}metadata: {name: web}\nspec: { virtualMachine: {uuid: u}}\n`,
      `${head}metadata: {name: web}\nspec: { memory: 6Gi, virtualMachine: {uuid: u}}\n`,
    ],
    [
      'in JSON',
      '{"kind":"VirtualMachineMemory","metadata":{"name":"web"},"spec":{"paused":true}}',
      '{"kind":"VirtualMachineMemory","metadata":{"name":"web"},"spec":{"memory": "6Gi", "paused":true}}',
    ],
  ])('one that was only observed gets it, %s', (_, text, after) => {
    expect(edited(text)).toBe(after);
  });
});

test.each([
  ['an alias', `${head}metadata: {name: web, labels: {a: &m 4Gi}}\nspec: {memory: *m}\n`],
  ['an anchor that others refer to', `${head}metadata: {name: web}\nspec: {memory: &m 4Gi, granularity: *m}\n`],
  ['a spec from elsewhere', `a: &s {memory: 4Gi}\n${head}metadata: {name: web}\nspec: *s\n`],
  ['a block of text', `${head}metadata: {name: web}\nspec:\n  memory: |-\n    4Gi\n  paused: true\n`],
])('%s is left to a person, or comes out right', (_, text) => {
  const written = findManifests(text, web)[0]?.withValues({ memory: '6Gi' });
  if (written?.ok === true) expect(findManifests(written.value, web)[0]?.spec['memory']).toBe('6Gi');
  else expect(written).toEqual({ ok: false, error: 'spec.memory is written in a way that only a person should edit' });
});

test.each([
  ['where nothing says so', `spec: @{memory: 4Gi}\n`, '{paused: true, memory: 4Gi}'],
  ['in lines of its own', `spec:\n  @memory: 4Gi # why\n`, 'paused: true\n  memory: 4Gi # why'],
  ['instead of what is said', `spec:\n  paused: @no # not now\n`, 'true # not now'],
  ['instead of what is said in quotes', `spec:\n  paused: @'no'\n`, 'true'],
])('a pause is written %s', (_, spec, end) => {
  const text = `${head}metadata: {name: web}\n${spec}`;
  const written = findManifests(text.replace('@', ''), web)[0]?.withValues({ paused: true });
  expect(written).toEqual({ ok: true, value: `${text.slice(0, text.indexOf('@'))}${end}\n` });
});

test.each([
  [
    'beside it',
    'spec:\n  memory: 4Gi # why\n  shrinkPolicy: Exact # why not\n',
    'spec:\n  memory: 6Gi # why\n  shrinkPolicy: Replace # why not\n',
  ],
  ['where nothing says so', 'spec:\n  memory: 4Gi\n', 'spec:\n  shrinkPolicy: Replace\n  memory: 6Gi\n'],
  ['in braces, quoted', "spec: {shrinkPolicy: 'Nearest'}\n", "spec: {memory: 6Gi, shrinkPolicy: 'Replace'}\n"],
])('a policy is written with a size, %s', (_, before, after) => {
  const text = `${head}metadata: {name: web}\n`;
  const written = findManifests(text + before, web)[0]?.withValues({ memory: '6Gi', shrinkPolicy: 'Replace' });
  expect(written).toEqual({ ok: true, value: text + after });
});

test('of a size and a policy neither is written where one can not be', () => {
  const text = `${head}metadata: {name: web, labels: {a: &p Exact}}\nspec: {memory: 4Gi, shrinkPolicy: &q Exact, x: *q}\n`;
  const written = findManifests(text, web)[0]?.withValues({ memory: '6Gi', shrinkPolicy: 'Replace' });
  const error = 'spec.shrinkPolicy is written in a way that only a person should edit';
  expect(written).toEqual({ ok: false, error });
});

test('others are not it', () => {
  const others = [
    `${head}metadata: {name: web, namespace: t}\nspec: {memory: 4Gi}\n`,
    'kind: HypervisorHost\nmetadata: {name: web}\nspec: {memory: 4Gi}\n',
    'no: [yaml',
    '- 1\n- null\n',
  ];
  for (const text of others) expect(findManifests(text, web)).toEqual([]);
});

describe('a file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dimmer-edit-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const text = (memory: string) => `${head}metadata: {name: web}\nspec: {memory: ${memory}}\n`;

  test('is replaced at once, with its mode, and where a link leads', async () => {
    mkdirSync(join(folder, 'vms'));
    writeFileSync(join(folder, 'real.yaml'), text('4Gi'));
    chmodSync(join(folder, 'real.yaml'), 0o640);
    symlinkSync('../real.yaml', join(folder, 'vms/web.yaml'));
    const before = statSync(join(folder, 'real.yaml')).ino;
    const file = await findManifestFile(join(folder, 'vms'), web);
    expect([file.name, file.spec]).toEqual(['web.yaml', { memory: '4Gi' }]);
    expect(await file.write({ memory: '6Gi' })).toBe(true);
    expect(readFileSync(join(folder, 'real.yaml'), 'utf8')).toBe(text('6Gi'));
    const { mode, ino } = statSync(join(folder, 'real.yaml'));
    expect([mode & 0o777, ino === before]).toEqual([0o640, false]);
    expect(readdirSync(folder).sort()).toEqual(['real.yaml', 'vms']);
  });

  test('that changed meanwhile stays as it is', async () => {
    writeFileSync(join(folder, 'web.yaml'), text('4Gi'));
    const file = await findManifestFile(folder, web);
    writeFileSync(join(folder, 'web.yaml'), text('5Gi'));
    expect(await file.write({ memory: '6Gi' })).toBe(false);
    expect(readFileSync(join(folder, 'web.yaml'), 'utf8')).toBe(text('5Gi'));
    expect(readdirSync(folder)).toEqual(['web.yaml']);
  });

  test('of a ConfigMap, none, and two, are said', async () => {
    await expect(findManifestFile(folder, web)).rejects.toThrow('has no manifest of VirtualMachineMemory default/web');
    mkdirSync(join(folder, '..data'));
    writeFileSync(join(folder, '..data/web.yaml'), text('4Gi'));
    symlinkSync('..data/web.yaml', join(folder, 'web.yaml'));
    const file = await findManifestFile(folder, web);
    await expect(file.write({ memory: '6Gi' })).rejects.toThrow("web.yaml is a ConfigMap's or a Secret's file");
    writeFileSync(join(folder, 'b.yaml'), text('4Gi'));
    await expect(findManifestFile(folder, web)).rejects.toThrow('is written more than once: b.yaml, web.yaml');
  });
});
