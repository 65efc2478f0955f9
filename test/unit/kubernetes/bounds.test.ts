/** What a status takes from outside is held to the bounds of the schema, whichever field it is. */
import { describe, expect, it } from 'vitest';
import type { VirtualMachineMemoryStatus } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { boundHostStatus, boundMemoryStatus, cutText } from '../../../src/api/v1alpha1/bounds.ts';
import { hostCrd, memoryCrd, sampleOf, samplesBeyond, type Schema, statusSchemaOf } from '../../support/crd-schema.ts';

/** What of `value` the schema doesn't take, by its path. */
function findFaults(schema: Schema, value: unknown, path = ''): string[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) {
    const items = value.flatMap((item) => findFaults(schema.items ?? {}, item, `${path}[]`));
    return value.length > (schema.maxItems ?? 0) ? [path, ...items] : items;
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([name, inner]) =>
      findFaults(schema.properties?.[name] ?? {}, inner, `${path}.${name}`),
    );
  }
  const isFine =
    typeof value === 'string'
      ? Array.from(value).length <= (schema.maxLength ?? Infinity) && (schema.enum?.includes(value) ?? true)
      : schema.format !== 'int32' || Number(value) < 2 ** 31;
  return isFine ? [] : [path];
}

const kinds = [
  { kind: 'VirtualMachineMemory', schema: statusSchemaOf(memoryCrd), bound: boundMemoryStatus, fields: 26 },
  { kind: 'HypervisorHost', schema: statusSchemaOf(hostCrd), bound: boundHostStatus, fields: 7 },
] as const;

describe.each(kinds)('the status of a $kind', ({ schema, bound, fields }) => {
  const beyond = [...samplesBeyond(schema)];

  it('has fields to go beyond', () => {
    expect(beyond.length).toBeGreaterThanOrEqual(fields);
    expect(beyond.filter(({ value }) => findFaults(schema, value).length === 0)).toEqual([]);
  });

  it.each(beyond)('is within the schema with too much at $path', ({ value }) => {
    const bounded = bound(value as object);
    expect(findFaults(schema, bounded)).toEqual([]);
  });

  it('stays to the letter when it is within', () => {
    const sample = sampleOf(schema) as object;
    expect(bound(sample)).toBe(sample);
  });
});

describe('planning', () => {
  const many = <T>(items: readonly T[]): readonly T[] => Array.from({ length: 257 }, () => items).flat();
  const sample = sampleOf(statusSchemaOf(memoryCrd)) as Required<VirtualMachineMemoryStatus>;
  it.each([
    ['nodes', { ...sample, planning: { ...sample.planning, boot: many(sample.planning.boot) } }],
    ['modules', { ...sample, modules: many(sample.modules) }],
  ])('is left out where %s would be cut: half of it would make another plan', (_, status) => {
    const bounded = boundMemoryStatus(status);
    expect(bounded.planning).toBeUndefined();
    expect(bounded.slots).toBeDefined();
  });
});

it("a host's nodes are told by their ids, which are distinct", () => {
  const node = { total: '1Gi', available: '1Gi', hugepages: [] };
  const nodes = [0, 0, 1, 2 ** 31, 2 ** 33].map((id) => ({ id, ...node }));
  expect(boundHostStatus({ nodes }).nodes?.map(({ id }) => id)).toEqual([0, 1, 2 ** 31 - 1]);
});

describe('a text that is cut', () => {
  it.each([
    ['', 10, ''],
    ['0123456789', 10, '0123456789'],
    // The API server counts code points, not what JavaScript counts.
    ['💾'.repeat(10), 10, '💾'.repeat(10)],
  ])('%s stays within %d', (text, max, kept) => expect(cutText(text, max)).toBe(kept));

  it('has the length asked for, no half of a character, and differs from others that begin alike', () => {
    const cut = ['a', 'b'].map((end) => cutText('💾'.repeat(20) + end, 12));
    for (const text of cut) expect(text).toMatch(/^💾💾💾…[0-9a-f]{8}$/u);
    expect(cut[0]).not.toBe(cut[1]);
    expect(cut[0]?.isWellFormed()).toBe(true);
  });
});
