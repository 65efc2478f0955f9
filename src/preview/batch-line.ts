/** Reads a line of `dimmer plan --batch`: closed schema, every problem names its field. */
import type { Bytes } from '../memory/bytes.ts';
import { moduleStates } from '../memory/module.ts';
import { growPolicies, guestSafeties, roundings, shrinkPolicies } from '../memory/policies.ts';
import { parseQuantity } from '../memory/quantity.ts';
import {
  absentAs,
  anything,
  boolean,
  closed,
  list,
  mapped,
  Mismatch,
  nullable,
  oneOf,
  optional,
  type Shape,
  text,
  whole,
} from '../memory/shape.ts';
import { type ModuleInput, type PreviewInput, previewDefaults } from './from-numbers.ts';

/** A quantity, or a whole number of bytes. */
const size: Shape<Bytes> = {
  schema: { type: ['string', 'integer'] },
  read: (value) => {
    if (typeof value !== 'string' && typeof value !== 'number') return new Mismatch('must be a size (1536Mi, 6Gi)');
    const parsed = parseQuantity(String(value));
    return parsed.ok ? parsed.value : new Mismatch(parsed.error);
  },
};
const positiveSize = mapped(size, (value) => (value > 0 ? value : new Mismatch('must be more than 0')));
const items = <T>(item: Shape<T>) => list(item, { maxItems: 256 });

const moduleObject = closed({
  slot: optional(whole()),
  alias: optional(text()),
  size: positiveSize,
  node: optional(whole()),
  base: optional(whole() as Shape<Bytes>),
  state: optional(oneOf(moduleStates)),
  refusals: optional(whole()),
  quarantined: optional(boolean),
  retryAfter: optional(nullable(text())),
});
/** `short` where there is no object or list. */
const either = <T>(long: Shape<T>, short: Shape<T>): Shape<T> => ({
  schema: { anyOf: [long.schema, short.schema] },
  read: (value) => (typeof value === 'object' ? long : short).read(value),
});

const line = closed({
  id: optional(anything),
  memory: size,
  boot: either(
    items(positiveSize),
    mapped(positiveSize, (one): readonly Bytes[] => [one]),
  ),
  modules: absentAs(
    [],
    items(
      either<ModuleInput>(
        moduleObject,
        mapped(positiveSize, (one) => ({ size: one })),
      ),
    ),
  ),
  slots: absentAs(previewDefaults.slots, whole()),
  slotsUsed: absentAs(previewDefaults.slotsUsed, items(whole())),
  slotsResting: absentAs(previewDefaults.slotsResting, items(whole())),
  maxMemory: absentAs(previewDefaults.maxMemory, {
    ...positiveSize,
    read: (value) => (value === 'unsupported' ? value : positiveSize.read(value)),
  }),
  otherBytes: absentAs(previewDefaults.otherBytes, size),
  otherTotal: absentAs(previewDefaults.otherTotal, size),
  preallocated: absentAs(previewDefaults.preallocated, boolean),
  granularity: absentAs(previewDefaults.granularity, positiveSize),
  pageSize: absentAs(previewDefaults.pageSize, positiveSize),
  hostFree: absentAs(previewDefaults.hostFree, size),
  hugepagesFree: absentAs(previewDefaults.hugepagesFree, size),
  booting: absentAs(previewDefaults.booting, boolean),
  cordoned: absentAs(previewDefaults.cordoned, boolean),
  guest: absentAs(previewDefaults.guest, closed({ usable: size, total: size, fresh: boolean })),
  guestSafety: absentAs('Off', oneOf(guestSafeties)),
  shrink: absentAs('Exact', oneOf(shrinkPolicies)),
  grow: absentAs('Divisible', oneOf(growPolicies)),
  rounding: absentAs('Exact', oneOf(roundings)),
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
  const read = line.read(value);
  if (read instanceof Mismatch) {
    const id: unknown = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
    return { ok: false, id, error: `${read.path === '' ? 'line' : read.path}: ${read.problem}` };
  }
  const { id, shrink, grow, guestSafety, rounding, ...input } = read;
  return { ok: true, id, input: { ...input, policy: { shrink, grow, guestSafety, rounding } } };
}
