/** Decoders: `unknown` from the wire to a typed value, or a problem that names the place. */

/** A value that isn't what it should be; `message` names the place in it. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** Turns `value` into a T. @throws DecodeError that names `path` */
export type Decoder<T> = (value: unknown, path: string) => T;

const wrong = (path: string, wanted: string): never => {
  throw new DecodeError(`${path === '' ? 'the answer' : path} is not ${wanted}`);
};

/** Any string of at most `maxLength` characters. */
export const string =
  (maxLength = 4096): Decoder<string> =>
  (value, path) =>
    typeof value === 'string' && value.length <= maxLength ? value : wrong(path, 'a string');

export const boolean: Decoder<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : wrong(path, 'true or false');

/** A whole number from 0 to 2^53 - 1. */
export const whole: Decoder<number> = (value, path) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : wrong(path, 'a whole number');

/** One of `values`. */
export const oneOf =
  <const T extends string>(...values: readonly T[]): Decoder<T> =>
  (value, path) =>
    values.find((candidate) => candidate === value) ?? wrong(path, `one of ${values.join(', ')}`);

export const nullable =
  <T>(decoder: Decoder<T>): Decoder<T | null> =>
  (value, path) =>
    value === null ? null : decoder(value, path);

/** What an older agent doesn't send: `fallback` stands for it. */
export const since =
  <T>(decoder: Decoder<T>, fallback: T): Decoder<T> =>
  (value, path) =>
    value === undefined ? fallback : decoder(value, path);

/** At most `maxItems` of them. */
export const array =
  <T>(decoder: Decoder<T>, maxItems: number): Decoder<readonly T[]> =>
  (value, path) =>
    Array.isArray(value) && value.length <= maxItems
      ? value.map((item: unknown, index) => decoder(item, `${path}[${index}]`))
      : wrong(path, 'a list');

/** An object with at least these members; others, which a newer agent may send, are dropped. */
export const object =
  <T extends object>(members: { readonly [K in keyof T]-?: Decoder<T[K]> }): Decoder<T> =>
  (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(path, 'an object');
    const result: Partial<T> = {};
    for (const key of Object.keys(members) as (keyof T & string)[]) {
      const member = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
      result[key] = members[key](member, path === '' ? key : `${path}.${key}`);
    }
    return result as T;
  };
