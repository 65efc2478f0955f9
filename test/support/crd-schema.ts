/** The schemas of crds/ as tests walk them, and values made from them. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export type Schema = {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly maxProperties?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Schema[];
};

export const memoryCrd = 'dimmer.dev_virtualmachinememories.yaml';
export const hostCrd = 'dimmer.dev_hypervisorhosts.yaml';

/** The schema in a file of crds/. */
export function schemaOf(file: string): Schema {
  const crd = parse(readFileSync(new URL(`../../crds/${file}`, import.meta.url), 'utf8')) as {
    spec: { versions: { schema: { openAPIV3Schema: Schema } }[] };
  };
  const [version] = crd.spec.versions;
  if (version === undefined) throw new Error(`${file} has no version`);
  return version.schema.openAPIV3Schema;
}

/** The schema of a kind's status without its conditions, of which others set some, too. */
export function statusSchemaOf(file: string): Schema {
  const status = schemaOf(file).properties?.['status'] ?? {};
  const { conditions: _, ...properties } = status.properties ?? {};
  return { ...status, properties };
}

/** A value that the schema takes, with every field. */
export function sampleOf(schema: Schema): unknown {
  if (schema.properties !== undefined) {
    return Object.fromEntries(Object.entries(schema.properties).map(([name, inner]) => [name, sampleOf(inner)]));
  }
  if (schema.items !== undefined) return [sampleOf(schema.items)];
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.format === 'date-time') return '2026-01-01T00:00:00.000Z';
  if (schema.pattern !== undefined) return schema.pattern.startsWith('^0x') ? '0x100000000' : '1Gi';
  if (schema.type === 'integer') return 1;
  return schema.type === 'boolean' ? true : 'text';
}

/** A value and where in it something lies beyond its bound. */
export type Beyond = { readonly path: string; readonly value: unknown };

/**
 * The samples of a schema with one thing too long, too many or too large each: every text that has only a length, every
 * list, every number of 32 bits.
 */
export function* samplesBeyond(schema: Schema, path = ''): Generator<Beyond> {
  if (schema.maxLength !== undefined) yield { path, value: '💾'.repeat(schema.maxLength + 1) };
  if (schema.format === 'int32') yield { path, value: 2 ** 31 };
  if (schema.items !== undefined) {
    const item = sampleOf(schema.items);
    // Where a list has a key, no two of it have the same.
    const items = Array.from({ length: (schema.maxItems ?? 0) + 1 }, (_, index) => {
      if (typeof item !== 'object' || item === null) return item;
      if ('id' in item) return { ...item, id: index };
      return 'namespace' in item ? { ...item, namespace: `${String(item.namespace)}-${index}` } : item;
    });
    yield { path: `${path}[]`, value: items };
    for (const inner of samplesBeyond(schema.items, `${path}[]`)) yield { ...inner, value: [inner.value] };
  }
  const sample = schema.properties === undefined ? {} : (sampleOf(schema) as Record<string, unknown>);
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    for (const { path: at, value } of samplesBeyond(inner, path === '' ? name : `${path}.${name}`)) {
      yield { path: at, value: { ...sample, [name]: value } };
    }
  }
}
