/** Reading JSON of which nothing is known: a field of the wrong type counts as absent. */

export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether `value` is an object, not an array and not null. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The text, or undefined. */
export const asString = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** The finite number, or undefined. */
export const asNumber = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined;

/** The boolean, or undefined. */
export const asBoolean = (value: unknown): boolean | undefined => (typeof value === 'boolean' ? value : undefined);

/** The object, or undefined. */
export const asObject = (value: unknown): JsonObject | undefined => (isObject(value) ? value : undefined);

/** Reads one of `choices`; anything else is undefined. */
export const asOneOf =
  <C extends string>(choices: readonly C[]) =>
  (value: unknown): C | undefined =>
    choices.find((choice) => choice === value);

/** What `decode` makes of each element; elements that it doesn't understand are left out. Undefined when no array. */
export function asArrayOf<T>(value: unknown, decode: (element: unknown) => T | undefined): T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.map(decode).filter((element) => element !== undefined);
}

/** As {@link asArrayOf}, but nothing at all when one element isn't understood: half of a list would say something else. */
export function asWholeArrayOf<T>(value: unknown, decode: (element: unknown) => T | undefined): T[] | undefined {
  const elements = asArrayOf(value, decode);
  return elements?.length === (value as readonly unknown[] | undefined)?.length ? elements : undefined;
}

/** An object of texts; entries of another type are left out. Undefined when it isn't an object. */
export function asStringMap(value: unknown): Record<string, string> | undefined {
  if (!isObject(value)) return undefined;
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** `fields` without those that are undefined. */
export const defined = <T extends object>(fields: T): Defined<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
