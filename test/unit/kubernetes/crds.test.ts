/** The CRDs and the shapes that resources are read by say the same. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostCrd, memoryCrd, type Schema, schemaOf } from '../../support/crd-schema.ts';
import { decodeHypervisorHost, decodeVirtualMachineMemory } from '../../../src/api/v1alpha1/decode.ts';
import { hypervisorHostSpec, hypervisorHostStatus } from '../../../src/api/v1alpha1/hypervisor-host.ts';
import {
  virtualMachineMemorySpec,
  virtualMachineMemoryStatus,
} from '../../../src/api/v1alpha1/virtual-machine-memory.ts';

const int32 = 2 ** 31 - 1;

/** Where the shape that a part is read by differs from its schema in the CRD. */
function differences(crd: Schema, shape: Schema, isStatus: boolean, path: string): readonly string[] {
  const found: string[] = [];
  const same = (what: string, ours: unknown, theirs: unknown): void => {
    if (JSON.stringify(ours) !== JSON.stringify(theirs)) {
      found.push(`${path}: ${what} ${JSON.stringify(ours)}, in the CRD ${JSON.stringify(theirs)}`);
    }
  };
  const sorted = (words: Iterable<string> = []) => [...words].sort();
  // A reader may take a size as a number where the CRD wants a text: manifests need not have seen an API server.
  const isWider = crd.type === 'string' && shape.anyOf?.some(({ type }) => type === 'string') === true;
  same('type', isWider ? crd.type : shape.type, crd.type);
  same('anyOf', isWider ? crd.anyOf : shape.anyOf, crd.anyOf);
  same('enum', sorted(shape.enum), sorted(crd.enum));
  same('members', sorted(Object.keys(shape.properties ?? {})), sorted(Object.keys(crd.properties ?? {})));
  const required = sorted(shape.required);
  // What another version left out must not be refused: a status may lack what the controller needs to make use of a part.
  if (!isStatus) same('required', required, sorted(crd.required));
  else same('required', required, sorted(new Set([...required, ...(crd.required ?? [])])));
  if (crd.type === 'integer') {
    same('minimum', shape.minimum, crd.minimum);
    const largest = crd.format === 'int32' ? int32 : Number.MAX_SAFE_INTEGER;
    same('maximum', Math.min(shape.maximum ?? 0, largest), crd.maximum ?? largest);
  }
  const inside: [Schema | undefined, Schema | undefined, string][] = [
    [crd.items, shape.items, '[]'],
    [crd.additionalProperties, shape.additionalProperties, '{}'],
    ...Object.entries(crd.properties ?? {}).map(([name, member]): [Schema, Schema | undefined, string] => [
      member,
      shape.properties?.[name],
      `.${name}`,
    ]),
  ];
  return [
    ...found,
    ...inside.flatMap(([theirs, ours, step]) =>
      theirs === undefined ? [] : differences(theirs, ours ?? {}, isStatus, `${path}${step}`),
    ),
  ];
}

/** Values that a schema lets pass, with the members that the shape needs to make use of a part. */
function valuesOf(crd: Schema, shape: Schema): fc.Arbitrary<unknown> {
  if (crd.enum !== undefined) return fc.constantFrom(...crd.enum);
  if (crd.anyOf !== undefined) return fc.oneof(fc.constantFrom('6Gi', '0', '1.5Gi'), fc.maxSafeNat());
  switch (crd.type) {
    case 'object': {
      if (crd.properties === undefined) {
        const inner = valuesOf(crd.additionalProperties ?? {}, shape.additionalProperties ?? {});
        return fc.dictionary(fc.constantFrom('a', 'dimmer.dev/b'), inner);
      }
      const members = Object.entries(crd.properties).map(
        ([name, member]) => [name, valuesOf(member, shape.properties?.[name] ?? {})] as const,
      );
      return fc.record(Object.fromEntries(members), { requiredKeys: [...(shape.required ?? [])] });
    }
    case 'array':
      return fc.array(valuesOf(crd.items ?? {}, shape.items ?? {}), { maxLength: 3 });
    case 'integer':
      return fc.integer({ min: crd.minimum ?? 0, max: crd.maximum ?? (crd.format === 'int32' ? int32 : 2 ** 53 - 1) });
    case 'boolean':
      return fc.boolean();
    case 'string':
      if (crd.pattern !== undefined) return fc.stringMatching(new RegExp(crd.pattern));
      if (crd.format === 'date-time') return fc.constant('2026-11-29T23:16:45Z');
      return fc.oneof(fc.string(), fc.constant('x'.repeat(crd.maxLength ?? 0)));
    default:
      throw new Error(`a schema of no type: ${JSON.stringify(crd)}`);
  }
}

/** As the CRD's own rule has it: a selector where namespaces are selected, and only there. */
function withRules(spec: Record<string, unknown>): Record<string, unknown> {
  const allowed = spec['allowedNamespaces'] as { readonly from: string; readonly selector?: unknown } | undefined;
  if (allowed === undefined) return spec;
  const { from, selector } = allowed;
  return { ...spec, allowedNamespaces: from === 'Selector' ? { from, selector: selector ?? {} } : { from } };
}

type Parts = { readonly spec: Record<string, unknown>; readonly status?: unknown };

const kinds = [
  {
    file: memoryCrd,
    spec: virtualMachineMemorySpec.schema as Schema,
    status: virtualMachineMemoryStatus.schema as Schema,
    decode: decodeVirtualMachineMemory,
  },
  {
    file: hostCrd,
    spec: hypervisorHostSpec.schema as Schema,
    status: hypervisorHostStatus.schema as Schema,
    decode: decodeHypervisorHost,
  },
] as const;

describe.each(kinds)('$file', ({ file, spec, status, decode }) => {
  const schema = schemaOf(file);
  const properties = { spec: schema.properties?.['spec'] ?? {}, status: schema.properties?.['status'] ?? {} };
  const metadata = {
    name: 'n',
    namespace: 't',
    uid: 'u',
    resourceVersion: '1',
    generation: 2,
    creationTimestamp: 'c',
    deletionTimestamp: 'd',
    annotations: { a: 'b' },
    labels: { c: 'd' },
    finalizers: ['f'],
  };

  it('has the fields, words, bounds and required members of the shapes that resources are read by', () => {
    expect([
      ...differences(properties.spec, spec, false, 'spec'),
      ...differences(properties.status, status, true, 'status'),
    ]).toEqual([]);
    expect(differences({ ...properties.spec, required: [] }, spec, false, 'spec')).toHaveLength(1);
  });

  it('lets nothing pass that is not read to the letter', () => {
    const objects: fc.Arbitrary<Parts> = fc
      .record(
        { spec: valuesOf(properties.spec, spec), status: valuesOf(properties.status, status) },
        { requiredKeys: ['spec'] },
      )
      .map((parts) => ({ ...parts, spec: withRules(parts.spec as Record<string, unknown>) }));
    fc.assert(
      fc.property(objects, (parts) => {
        const decoded = decode({ ...parts, metadata: { ...metadata, managedFields: [{}] } });
        if (!decoded.ok) throw new Error(decoded.error);
        const { apiVersion: _apiVersion, kind: _kind, ...read } = decoded.value;
        expect(read).toEqual({ ...parts, metadata });
      }),
      { numRuns: 100 },
    );
  });

  it('bounds every text and every list', () => {
    const unbounded: string[] = [];
    const visit = (part: Schema, path: string): void => {
      const isText = part.type === 'string' || part.anyOf !== undefined;
      const isBounded =
        part.maxLength !== undefined || part.enum !== undefined || part.format === 'date-time' || isShort(part.pattern);
      if (isText && !isBounded) unbounded.push(path);
      if (part.items !== undefined && part.maxItems === undefined) unbounded.push(path);
      if (part.additionalProperties !== undefined && part.maxProperties === undefined) unbounded.push(path);
      for (const inner of [part.items, part.additionalProperties]) if (inner !== undefined) visit(inner, `${path}[]`);
      for (const [key, inner] of Object.entries(part.properties ?? {})) visit(inner, `${path}.${key}`);
    };
    visit({ properties }, '');
    expect(unbounded).toEqual([]);
  });
});

/** Whether a pattern holds a text to a length: the ones used here repeat nothing without end. */
const isShort = (pattern: string | undefined): boolean => pattern !== undefined && !/[*+]/.test(pattern);
