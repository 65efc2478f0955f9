/**
 * Writing values into one manifest as a careful person would: only these characters change; comments, order and all else
 * stay as they are.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ShrinkPolicy } from '../memory/policies.ts';
import { isObject } from '../memory/shape.ts';
import { fail, type Result, succeed } from '../memory/result.ts';
import { objectsIn } from './objects-in.ts';
import { type Path, readYaml, type WrittenNode, type YamlDocument } from './yaml.ts';

/** A VirtualMachineMemory's manifest in a file's text. */
export type FoundManifest = {
  /** `spec` as it is written there; what isn't has no member. */
  readonly spec: Readonly<Record<string, unknown>>;
  /** The text with all these in its spec. The problem: one is written in a way that can't be edited so. */
  readonly withValues: (values: SpecValues) => Result<string, string>;
};

/** What is written into a spec. */
export type SpecValues = {
  /** A canonical quantity. */
  readonly memory?: string;
  readonly shrinkPolicy?: ShrinkPolicy;
  readonly paused?: boolean;
};
type Field = keyof SpecValues;
/** A plain text, or a word of YAML's own. */
type Value = string | boolean;

type Name = { readonly namespace: string; readonly name: string };

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((at, step) => (at as Record<string | number, unknown> | null | undefined)?.[step], value);

/** All manifests of a resource in a text; one that is no YAML has none. Pure. */
export function findManifests(text: string, name: Name): readonly FoundManifest[] {
  const read = readYaml(text);
  if (!read.ok) return [];
  return read.value.flatMap((document, index) =>
    objectsIn(document)
      .filter((path) => isNamed(valueAt(document.value, path), name))
      .map((path): FoundManifest => {
        const spec = valueAt(document.value, [...path, 'spec']);
        return {
          spec: isObject(spec) ? spec : {},
          withValues: (values) =>
            Object.entries(values).reduce<Result<string, string>>(
              (edited, [field, value]) =>
                edited.ok ? editSpec(edited.value, index, [...path, 'spec'], field as Field, value) : edited,
              succeed(text),
            ),
        };
      }),
  );
}

function isNamed(object: unknown, { namespace, name }: Name): boolean {
  if (!isObject(object) || object['kind'] !== 'VirtualMachineMemory' || !isObject(object['metadata'])) return false;
  const { name: given, namespace: within } = object['metadata'];
  return (
    given === name && (within === undefined || within === null || within === '' ? 'default' : within) === namespace
  );
}

/** The text with another value in the spec of one of its documents. */
function editSpec(text: string, index: number, spec: Path, field: Field, value: Value): Result<string, string> {
  const read = readYaml(text);
  const documents = read.ok ? read.value : [];
  const document = documents[index];
  const replaced = document?.nodeAt([...spec, field]) ?? null;
  const around = document?.nodeAt(spec) ?? null;
  const edited =
    replaced !== null ? replace(text, replaced, value) : around === null ? null : insert(text, around, field, value);
  // Whatever is written in what way: it counts only if nothing but this has changed for who reads it.
  if (edited === null || !isOnlyChange(documents, edited, index, spec, field, value)) {
    return fail(`spec.${field} is written in a way that only a person should edit`);
  }
  return succeed(edited);
}

function replace(text: string, { start, end }: WrittenNode, value: Value): string {
  if (typeof value === 'boolean') return text.slice(0, start) + String(value) + text.slice(end);
  const quote = text[start];
  // JSON takes no bare words, and has its keys in quotes.
  const isJson = /["']\s*:\s*$/.test(text.slice(Math.max(0, start - 16), start));
  const written = quote === '"' || quote === "'" ? quote + value + quote : isJson ? `"${value}"` : value;
  return text.slice(0, start) + written + text.slice(end);
}

/** Before all else in the spec. */
function insert(text: string, { start, form }: WrittenNode, field: Field, value: Value): string | null {
  if (form === 'flow') {
    const isJson = /^\{\s*"/.test(text.slice(start, start + 200));
    const member = isJson ? `"${field}": ${JSON.stringify(value)}, ` : `${field}: ${value}, `;
    const [opening = '{'] = /^\{\s*/.exec(text.slice(start)) ?? [];
    return text.slice(0, start) + opening + member + text.slice(start + opening.length);
  }
  if (form === 'other') return null;
  const indent = text.slice(text.lastIndexOf('\n', start - 1) + 1, start);
  if (indent.trim() !== '') return null;
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const at = beforeComments(text, start - indent.length);
  return `${text.slice(0, at)}${indent}${field}: ${value}${newline}${text.slice(at)}`;
}

/** Where the comments begin that stand right above a line: they are its own. @param line where it begins */
function beforeComments(text: string, line: number): number {
  let at = line;
  for (;;) {
    const above = text.lastIndexOf('\n', at - 2) + 1;
    if (at === 0 || !text.slice(above, at).trimStart().startsWith('#')) return at;
    at = above;
  }
}

function isOnlyChange(
  before: readonly YamlDocument[],
  edited: string,
  index: number,
  spec: Path,
  field: Field,
  value: Value,
): boolean {
  const read = readYaml(edited);
  if (!read.ok || read.value.length !== before.length) return false;
  const expected = structuredClone(before.map(({ value }) => value));
  const target = valueAt(expected[index], spec);
  if (!isObject(target)) return false;
  (target as Record<string, unknown>)[field] = value;
  const after = read.value.map(({ value }) => value);
  return isDeepStrictEqual(after, expected);
}
