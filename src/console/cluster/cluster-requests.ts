/** What a person asks a cluster for and writes into it, with the user's own rights. */
import {
  pausedAnnotation,
  reconcileRequestedAtAnnotation,
  observeRequestedAtAnnotation,
} from '../../api/v1alpha1/meta.ts';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { ApiClient, ApiFailure } from '../../kubernetes/api-client.ts';
import { objectPath, virtualMachineMemories } from '../../kubernetes/resource-kind.ts';
import { list, anything, Mismatch, object } from '../../memory/shape.ts';
import type { Seen, SizeSet, SizeWish, WishSet } from '../../operator/backend.ts';
import { readClusterEvents } from '../../operator/cluster-events.ts';
import { specOf } from '../../operator/write-size.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Resource } from '../../runtime/resources.ts';
import type { ShownEvent } from '../../view/events.ts';
import { type ConsoleBackend, Unreachable } from '../backend.ts';
import type { AnnotationWish } from '../wire.ts';
import { type Watched, watchedMemories } from './watched.ts';
import { inWords, unreachable } from './words.ts';

/** Under this name our writes stand in metadata.managedFields; src/view/ownership.ts takes them for a person's. */
const fieldManager = 'dimmer-console';
/** Nobody before the page waits longer. */
const timeoutMs = 10_000;

const eventList = object({ items: list(anything) });

export type ClusterRequestsOptions = {
  readonly client: ApiClient;
  readonly clock: Clock;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
  /** Hears what an answer brought. */
  readonly learn: (memory: Watched<VirtualMachineMemory>) => void;
};

export class ClusterRequests implements Pick<ConsoleBackend, 'get' | 'events' | 'setMemory' | 'wish'> {
  readonly #options: ClusterRequestsOptions;

  constructor(options: ClusterRequestsOptions) {
    this.#options = options;
  }

  async get(namespace: string, name: string): Promise<Seen | null> {
    const path = objectPath(virtualMachineMemories, { namespace, name } as Resource['metadata']);
    const answer = await this.#send({ method: 'GET', path });
    if (!answer.ok) return notThere(answer.error);
    const read = watchedMemories.decode(answer.value);
    if (!read.ok) throw new Unreachable(`${namespace}/${name} can't be read: ${read.error}`);
    this.#options.learn(read.value);
    return read.value.seen;
  }

  async events({ metadata }: VirtualMachineMemory): Promise<readonly ShownEvent[]> {
    const answer = await this.#send({
      method: 'GET',
      path: `/api/v1/namespaces/${encodeURIComponent(metadata.namespace)}/events`,
      query: { fieldSelector: `involvedObject.uid=${metadata.uid}` },
    });
    // Whoever may not see them sees the rest.
    if (!answer.ok) return answer.error.status === 403 ? [] : unreachable(answer.error);
    const read = eventList.read(answer.value);
    return read instanceof Mismatch ? [] : readClusterEvents(read.items);
  }

  async setMemory({ resource }: Seen, wish: SizeWish, dryRun: boolean): Promise<SizeSet> {
    const { resourceVersion } = resource.metadata;
    const patch = { metadata: { resourceVersion }, spec: specOf(wish) };
    const set = await this.#patch(resource, patch, dryRun);
    return set.outcome === 'set' ? { outcome: 'set', by: 'in the cluster' } : set;
  }

  async wish({ resource }: Seen, what: AnnotationWish): Promise<WishSet> {
    if (what === 'resume' && resource.spec.paused === true) {
      return { outcome: 'refused', message: 'spec.paused says that nothing is changed: take it away where it was set' };
    }
    const now = new Date(this.#options.clock.now()).toISOString();
    const annotations = {
      pause: { [pausedAnnotation]: 'true' },
      resume: { [pausedAnnotation]: null },
      retry: { [reconcileRequestedAtAnnotation]: now },
      observe: { [observeRequestedAtAnnotation]: now },
    }[what];
    return this.#patch(resource, { metadata: { uid: resource.metadata.uid, annotations } }, false);
  }

  /** What the API server says no to, it says in its own words. */
  async #patch(resource: VirtualMachineMemory, body: object, dryRun: boolean): Promise<WishSet> {
    const answer = await this.#send({
      method: 'PATCH',
      path: objectPath(virtualMachineMemories, resource.metadata),
      contentType: 'application/merge-patch+json',
      query: { fieldManager, fieldValidation: 'Strict', ...(dryRun ? { dryRun: 'All' } : {}) },
      body,
    });
    if (answer.ok) {
      const read = watchedMemories.decode(answer.value);
      if (read.ok && !dryRun) this.#options.learn(read.value);
      return { outcome: 'set' };
    }
    const { kind, status, message } = answer.error;
    if (kind !== 'status' || status >= 500 || status === 429) return unreachable(answer.error);
    if (status === 409 || status === 404) return { outcome: 'changed' };
    return { outcome: 'refused', message: inWords(message) };
  }

  #send(request: Parameters<ApiClient['send']>[0]): ReturnType<ApiClient['send']> {
    const { client, signal } = this.#options;
    return client.send({ ...request, timeoutMs, signal });
  }
}

function notThere(failure: ApiFailure): null {
  return failure.status === 404 ? null : unreachable(failure);
}
