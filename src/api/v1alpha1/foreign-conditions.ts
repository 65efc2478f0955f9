/**
 * Whose a condition is, by its type: one with a domain prefix (`acme.io/BackedUp`) is somebody else's and stays to the
 * letter; one without is ours, and is written anew each time. See docs/adr/0013-conditions-of-others.md.
 */
import { type Condition, ownCondition } from './meta.ts';
import { isObject, type Shape } from '../../memory/shape.ts';

/** The most conditions that the schema takes. */
export const maxConditions = 64;

/** Whether a condition of this type belongs to somebody else. */
export const isForeign = ({ type }: Pick<Condition, 'type'>): boolean => type.includes('/');

/**
 * A condition; nothing when a part of one of ours is missing. One of somebody else's stays as it came, whatever it holds
 * (a later schema may know more fields): it is written back, and a field left out would be taken from its owner.
 */
export const condition: Shape<Condition> = {
  schema: ownCondition.schema,
  read: (value) =>
    isObject(value) && typeof value['type'] === 'string' && isForeign({ type: value['type'] })
      ? (value as Condition)
      : ownCondition.read(value),
};

/** Milliseconds since the epoch; what is no time counts as the oldest. */
const ageOf = ({ lastTransitionTime }: Condition): number => {
  const ms = Date.parse(lastTransitionTime);
  return Number.isNaN(ms) ? -Infinity : ms;
};

/** The conditions of others among `conditions`, in their order; where there are more than `room`, those that changed last. */
function keepForeign(conditions: readonly Condition[], room: number): readonly Condition[] {
  const foreign = conditions.filter(isForeign);
  if (foreign.length <= room) return foreign;
  const kept = new Set(foreign.toSorted((a, b) => ageOf(b) - ageOf(a)).slice(0, Math.max(0, room)));
  return foreign.filter((condition) => kept.has(condition));
}

/** Ours, and after them those of others among `conditions`, as far as there is room. */
export const withForeign = (ours: readonly Condition[], conditions: readonly Condition[]): readonly Condition[] => [
  ...ours,
  ...keepForeign(conditions, maxConditions - ours.length),
];

/** The conditions of others that `before` has and `after` no longer. */
export function findLeftOut(
  before: readonly Condition[] | undefined,
  after: readonly Condition[] | undefined,
): readonly Condition[] {
  const types = new Set(after?.map(({ type }) => type));
  return (before ?? []).filter((condition) => isForeign(condition) && !types.has(condition.type));
}
