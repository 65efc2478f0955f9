/**
 * Reading and writing status at one exit. Between our write and the moment the source delivers it, the source still
 * holds the object as it was before; the keeper puts what we wrote in its place, so that a reconcile never judges by
 * a status (a quarantine, say) that it has itself replaced.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Resource, ResourceSource, StatusWriter, WriteResult } from '../runtime/resources.ts';
import { keyOf } from '../runtime/resources.ts';

type WithStatus = Resource & { readonly status?: object };
type Written<T> = { readonly from: string; readonly object: T };

/** `unchanged`: the status was as derived already. */
export type KeptResult = WriteResult | { readonly outcome: 'unchanged' };

/** See the file's comment. */
export class StatusKeeper<T extends WithStatus> {
  readonly #source: ResourceSource<T>;
  readonly #writer: StatusWriter<T>;
  readonly #written = new Map<string, Written<T>>();

  constructor(source: ResourceSource<T>, writer: StatusWriter<T>) {
    this.#source = source;
    this.#writer = writer;
  }

  /** The resource with the newest status known here. */
  get(key: string): T | undefined {
    const resource = this.#source.get(key);
    const written = this.#written.get(key);
    if (resource !== undefined && written?.from === resource.metadata.resourceVersion) return written.object;
    this.#written.delete(key);
    return resource;
  }

  /** Writes `status` if it differs from what `resource` has. */
  async write(resource: T, status: NonNullable<T['status']>): Promise<KeptResult> {
    if (isDeepStrictEqual(resource.status ?? {}, status)) return { outcome: 'unchanged' };
    const key = keyOf(resource);
    const result = await this.#writer.write(resource, status);
    if (result.outcome === 'written') {
      const metadata = { ...resource.metadata, resourceVersion: result.resourceVersion };
      // What the source holds now is what this write replaces, be it older than `resource` itself.
      const from = this.#source.get(key)?.metadata.resourceVersion;
      if (from !== undefined && from !== result.resourceVersion) {
        this.#written.set(key, { from, object: { ...resource, metadata, status } });
      }
    } else if (result.outcome === 'conflict') {
      this.#written.delete(key);
      this.#source.refresh(key);
    }
    return result;
  }
}
