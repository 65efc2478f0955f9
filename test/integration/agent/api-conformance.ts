/** Holds the agent's answers to the document that it serves. */
import { isHostErrorCode, problemTypePrefix, widelyKnownCode } from '../../../src/host/errors.ts';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { expect } from 'vitest';
import type { ApiAnswer } from './api-client.ts';

type Json = JsonObject | readonly Json[] | string | number | boolean | null;
// An interface, since a Record may not refer to itself.
interface JsonObject {
  readonly [key: string]: Json;
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A member of a member ... of a document, which must be there. */
export function memberOf(document: Json, ...keys: readonly string[]): Json {
  let value: Json = document;
  for (const key of keys) {
    const next: Json | undefined = isObject(value) ? value[key] : undefined;
    if (next === undefined) throw new Error(`the document has no ${keys.join(' / ')}`);
    value = next;
  }
  return value;
}

/** Clients pass over members that they don't know; the test lets none pass that isn't documented. */
function closed(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(closed);
  if (!isObject(schema)) return schema;
  const entries = Object.entries(schema).map(([key, value]) => [key, closed(value)] as const);
  const object = Object.fromEntries(entries);
  return schema['type'] === 'object' && 'properties' in schema ? { ...object, additionalProperties: false } : object;
}

/** A check that an answer to `method path` is one that the document tells of. Gives the problem's code, if it is one. */
export function createConformance(document: Json): (method: string, path: string, answer: ApiAnswer) => string | null {
  const ajv = new Ajv2020({ strict: false, formats: { uri: (text) => URL.canParse(text) } });
  const compiled = new Map<string, ValidateFunction>();
  const components = { schemas: closed(memberOf(document, 'components', 'schemas')) };

  return (method, path, answer) => {
    const where = `${method} ${path}: ${answer.status} ${answer.body.slice(0, 300)}`;
    const response = memberOf(document, 'paths', path, method.toLowerCase(), 'responses', String(answer.status));
    const [mediaType = ''] = answer.type.split(';');
    const schema = memberOf(response, 'content', mediaType, 'schema');
    const headers = isObject(response) && isObject(response['headers']) ? response['headers'] : {};
    for (const [name, header] of Object.entries(headers)) {
      // Of one code among several that share a status.
      const isOptional = isObject(header) && header['required'] === false;
      if (isOptional && answer.headers[name.toLowerCase()] === undefined) continue;
      const pattern = memberOf(header, 'schema', 'pattern') as string;
      expect(answer.headers[name.toLowerCase()], `${where}: ${name}`).toMatch(new RegExp(pattern));
    }
    if (!mediaType.endsWith('json')) return null;
    const key = `${method} ${path} ${answer.status}`;
    const validate = compiled.get(key) ?? ajv.compile({ ...(closed(schema) as JsonObject), components });
    compiled.set(key, validate);
    const body = JSON.parse(answer.body) as Json;
    expect(validate(body), `${where}\n${JSON.stringify(validate.errors)}`).toBe(true);
    if (mediaType !== 'application/problem+json') return null;
    const code = (memberOf(body, 'type') as string).replace(problemTypePrefix, '');
    expect(isHostErrorCode(code) && widelyKnownCode(code), where).toBe(memberOf(body, 'code'));
    expect(memberOf(response, 'description'), where).toMatch(new RegExp(`(^|; )${code}: `));
    expect(memberOf(body, 'status')).toBe(answer.status);
    return code;
  };
}
