/**
 * A CRD's schema applied as the API server does: unknown fields refused (as kubectl asks for), nulls taken for absent,
 * defaults filled in, values judged. Only what the specs of our CRDs use; test/unit/standalone/schema.test.ts names the rest.
 */
import { isObject } from '../memory/shape.ts';
import type { Path } from './yaml.ts';

/** An entry of x-kubernetes-validations. */
export type Rule = {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  /** Below the value that is judged, such as `.hostRef`. */
  readonly fieldPath?: string;
};

export type Schema = {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-validations'?: readonly Rule[];
};

/** What is wrong at a place; the message follows the name of the place. */
export type Finding = { readonly path: Path; readonly message: string };

/** `spec.selector.matchExpressions[0].key`. */
export const formatPath = (path: Path): string =>
  path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`),
    '',
  );

/** `value` with the schema's defaults and without nulls; what is wrong goes into `findings`. */
export function applySchema(schema: Schema, value: unknown, path: Path, findings: Finding[]): unknown {
  const wrong = (message: string): unknown => {
    findings.push({ path, message });
    return undefined;
  };
  if (schema['x-kubernetes-int-or-string'] === true) {
    if (!isInt64(value) && typeof value !== 'string') return wrong('must be a whole number or a text');
    return judgeScalar(schema, value, wrong);
  }
  switch (schema.type) {
    case 'object':
      return isObject(value) ? applyToObject(schema, value, path, findings) : wrong('must be an object');
    case 'array':
      if (!Array.isArray(value)) return wrong('must be a list');
      if (value.length > (schema.maxItems ?? Infinity)) return wrong(`must have at most ${schema.maxItems ?? 0} items`);
      return value.map((item, index) => applySchema(schema.items ?? {}, item, [...path, index], findings));
    case 'string':
      return typeof value === 'string' ? judgeScalar(schema, value, wrong) : wrong(`must be a text${quoted(value)}`);
    case 'integer':
      return isInt64(value) ? judgeScalar(schema, value, wrong) : wrong('must be a whole number');
    case 'boolean':
      return typeof value === 'boolean' ? value : wrong('must be true or false');
    case undefined:
      return value;
    default:
      return schema.type satisfies never;
  }
}

/** YAML 1.1 makes something else of words such as Off, and of numbers. */
const quoted = (value: unknown): string =>
  typeof value === 'boolean' || typeof value === 'number' ? `, and YAML reads this as ${value}: put it in quotes` : '';

function judgeScalar(schema: Schema, value: unknown, wrong: (message: string) => unknown): unknown {
  if (typeof value === 'string') {
    const length = Array.from(value).length;
    if (length < (schema.minLength ?? 0)) return wrong(`must have at least ${schema.minLength ?? 0} characters`);
    if (length > (schema.maxLength ?? Infinity)) return wrong(`may have at most ${schema.maxLength ?? 0} characters`);
  }
  if (typeof value === 'number') {
    const { minimum = -Infinity, maximum = Infinity } = schema;
    if (value < minimum || value > maximum) return wrong(`must be from ${minimum} to ${maximum}`);
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    return wrong(`must be one of ${schema.enum.map(String).join(', ')}`);
  }
  return value;
}

function applyToObject(
  schema: Schema,
  value: Readonly<Record<string, unknown>>,
  path: Path,
  findings: Finding[],
): Record<string, unknown> {
  const { properties, additionalProperties, required = [] } = schema;
  const result: Record<string, unknown> = {};
  const given = Object.entries(value);
  if (given.length > (schema.maxProperties ?? Infinity)) {
    findings.push({ path, message: `may have at most ${schema.maxProperties ?? 0} members` });
  }
  for (const [name, each] of given) {
    // As if it weren't there, whatever its name.
    if (each === null) continue;
    const member = properties === undefined ? additionalProperties : ownMember(properties, name);
    if (member === undefined) {
      findings.push({ path: [...path, name], message: `is no known field${didYouMean(name, properties)}` });
    } else {
      result[name] = applySchema(member, each, [...path, name], findings);
    }
  }
  for (const [name, member] of Object.entries(properties ?? {})) {
    if (member.default !== undefined && !Object.hasOwn(result, name)) {
      result[name] = applySchema(member, structuredClone(member.default), [...path, name], findings);
    }
  }
  for (const name of required) {
    if (!Object.hasOwn(result, name)) findings.push({ path: [...path, name], message: 'is missing' });
  }
  return result;
}

const ownMember = (properties: NonNullable<Schema['properties']>, name: string): Schema | undefined =>
  Object.hasOwn(properties, name) ? properties[name] : undefined;

function didYouMean(name: string, properties: Schema['properties'] = {}): string {
  const near = Object.keys(properties).find((known) => known.toLowerCase() === name.toLowerCase());
  return near === undefined ? '' : ` (is it ${near}?)`;
}

/** Beyond it JSON has no whole numbers for the API server. */
const isInt64 = (value: unknown): boolean => Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 63;
