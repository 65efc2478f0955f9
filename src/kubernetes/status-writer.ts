/** Writes a status the one safe way: PUT on /status with the resourceVersion and the uid it was derived from. */
import type { Resource, StatusWriter, WriteResult } from '../runtime/resources.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ApiClient } from './api-client.ts';
import { notLeading } from './leader-elector.ts';
import { readResource } from './list.ts';
import { objectPath, type ResourceKind } from './resource-kind.ts';

export type StatusWriterOptions<T extends Resource> = {
  readonly client: ApiClient;
  readonly kind: ResourceKind<T>;
  readonly logger: Logger;
  /** Asked right before each write. Default: always. */
  readonly mayWrite?: () => boolean;
  /** Hears of the object as written, before the watch brings it, so that the next look doesn't see an older one. */
  readonly learn: (object: T) => void;
};

/** A resource that names its own kind; a PUT must repeat it. */
type Typed = Resource & { readonly apiVersion: string; readonly kind: string };

/**
 * A writer of the status of one kind. A patch would be simpler and wrong: a merge patch or a server-side apply with
 * a stale uid is accepted, and lands on an object that was deleted and made anew.
 */
export function createStatusWriter<T extends Typed>(options: StatusWriterOptions<T>): StatusWriter<T> {
  const { client, kind, logger, learn, mayWrite = () => true } = options;

  /** A 409 is said both of an object that has changed and of one that was deleted and made anew. */
  const explainConflict = async ({ metadata }: T): Promise<WriteResult<T>> => {
    const read = await readResource(client, kind, logger, { namespace: metadata.namespace, name: metadata.name });
    if (!read.ok) return { outcome: 'conflict' };
    const current = read.value.object;
    return current?.metadata.uid === metadata.uid ? { outcome: 'conflict', current } : { outcome: 'gone' };
  };

  return {
    async write(resource, status): Promise<WriteResult<T>> {
      if (!mayWrite()) return { outcome: 'failed', message: notLeading, retryable: true };
      const { name, namespace, uid, resourceVersion } = resource.metadata;
      const written = await client.send({
        method: 'PUT',
        path: `${objectPath(kind, resource.metadata)}/status`,
        body: {
          apiVersion: resource.apiVersion,
          kind: resource.kind,
          metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion },
          status,
        },
      });
      if (!written.ok) {
        const { error: failure } = written;
        if (failure.status === 404) return { outcome: 'gone' };
        if (failure.status === 409) return explainConflict(resource);
        const { message, retryable } = failure;
        return { outcome: 'failed', message, retryable, ...(failure.status === 422 ? { refused: true } : {}) };
      }
      const decoded = kind.decode(written.value);
      if (!decoded.ok) return { outcome: 'failed', message: decoded.error, retryable: true };
      learn(decoded.value);
      return { outcome: 'written', resourceVersion: decoded.value.metadata.resourceVersion };
    },
  };
}
