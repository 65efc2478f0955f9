/** Complete sets of resources. */
import { keyOf, type Resource } from '../runtime/resources.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ApiClient, ApiFailure, ApiResult } from './api-client.ts';
import { anything, list, Mismatch, object, orElse, text } from '../memory/shape.ts';
import { collectionPath, type ResourceKind } from './resource-kind.ts';
import { fail, type Result } from '../memory/result.ts';

export type ResourceList<T> = { readonly items: readonly T[]; readonly resourceVersion: string };

export type ListOptions = {
  readonly namespace?: string | undefined;
  /** Only the object of this name. */
  readonly name?: string;
  /** Only objects that have this label. */
  readonly label?: string;
  readonly pageSize?: number;
  /** For each page. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

/** client-go's page size. */
const defaultPageSize = 500;

const garbled = (message: string): Result<never, ApiFailure> =>
  fail({ kind: 'garbled', status: 0, reason: '', message, retryable: true });

/** As the queries of a list and of a watch say what is wanted. */
export const selectorsOf = ({
  name,
  label,
}: Pick<ListOptions, 'name' | 'label'>): Readonly<Record<string, string>> => ({
  ...(name === undefined ? {} : { fieldSelector: `metadata.name=${name}` }),
  ...(label === undefined ? {} : { labelSelector: label }),
});

const listPage = object({
  metadata: object({ resourceVersion: text(), continue: orElse('', text()) }),
  items: list(anything),
});

/**
 * All objects of a kind as of one moment, read in pages. Without a resourceVersion in the request the answer is never
 * older than anything seen before, whichever API server gives it. Objects of which nothing can be made are left out and logged.
 */
export async function listResources<T extends Resource>(
  client: ApiClient,
  kind: ResourceKind<T>,
  logger: Logger,
  options: ListOptions = {},
): Promise<ApiResult<ResourceList<T>>> {
  const items: T[] = [];
  let continuation = '';
  for (;;) {
    const page = await client.send({
      method: 'GET',
      path: collectionPath(kind, options.namespace),
      query: {
        limit: String(options.pageSize ?? defaultPageSize),
        ...(continuation === '' ? {} : { continue: continuation }),
        ...selectorsOf(options),
      },
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    if (!page.ok) return page;
    const read = listPage.read(page.value);
    if (read instanceof Mismatch) return garbled('the answer to a list is not a list');
    const { resourceVersion } = read.metadata;
    for (const raw of read.items) {
      const decoded = kind.decode(raw);
      if (decoded.ok) items.push(decoded.value);
      else logger.error({ kind: kind.kind, problem: decoded.error }, 'passing over a malformed object');
    }
    continuation = read.metadata.continue;
    if (continuation === '') return { ok: true, value: { items, resourceVersion } };
  }
}

/** One object as of now, or its absence as of a resource version. */
export async function readResource<T extends Resource>(
  client: ApiClient,
  kind: ResourceKind<T>,
  logger: Logger,
  target: { readonly namespace: string | undefined; readonly name: string; readonly timeoutMs?: number },
): Promise<ApiResult<{ readonly object: T | undefined; readonly resourceVersion: string }>> {
  // A list of one: unlike a 404, an empty list says as of which resource version there is nothing.
  const listed = await listResources(client, kind, logger, target);
  if (!listed.ok) return listed;
  const { items, resourceVersion } = listed.value;
  const key = target.namespace === undefined ? target.name : `${target.namespace}/${target.name}`;
  return { ok: true, value: { object: items.find((item) => keyOf(item) === key), resourceVersion } };
}
