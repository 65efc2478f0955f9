/** Writing status at one exit, only if it changed. */
import { isDeepStrictEqual } from 'node:util';
import {
  keyOf,
  type Resource,
  type ResourceSource,
  type StatusWriter,
  type WriteResult,
} from '../runtime/resources.ts';

type WithStatus = Resource & { readonly status?: object };

/** `unchanged`: the status was as derived already. */
export type KeptResult = WriteResult | { readonly outcome: 'unchanged' };

/** A source of resources and the writer of their status. */
export type StatusStore<T extends WithStatus> = {
  readonly source: ResourceSource<T>;
  readonly writer: StatusWriter<T>;
};

/** Writes `status` if it differs from what `resource` has. After a conflict the source reads the resource afresh. */
export async function keepStatus<T extends WithStatus>(
  { source, writer }: StatusStore<T>,
  resource: T,
  status: NonNullable<T['status']>,
): Promise<KeptResult> {
  if (isDeepStrictEqual(resource.status ?? {}, status)) return { outcome: 'unchanged' };
  const result = await writer.write(resource, status);
  if (result.outcome === 'conflict') source.refresh(keyOf(resource));
  return result;
}
