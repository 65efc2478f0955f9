/** Writing status at one exit, only if it changed. */
import { isDeepStrictEqual } from 'node:util';
import { findLeftOut, isForeign, withForeign } from '../../api/v1alpha1/foreign-conditions.ts';
import type { Condition } from '../../api/v1alpha1/meta.ts';
import {
  keyOf,
  type Resource,
  type ResourceSource,
  type StatusWriter,
  type WriteResult,
} from '../../runtime/resources.ts';

type WithConditions = { readonly conditions?: readonly Condition[] };
type WithStatus = Resource & { readonly status?: WithConditions };

/** `unchanged`: the status was as derived already. `leftOut`: conditions of others for which there was no room. */
type Tried =
  | Exclude<WriteResult, { readonly outcome: 'written' }>
  | { readonly outcome: 'written' | 'unchanged'; readonly leftOut: readonly Condition[] };

export type KeptResult =
  | Tried
  /** The status was refused for what it holds. `short`: what came of the one that says so. */
  | { readonly outcome: 'refused'; readonly message: string; readonly short: Tried };

/** A source of resources and the writer of their status. */
export type StatusStore<T extends WithStatus> = {
  readonly source: ResourceSource<T>;
  readonly writer: StatusWriter<T>;
  /** A status without what alone is no reason to write it; left out: all of it is. */
  readonly comparable?: (status: NonNullable<T['status']>) => object;
};

/** After so many writes that met a condition of somebody else each time, everything is derived anew. */
const maxRebases = 3;

/**
 * Writes `status` as {@link tryToKeep} does. One that is refused for what it holds would be so for ever, and be told of in
 * a log at the most: a short one takes its place.
 * @param shorten a status without what may be refused, from the words of the refusal
 */
export async function keepStatus<T extends WithStatus>(
  store: StatusStore<T>,
  resource: T,
  status: NonNullable<T['status']>,
  shorten: (refusal: string) => NonNullable<T['status']>,
): Promise<KeptResult> {
  const tried = await tryToKeep(store, resource, status);
  if (tried.outcome !== 'failed' || tried.refused !== true) return tried;
  const short = await tryToKeep(store, resource, shorten(tried.message));
  return { outcome: 'refused', message: tried.message, short };
}

/**
 * Writes `status` if it differs from what `resource` has. Where only conditions of others have changed since, they are
 * taken over and the same status is written again: what was done in this reconcile is known to it alone. After any
 * other conflict the source reads the resource afresh.
 */
async function tryToKeep<T extends WithStatus>(
  { source, writer, comparable = (whole) => whole }: StatusStore<T>,
  resource: T,
  status: NonNullable<T['status']>,
): Promise<Tried> {
  let base = resource;
  let wanted = status;
  for (let attempt = 0; ; attempt += 1) {
    const isSame = isDeepStrictEqual(comparable(inOrder(base.status ?? {})), comparable(inOrder(wanted)));
    if (isSame) return { outcome: 'unchanged', leftOut: [] };
    const result = await writer.write(base, wanted);
    if (result.outcome === 'written') {
      return { outcome: 'written', leftOut: findLeftOut(base.status?.conditions, wanted.conditions) };
    }
    if (result.outcome !== 'conflict') return result;
    const { current } = result;
    if (current === undefined || attempt === maxRebases || !differsByOthersOnly(base, current)) {
      source.refresh(keyOf(resource));
      return { outcome: 'conflict' };
    }
    const conditions = withForeign(oursOf(wanted), current.status?.conditions ?? []);
    wanted = { ...wanted, conditions };
    base = current;
  }
}

const oursOf = ({ conditions = [] }: WithConditions): readonly Condition[] =>
  conditions.filter((condition) => !isForeign(condition));

/** A status without the order of its conditions, which somebody else's server-side apply may change. */
const inOrder = <S extends WithConditions>(status: S): S =>
  status.conditions === undefined
    ? status
    : { ...status, conditions: status.conditions.toSorted((a, b) => (a.type < b.type ? -1 : 1)) };

/** Whether nothing that a status is derived from has changed: another spec, or another controller's status, is no. */
function differsByOthersOnly(before: WithStatus, now: WithStatus): boolean {
  const derivedFrom = ({ metadata, status = {} }: WithStatus): unknown => [
    metadata.uid,
    metadata.generation,
    { ...status, conditions: oursOf(status) },
  ];
  return isDeepStrictEqual(derivedFrom(before), derivedFrom(now));
}
