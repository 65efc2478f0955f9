/** Reads a line of `dimmer plan --batch`: closed schema, every problem names its field. */
import { array, boolean, DecodeError, type Decoder, nullable, oneOf, string, whole } from '../host/http/decode.ts';
import type { Bytes } from '../memory/bytes.ts';
import { parseQuantity } from '../memory/quantity.ts';
import type { GuestReport } from '../planner/types.ts';
import { type ModuleInput, type PreviewInput, previewDefaults } from './from-numbers.ts';

const maxItems = 256;

const fail = (path: string, problem: string): never => {
  throw new DecodeError(`${path}: ${problem}`);
};

/** A quantity, or a whole number of bytes. */
const anySize: Decoder<Bytes> = (value, path) => {
  if (typeof value !== 'string' && typeof value !== 'number') return fail(path, 'must be a size (1536Mi, 6Gi)');
  const parsed = parseQuantity(String(value));
  return parsed.ok ? parsed.value : fail(path, parsed.problem);
};

const positiveSize: Decoder<Bytes> = (value, path) => {
  const size = anySize(value, path);
  return size > 0 ? size : fail(path, 'must be more than 0');
};

type Fields = Readonly<Record<string, Decoder<unknown>>>;
type Decoded<F extends Fields> = { readonly [K in keyof F]: F[K] extends Decoder<infer T> ? T : never };

/** An object with these members and no others; an absent one is decoded as undefined. */
const closed =
  <F extends Fields>(fields: F): Decoder<Decoded<F>> =>
  (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return fail(path === '' ? 'line' : path, 'must be an object');
    }
    const at = (key: string): string => (path === '' ? key : `${path}.${key}`);
    for (const key of Object.keys(value)) {
      if (!Object.hasOwn(fields, key)) fail(at(key.slice(0, 64)), 'is no known field');
    }
    const given = value as Readonly<Record<string, unknown>>;
    const decoded = Object.entries(fields).map(([key, decode]) => [key, decode(given[key], at(key))]);
    return Object.fromEntries(decoded) as Decoded<F>;
  };

const optional =
  <T, const D>(decoder: Decoder<T>, otherwise: D): Decoder<T | D> =>
  (value, path) =>
    value === undefined ? otherwise : decoder(value, path);

const required =
  <T>(decoder: Decoder<T>): Decoder<T> =>
  (value, path) =>
    value === undefined ? fail(path, 'is missing') : decoder(value, path);

const moduleObject: Decoder<ModuleInput> = closed({
  slot: optional(whole, undefined),
  alias: optional(string(), undefined),
  size: required(positiveSize),
  node: optional(whole, undefined),
  base: optional(whole as Decoder<Bytes>, undefined),
  state: optional(oneOf('Plugged', 'Leaving'), undefined),
  refusals: optional(whole, undefined),
  quarantined: optional(boolean, undefined),
  retryAfter: optional(nullable(string()), undefined),
});

const module: Decoder<ModuleInput> = (value, path) =>
  typeof value === 'object' ? moduleObject(value, path) : { size: positiveSize(value, path) };

const boot: Decoder<readonly Bytes[]> = (value, path) =>
  Array.isArray(value) ? array(positiveSize, maxItems)(value, path) : [positiveSize(value, path)];

const guest: Decoder<GuestReport> = closed({
  usable: required(anySize),
  total: required(anySize),
  fresh: required(boolean),
});

const maxMemory: Decoder<Bytes | 'unsupported'> = (value, path) =>
  value === 'unsupported' ? value : positiveSize(value, path);

const slotNumbers = array(whole, maxItems);

const line = closed({
  id: (value: unknown): unknown => value,
  memory: required(anySize),
  boot: required(boot),
  modules: optional(array(module, maxItems), []),
  slots: optional(whole, previewDefaults.slots),
  slotsUsed: optional(slotNumbers, previewDefaults.slotsUsed),
  slotsResting: optional(slotNumbers, previewDefaults.slotsResting),
  maxMemory: optional(maxMemory, previewDefaults.maxMemory),
  otherBytes: optional(anySize, previewDefaults.otherBytes),
  granularity: optional(positiveSize, previewDefaults.granularity),
  pageSize: optional(positiveSize, previewDefaults.pageSize),
  hostFree: optional(anySize, previewDefaults.hostFree),
  hugepagesFree: optional(anySize, previewDefaults.hugepagesFree),
  booting: optional(boolean, previewDefaults.booting),
  cordoned: optional(boolean, previewDefaults.cordoned),
  guest: optional(guest, previewDefaults.guest),
  guestSafety: optional(oneOf('Required', 'BestEffort', 'Off'), 'Off'),
  shrink: optional(oneOf('Exact', 'Nearest', 'Replace'), 'Exact'),
  grow: optional(oneOf('Whole', 'Divisible'), 'Divisible'),
});

export type BatchLine =
  | { readonly ok: true; readonly id: unknown; readonly input: PreviewInput }
  | { readonly ok: false; readonly id: unknown; readonly error: string };

/** Reads one line of text. `id` is given back as it came, also beside an error, if there is one. */
export function readBatchLine(text: string): BatchLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, id: undefined, error: 'line: is no JSON' };
  }
  try {
    const { id, shrink, grow, guestSafety, ...input } = line(value, '');
    return { ok: true, id, input: { ...input, policy: { shrink, grow, guestSafety } } };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const id: unknown = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
    return { ok: false, id, error: error.message };
  }
}
