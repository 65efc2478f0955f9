/** The CEL rules of a schema (x-kubernetes-validations), evaluated as the API server does. */
import { celEnv, type CelInput, celMethod, CelScalar, type CelResult, isCelError, parse, plan } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import { RE2JS } from '@bufbuild/re2';
import { isObject } from '../memory/shape.ts';
import { kubernetesFunctions } from './quantity-functions.ts';
import type { Finding, Rule, Schema } from './schema.ts';
import type { Path } from './yaml.ts';

/** What `make` gives, made once for each text. */
function onceForEach<T extends object>(make: (text: string) => T): (text: string) => T {
  const made = new Map<string, T>();
  return (text) => {
    const known = made.get(text);
    if (known !== undefined) return known;
    const value = make(text);
    made.set(text, value);
    return value;
  };
}

const patternOf = onceForEach((text) => RE2JS.compile(text));

/** The evaluator's own reads the pattern anew each time, which takes ten times as long as all else of a rule. */
const matches = celMethod('matches', CelScalar.STRING, [CelScalar.STRING], CelScalar.BOOL, function (text) {
  return patternOf(text).test(this);
});

const environment = celEnv({
  variables: { self: CelScalar.DYN, oldSelf: CelScalar.DYN },
  funcs: [...strings, ...kubernetesFunctions, matches],
});
type Evaluate = (self: CelInput, oldSelf: CelInput) => CelResult;

const compile = onceForEach((expression): Evaluate => {
  const run = plan(environment, parse(expression));
  return (self, oldSelf) => run({ self, oldSelf });
});

/** A value as CEL has it: numbers where the schema has whole ones are ints. */
function toCel(value: unknown): CelInput {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toCel);
  if (isObject(value)) return new Map(Object.entries(value).map(([key, each]) => [key, toCel(each)]));
  return value as string | boolean | null;
}

const isTransition = ({ rule }: Rule): boolean => /\boldSelf\b/.test(rule);

/** The rules that `value`, which fits `schema`, breaks by itself. */
export function findBrokenRules(schema: Schema, value: unknown, path: Path): readonly Finding[] {
  if (value === undefined) return [];
  const own = judgeAll(rulesOf(schema, false), value, null, path);
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return own;
    return [...own, ...value.flatMap((item, index) => findBrokenRules(items, item, [...path, index]))];
  }
  if (!isObject(value)) return own;
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, member]) =>
    findBrokenRules(member, value[name], [...path, name]),
  );
  return [...own, ...inner];
}

/**
 * The rules about changes that `value` breaks where `old` was before, both as `schema` has them. Items of lists have nothing
 * that was before them, as in a list that is atomic.
 */
export function findBrokenTransitions(schema: Schema, value: unknown, old: unknown, path: Path): readonly Finding[] {
  if (value === undefined || old === undefined) return [];
  const own = judgeAll(rulesOf(schema, true), value, old, path);
  if (!isObject(value) || !isObject(old)) return own;
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, member]) =>
    findBrokenTransitions(member, value[name], old[name], [...path, name]),
  );
  return [...own, ...inner];
}

const rulesOf = (schema: Schema, isAboutChange: boolean): readonly Rule[] =>
  (schema['x-kubernetes-validations'] ?? []).filter((rule) => isTransition(rule) === isAboutChange);

function judgeAll(rules: readonly Rule[], value: unknown, old: unknown, path: Path): readonly Finding[] {
  if (rules.length === 0) return [];
  const [self, oldSelf] = [toCel(value), toCel(old)];
  return rules.flatMap((rule) => judge(rule, self, oldSelf, path));
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
