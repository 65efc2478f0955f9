/** Manifests are held to the schemas and the rules of crds/. */
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadSpecSchemas } from '../../../src/standalone/crds.ts';
import { readManifests } from '../../../src/standalone/manifest.ts';
import type { Schema } from '../../../src/standalone/schema.ts';

const schemas = loadSpecSchemas();
const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

const read = (text: string) => {
  const { manifests, problems } = readManifests('f.yaml', text, schemas);
  return {
    specs: manifests.map(({ spec }) => spec),
    keys: manifests.map(({ key }) => key),
    problems: problems.map(({ line, column, message }) => `${line}:${column} ${message}`),
  };
};
const memory = (spec: string): string =>
  `apiVersion: dimmer.dev/v1alpha1\nkind: VirtualMachineMemory\nmetadata: {name: db}\nspec:\n  virtualMachine: {uuid: ${uuid}}\n${spec}`;
const host = (spec: string): string =>
  `apiVersion: dimmer.dev/v1alpha1\nkind: HypervisorHost\nmetadata: {name: hv}\nspec:\n  address: https://hv:9443\n${spec}`;

test('defaults are those of the schema, and a null is none', () => {
  expect(read(memory('  memory: 2Gi\n  growPolicy: null\n  paused: ~\n')).specs).toEqual([
    {
      virtualMachine: { uuid },
      memory: '2Gi',
      shrinkPolicy: 'Exact',
      growPolicy: 'Divisible',
      rounding: 'Exact',
      guestSafety: 'Required',
      unplugTimeout: '30s',
      driftPolicy: 'Correct',
      deletionPolicy: 'Retain',
      persistence: 'Live',
      releaseTimeout: '10m',
    },
  ]);
});

test('a member that is null is as if it were not there, whatever its name', () => {
  expect(
    read(`${memory('  memory: 2Gi\n  memroy: ~\n')}data:\n`.replace('{name: db}', '{name: db, label: ~}')),
  ).toEqual(read(memory('  memory: 2Gi\n')));
  expect(read(memory('  memory: 2Gi\n  memroy: 1\n')).problems).toHaveLength(1);
});

describe('what is wrong is said where it stands', () => {
  test.each([
    ['  memory: 3G\n', '6:11 spec.memory: 3G is not a whole number of MiB: write 2861Mi or 2862Mi'],
    ['  memory: 1.5\n', '6:11 spec.memory: must be a whole number or a text'],
    [
      '  memory: 1Mi\n',
      '6:11 spec.memory: 1Mi is out of range: write a size between 64Mi and 64Ti, such as 6Gi or 1536Mi',
    ],
    [
      '  memory: lots\n',
      "6:11 spec.memory: 'lots' is not a quantity: write a number with a unit, such as 6Gi or 1536Mi",
    ],
    ['  guestSafety: Off\n', '6:16 spec.guestSafety: must be a text, and YAML reads this as false: put it in quotes'],
    ['  guestSafety: Never\n', '6:16 spec.guestSafety: must be one of Required, BestEffort, Off'],
    ['  Memory: 2Gi\n', '6:11 spec.Memory: is no known field (is it memory?)'],
    [
      '  unplugTimeout: 2h\n',
      "6:18 spec.unplugTimeout: '2h' is not a duration between 1s and 1h: write 30s, 2m or 1m30s",
    ],
    ['  granularity: 3Mi\n', /^6:16 spec.granularity: '3Mi' is not a memory block size/],
    ['  paused: 1\n', '6:11 spec.paused: must be true or false'],
    ['  memory: 2Gi\n  memory: 3Gi\n', /^7:3 /],
  ])('%j', (spec, problem) => {
    const { specs, problems } = read(memory(spec));
    expect(specs).toEqual([]);
    expect(problems).toEqual([typeof problem === 'string' ? problem : expect.stringMatching(problem)]);
  });

  test.each([
    ['  allowedNamespaces: {from: Selector}\n', '6:22 spec.allowedNamespaces.selector: selector belongs to'],
    [
      '  allowedNamespaces: {from: All}\n  memoryOvercommit: "20"\n',
      "7:21 spec.memoryOvercommit: '20' is not a decimal",
    ],
    [
      '  allowedNamespaces: {from: All}\n  namespaceLimit: lots\n',
      "7:19 spec.namespaceLimit: 'lots' is not a size between 0 and 64Ti",
    ],
    [
      '  allowedNamespaces: {from: All}\n  maxConcurrentOperations: 65\n',
      '7:28 spec.maxConcurrentOperations: must be from 1',
    ],
    ['', '5:3 spec.allowedNamespaces: is missing'],
  ])('of a host: %j', (spec, problem) => {
    expect(read(host(spec)).problems.map((text) => text.slice(0, problem.length))).toEqual([problem]);
  });

  test.each([
    ['kind: Pod\nmetadata: {name: x}\n', /kind must be VirtualMachineMemory or HypervisorHost/],
    ['apiVersion: dimmer.dev/v2\nkind: VirtualMachineMemory\nmetadata: {name: x}\n', /apiVersion must be/],
    ['- 1\n', /is no object of Kubernetes/],
    [memory('').replace('{name: db}', '{name: DB}'), /metadata.name: must be lower case/],
    [memory('').replace('{name: db}', '{name: db, labels: {a: 1}}'), /metadata.labels.a: must be a text/],
    [memory('').replace('{name: db}', '{name: db, colour: red}'), /metadata.colour: is no known field/],
    [memory('').replace('{name: db}', '{}'), /metadata.name: is missing/],
  ])('%j', (text, problem) => {
    expect(read(text).problems).toEqual([expect.stringMatching(problem)]);
  });
});

test('one bad document says so, and the others of the file count', () => {
  const text = [
    memory('  memory: 2Gi\n'),
    memory('  memory: 3G\n').replace('name: db', 'name: bad'),
    host('  allowedNamespaces: {from: All}\n'),
  ];
  expect(read(text.join('---\n'))).toMatchObject({
    keys: ['VirtualMachineMemory default/db', 'HypervisorHost hv'],
    problems: [expect.stringMatching(/^13:11 spec.memory/)],
  });
});

test('what `kubectl get -o yaml` prints is read: a List, with status and managedFields', () => {
  const item = {
    apiVersion: 'dimmer.dev/v1alpha1',
    kind: 'VirtualMachineMemory',
    metadata: {
      ...{ name: 'db', namespace: 'tenants', uid: 'u', resourceVersion: '12', generation: 4 },
      creationTimestamp: '2026-11-29T23:16:45Z',
      managedFields: [{ manager: 'kubectl', operation: 'Apply' }],
    },
    spec: { virtualMachine: { uuid }, memory: '2Gi' },
    status: { observedGeneration: 4, conditions: [], whatever: true },
  };
  const text = stringify({ apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items: [item] });
  expect(read(text)).toMatchObject({ keys: ['VirtualMachineMemory tenants/db'], problems: [] });
});

test('the specs of the CRDs use nothing that the reader of schemas does not know', () => {
  const known = new Set([
    ...[
      'description',
      'type',
      'properties',
      'required',
      'additionalProperties',
      'items',
      'enum',
      'default',
      'minLength',
    ],
    ...['maxLength', 'minimum', 'maximum', 'maxItems', 'maxProperties', 'anyOf', 'format'],
    ...['x-kubernetes-int-or-string', 'x-kubernetes-validations', 'x-kubernetes-list-type', 'x-kubernetes-map-type'],
  ]);
  const unknown: string[] = [];
  const visit = (schema: Schema & Record<string, unknown>, path: string): void => {
    for (const keyword of Object.keys(schema)) if (!known.has(keyword)) unknown.push(`${path}: ${keyword}`);
    // Without bounds of its own a format would have to be judged.
    if (schema['format'] !== undefined && schema.maximum === undefined) unknown.push(`${path}: format without maximum`);
    if (schema['x-kubernetes-list-type'] !== undefined && schema['x-kubernetes-list-type'] !== 'atomic')
      unknown.push(`${path}: list`);
    const inner = { ...schema.properties, '[]': schema.items, '{}': schema.additionalProperties };
    for (const [name, each] of Object.entries(inner)) if (each !== undefined) visit(each, `${path}.${name}`);
  };
  for (const [kind, schema] of Object.entries(schemas)) visit(schema, kind);
  expect(unknown).toEqual([]);
});
