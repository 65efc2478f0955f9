/** Writes the finalizers of a resource, and nothing else of it: deploy/ lets the controller do no more. */
import type { FinalizerWriter, Resource, WriteResult } from '../runtime/resources.ts';
import type { ApiClient } from './api-client.ts';
import { notLeading } from './leader-elector.ts';
import { objectPath, type ResourceKind } from './resource-kind.ts';

export type FinalizerWriterOptions<T extends Resource> = {
  readonly client: ApiClient;
  readonly kind: ResourceKind<T>;
  /** Asked right before each write. Default: always. */
  readonly mayWrite?: () => boolean;
  /** Hears of the object as written, where it is still there, before the watch brings it. */
  readonly learn: (object: T) => void;
};

type Deletable = Resource & {
  readonly metadata: {
    readonly deletionTimestamp?: string | undefined;
    readonly finalizers?: readonly string[] | undefined;
  };
};

/**
 * A writer of finalizers. A merge patch replaces the list, so that it carries the resourceVersion: what somebody else has
 * added meanwhile is a conflict, and an object that was deleted and made anew has another one.
 */
export function createFinalizerWriter<T extends Deletable>(options: FinalizerWriterOptions<T>): FinalizerWriter<T> {
  const { client, kind, learn, mayWrite = () => true } = options;
  return {
    async write({ metadata }, finalizers): Promise<WriteResult<T>> {
      if (!mayWrite()) return { outcome: 'failed', message: notLeading, retryable: true };
      const { uid, resourceVersion } = metadata;
      const written = await client.send({
        method: 'PATCH',
        path: objectPath(kind, metadata),
        contentType: 'application/merge-patch+json',
        body: { metadata: { uid, resourceVersion, finalizers } },
      });
      if (!written.ok) {
        const { status, message, retryable } = written.error;
        if (status === 404) return { outcome: 'gone' };
        return status === 409 ? { outcome: 'conflict' } : { outcome: 'failed', message, retryable };
      }
      const decoded = kind.decode(written.value);
      if (!decoded.ok) return { outcome: 'failed', message: decoded.error, retryable: true };
      const { deletionTimestamp, finalizers: left = [], resourceVersion: version } = decoded.value.metadata;
      // The last finalizer of an object that is being deleted takes it along.
      if (deletionTimestamp === undefined || left.length > 0) learn(decoded.value);
      return { outcome: 'written', resourceVersion: version };
    },
  };
}
