/**
 * Shapes of JSON: one value gives the type, the check and the JSON schema (docs/adr/0028-one-shape-one-schema.md).
 * Reading is strict by itself; what may be missing or wrong without spoiling the rest is said where it stands
 * (`optional`, `absentAs`, `lenient`, `orElse`, `those`, `thoseIn`). Members that a shape doesn't have are dropped, or refused by `closed`.
 * What already is as it is read isn't copied: most that comes is just so, and thousands of them are kept (docs/adr/0064-what-ten-thousand-take.md).
 */

/** A JSON schema, draft 2020-12 as OpenAPI 3.1 has it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Why a value hasn't the shape, and at which place in it. */
export class Mismatch {
  /** What follows the name of the place, such as "is not a string". */
  readonly problem: string;
  /** Members and `[index]`es down to the place; empty: the value itself. */
  readonly path: string;

  constructor(problem: string, path = '') {
    this.problem = problem;
    this.path = path;
  }

  /** The same, seen from what holds the value as `step`: the name of a member, or `[index]`. */
  in(step: string): Mismatch {
    const isNext = this.path === '' || this.path.startsWith('[');
    return new Mismatch(this.problem, isNext ? `${step}${this.path}` : `${step}.${this.path}`);
  }

  /** In words; `whole` names the value itself. */
  explain(whole: string): string {
    return `${this.path === '' ? whole : this.path} ${this.problem}`;
  }
}

export type Shape<T> = {
  readonly schema: JsonSchema;
  /** `value` as a T. Never throws. */
  readonly read: (value: unknown) => T | Mismatch;
};
/** Of a member that may be absent. */
type OptionalShape<T> = Shape<T | undefined> & { readonly optional: true };

/** The type of a shape's values. */
export type Of<S extends Shape<unknown>> = Exclude<ReturnType<S['read']>, Mismatch>;

type Members = Readonly<Record<string, Shape<unknown>>>;
type Optional = { readonly optional: true };
type Flat<T> = { readonly [K in keyof T]: T[K] };
/** The type of an object with these members. */
export type ObjectOf<M extends Members> = Flat<
  { readonly [K in keyof M as M[K] extends Optional ? never : K]: Of<M[K]> } & {
    readonly [K in keyof M as M[K] extends Optional ? K : never]?: Exclude<Of<M[K]>, undefined>;
  }
>;

/** The same shape, with words for whoever reads the schema. */
export const described = <S extends Shape<unknown>>(shape: S, description: string): S => ({
  ...shape,
  schema: { ...shape.schema, description },
});

const shapeOf = <T>(schema: JsonSchema, isIt: (value: unknown) => boolean, problem: string): Shape<T> => {
  const mismatch = new Mismatch(problem);
  return { schema, read: (value) => (isIt(value) ? (value as T) : mismatch) };
};

/** Whatever it is. */
export const anything: Shape<unknown> = { schema: {}, read: (value) => value };

export const boolean: Shape<boolean> = shapeOf(
  { type: 'boolean' },
  (value) => typeof value === 'boolean',
  'is not true or false',
);

export type TextLimits = { readonly minLength?: number; readonly maxLength?: number; readonly pattern?: string };

/** A text of so many characters (code points, as JSON schema counts them); the pattern is a regular expression. */
export function text({ minLength = 0, maxLength = Infinity, pattern }: TextLimits = {}): Shape<string> {
  const expression = pattern === undefined ? null : new RegExp(pattern, 'u');
  const fits = (value: string): boolean =>
    value.length >= minLength &&
    (value.length <= maxLength || (value.length <= 2 * maxLength && Array.from(value).length <= maxLength));
  return shapeOf(
    {
      type: 'string',
      ...(minLength === 0 ? {} : { minLength }),
      ...(maxLength === Infinity ? {} : { maxLength }),
      ...(pattern === undefined ? {} : { pattern }),
    },
    (value) => typeof value === 'string' && fits(value) && (expression === null || expression.test(value)),
    expression === null ? 'is not a string' : `is not a string like ${pattern}`,
  );
}

type NumberLimits = { readonly minimum?: number; readonly maximum?: number };

/** A whole number, by default from 0 to 2^53 - 1. */
export const whole = ({ minimum = 0, maximum = Number.MAX_SAFE_INTEGER }: NumberLimits = {}): Shape<number> =>
  shapeOf(
    { type: 'integer', minimum, maximum },
    (value) => Number.isSafeInteger(value) && (value as number) >= minimum && (value as number) <= maximum,
    minimum === 0 && maximum === Number.MAX_SAFE_INTEGER
      ? 'is not a whole number'
      : `is not a whole number from ${minimum} to ${maximum}`,
  );

/** A number above 0, up to `maximum`. */
export const positiveNumber = (maximum: number): Shape<number> =>
  shapeOf(
    { type: 'number', exclusiveMinimum: 0, maximum },
    (value) => typeof value === 'number' && value > 0 && value <= maximum,
    `is not a number above 0 and up to ${maximum}`,
  );

export const finiteNumber: Shape<number> = shapeOf({ type: 'number' }, Number.isFinite, 'is not a number');

/** One of `words`. */
export const oneOf = <const T extends string>(words: readonly T[]): Shape<T> =>
  shapeOf(
    { type: 'string', enum: words },
    (value) => (words as readonly unknown[]).includes(value),
    `is not one of ${words.join(', ')}`,
  );

export const nullable = <T>(shape: Shape<T>): Shape<T | null> => ({
  schema: { anyOf: [shape.schema, { type: 'null' }] },
  read: (value) => (value === null ? null : shape.read(value)),
});

/** A member that may be absent. */
export const optional = <T>(shape: Shape<T>): OptionalShape<T> => ({
  schema: shape.schema,
  optional: true,
  read: (value) => (value === undefined ? undefined : shape.read(value)),
});

/** A member that need not be there: `fallback` stands for it. Whoever writes it today always does. */
export const absentAs = <T, const D>(fallback: D, shape: Shape<T>): Shape<T | D> => ({
  schema: shape.schema,
  read: (value) => (value === undefined ? fallback : shape.read(value)),
});

/** What is absent or hasn't the shape counts as `fallback`. */
export const orElse = <T>(fallback: NoInfer<T>, shape: Shape<T>): Shape<T> => ({
  schema: shape.schema,
  read: (value) => {
    const read = shape.read(value);
    return read instanceof Mismatch ? fallback : read;
  },
});

/** A member that counts as absent when it hasn't the shape. */
export const lenient = <T>(shape: Shape<T>): OptionalShape<T> => ({
  ...orElse<T | undefined>(undefined, shape),
  optional: true,
});

/** What is read as `shape` and then made into something else. */
export const mapped = <T, U>(shape: Shape<T>, make: (value: T) => U | Mismatch): Shape<U> => ({
  schema: shape.schema,
  read: (value) => {
    const read = shape.read(value);
    return read instanceof Mismatch ? read : make(read);
  },
});

/** The items of a list, the list itself where all are as they are read; `which`: all must fit, or those that do are left. */
function readItems<T>(given: readonly unknown[], item: Shape<T>, which: 'all' | 'those'): readonly T[] | Mismatch {
  let changed: T[] | null = null;
  for (let index = 0; index < given.length; index += 1) {
    const read = item.read(given[index]);
    if (read instanceof Mismatch && which === 'all') return read.in(`[${index}]`);
    if (changed === null && read !== given[index]) changed = given.slice(0, index) as T[];
    if (!(read instanceof Mismatch)) changed?.push(read);
  }
  return changed ?? (given as readonly T[]);
}

type ListLimits = { readonly minItems?: number; readonly maxItems?: number; readonly uniqueItems?: true };

/** A list of so many. `uniqueItems`: of texts or numbers, none of them twice. */
export const list = <T>(item: Shape<T>, limits: ListLimits = {}): Shape<readonly T[]> => ({
  schema: { type: 'array', ...limits, items: item.schema },
  read: (value) => {
    const { minItems = 0, maxItems = Infinity, uniqueItems } = limits;
    if (!Array.isArray(value)) return new Mismatch('is not a list');
    if (value.length < minItems || value.length > maxItems) {
      return new Mismatch(`is not a list of ${minItems} to ${maxItems}`);
    }
    const items = readItems(value, item, 'all');
    if (items instanceof Mismatch) return items;
    return uniqueItems === true && new Set(items).size < items.length ? new Mismatch('has an item twice') : items;
  },
});

/** A list without the items that haven't the shape. */
export const those = <T>(item: Shape<T>): Shape<readonly T[]> => ({
  schema: list(item).schema,
  read: (value) => (Array.isArray(value) ? readItems(value, item, 'those') : new Mismatch('is not a list')),
});

/** Whether `value` is an object, not an array and not null. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An object whose members all have one shape. */
export const map = <T>(member: Shape<T>): Shape<Readonly<Record<string, T>>> => ({
  schema: { type: 'object', additionalProperties: member.schema },
  read: (value) => {
    if (!isObject(value)) return new Mismatch('is not an object');
    const read = Object.entries(value).map(([name, each]) => [name, member.read(each)] as const);
    const wrong = read.find(([, each]) => each instanceof Mismatch);
    return wrong === undefined
      ? (Object.fromEntries(read) as Readonly<Record<string, T>>)
      : (wrong[1] as Mismatch).in(wrong[0]);
  },
});

/** The same without the members that haven't the shape. */
export const thoseIn = <T>(member: Shape<T>): Shape<Readonly<Record<string, T>>> => ({
  schema: map(member).schema,
  read: (value) =>
    isObject(value)
      ? (Object.fromEntries(
          Object.entries(value)
            .map(([name, each]) => [name, member.read(each)] as const)
            .filter(([, read]) => !(read instanceof Mismatch)),
        ) as Readonly<Record<string, T>>)
      : new Mismatch('is not an object'),
});

/** The members of `value` that are there. */
function pick(value: Readonly<Record<string, unknown>>, among: readonly (readonly [string, unknown])[]) {
  const picked: Record<string, unknown> = {};
  for (const [name] of among) if (value[name] !== undefined) picked[name] = value[name];
  return picked;
}

function hasOnly(value: Readonly<Record<string, unknown>>, members: Members): boolean {
  for (const name in value) if (!Object.hasOwn(members, name) || value[name] === undefined) return false;
  return true;
}

/** An object with these members; others, which a newer version may send, are dropped. */
export function object<const M extends Members>(members: M): Shape<ObjectOf<M>> {
  const entries = Object.entries(members);
  const schemas = entries.map(([name, { schema }]) => [name, schema] as const);
  return {
    schema: {
      type: 'object',
      required: entries.filter(([, member]) => !('optional' in member)).map(([name]) => name),
      properties: Object.fromEntries(schemas),
    },
    read: (value) => {
      if (!isObject(value)) return new Mismatch('is not an object');
      let result: Record<string, unknown> | null = null;
      let kept = 0;
      for (const [name, member] of entries) {
        const given = value[name];
        const read = member.read(given);
        if (read instanceof Mismatch) return given === undefined ? new Mismatch('is missing', name) : read.in(name);
        if (result === null && (read !== given || (read !== undefined && !Object.hasOwn(value, name)))) {
          result = pick(value, entries.slice(0, kept));
        }
        kept += 1;
        if (result !== null && read !== undefined) result[name] = read;
      }
      result ??= hasOnly(value, members) ? null : pick(value, entries);
      return (result ?? value) as ObjectOf<M>;
    },
  };
}

/** An object with these members and no others. */
export function closed<const M extends Members>(members: M): Shape<ObjectOf<M>> {
  const open = object(members);
  return {
    schema: { ...open.schema, additionalProperties: false },
    read: (value) => {
      const stranger = isObject(value) ? Object.keys(value).find((name) => !Object.hasOwn(members, name)) : undefined;
      return stranger === undefined ? open.read(value) : new Mismatch('is no known field', stranger.slice(0, 64));
    },
  };
}
