/** The CEL rules of a schema (x-kubernetes-validations), evaluated as the API server does. */
import { celEnv, type CelInput, CelScalar, type CelResult, isCelError, parse, plan } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import { isObject } from '../memory/shape.ts';
import { kubernetesFunctions } from './quantity-functions.ts';
import type { Finding, Rule, Schema } from './schema.ts';
import type { Path } from './yaml.ts';

const environment = celEnv({
  variables: { self: CelScalar.DYN, oldSelf: CelScalar.DYN },
  funcs: [...strings, ...kubernetesFunctions],
});
type Evaluate = (self: CelInput, oldSelf: CelInput) => CelResult;

const compiled = new Map<string, Evaluate>();
/** Each expression is read once. */
function compile(expression: string): Evaluate {
  const known = compiled.get(expression);
  if (known !== undefined) return known;
  const run = plan(environment, parse(expression));
  const evaluate: Evaluate = (self, oldSelf) => run({ self, oldSelf });
  compiled.set(expression, evaluate);
  return evaluate;
}

/** A value as CEL has it: numbers where the schema has whole ones are ints. */
function toCel(value: unknown): CelInput {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toCel);
  if (isObject(value)) return new Map(Object.entries(value).map(([key, each]) => [key, toCel(each)]));
  return value as string | boolean | null;
}

const isTransition = ({ rule }: Rule): boolean => /\boldSelf\b/.test(rule);

/**
 * The rules that `value`, which fits `schema`, breaks. `old`: what was there before; undefined: nothing was, and rules
 * about changes say nothing.
 */
export function findBrokenRules(schema: Schema, value: unknown, old: unknown, path: Path): readonly Finding[] {
  if (value === undefined) return [];
  const own = (schema['x-kubernetes-validations'] ?? [])
    .filter((rule) => old !== undefined || !isTransition(rule))
    .flatMap((rule) => judge(rule, toCel(value), toCel(old ?? null), path));
  if (Array.isArray(value)) {
    const { items } = schema;
    // As in a list that is atomic: no item has one that was before it.
    return items === undefined
      ? own
      : [...own, ...value.flatMap((item, index) => findBrokenRules(items, item, undefined, [...path, index]))];
  }
  if (!isObject(value)) return own;
  const before = isObject(old) ? old : {};
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, member]) =>
    findBrokenRules(member, value[name], before[name], [...path, name]),
  );
  return [...own, ...inner];
}

function judge(rule: Rule, self: CelInput, oldSelf: CelInput, path: Path): readonly Finding[] {
  const result = compile(rule.rule)(self, oldSelf);
  if (result === true) return [];
  const at = [...path, ...(rule.fieldPath ?? '').split('.').filter((step) => step !== '')];
  return [{ path: at, message: isCelError(result) ? explain(rule) : explain(rule, self, oldSelf) }];
}

/** In the rule's own words. */
function explain({ rule, message, messageExpression }: Rule, self?: CelInput, oldSelf?: CelInput): string {
  if (messageExpression !== undefined && self !== undefined) {
    const said = compile(messageExpression)(self, oldSelf ?? null);
    if (typeof said === 'string' && said.trim() !== '') return said;
  }
  return message ?? `breaks the rule ${rule}`;
}
