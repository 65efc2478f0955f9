/** A cluster behind the console: watched once for all pages, and changed with the user's own rights. */
import { Agent } from 'undici';
import {
  pausedAnnotation,
  reconcileRequestedAtAnnotation,
  observeRequestedAtAnnotation,
} from '../../api/v1alpha1/meta.ts';
import type { HypervisorHost } from '../../api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { type ApiClient, type ApiFailure, createApiClient } from '../../kubernetes/api-client.ts';
import { Reflector, type ReflectorOptions } from '../../kubernetes/reflector.ts';
import { objectPath, virtualMachineMemories } from '../../kubernetes/resource-kind.ts';
import { list, anything, Mismatch, object } from '../../memory/shape.ts';
import type { Seen, SizeSet, SizeWish, WishSet } from '../../operator/backend.ts';
import { readClusterEvents } from '../../operator/cluster-events.ts';
import { type ClusterPlace, Kubectl } from '../../operator/kubectl.ts';
import { specOf } from '../../operator/write-size.ts';
import type { Clock } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { Resource } from '../../runtime/resources.ts';
import { sleep } from '../../runtime/sleep.ts';
import type { ShownEvent } from '../../view/events.ts';
import { type ConsoleBackend, Unreachable } from '../backend.ts';
import { Board } from '../board.ts';
import type { AnnotationWish } from '../wire.ts';
import { mayUser, type Question } from './access.ts';
import { type Context, readContext } from './context.ts';
import { KubectlProxy } from './kubectl-proxy.ts';
import { type Watched, watchedHosts, watchedMemories } from './watched.ts';

/** Under this name our writes stand in metadata.managedFields; src/view/ownership.ts takes them for a person's. */
const fieldManager = 'dimmer-console';
const againMs = 1_000;

export type ClusterConsoleOptions = {
  readonly place: ClusterPlace;
  readonly version: string;
  readonly clock: Clock;
  readonly random: () => number;
};

const eventList = object({ items: list(anything) });

export class ClusterConsole implements ConsoleBackend {
  readonly board: Board;
  readonly #options: ClusterConsoleOptions;
  readonly #stop = new AbortController();
  readonly #proxy: KubectlProxy;
  #agent: Agent | null = null;
  #client: ApiClient | null = null;
  #memories: Reflector<Watched<VirtualMachineMemory>> | null = null;
  #hosts: Reflector<Watched<HypervisorHost>> | null = null;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ClusterConsoleOptions) {
    this.#options = options;
    const { version, clock } = options;
    this.board = new Board({ place: 'cluster', title: '', canEdit: true, version });
    this.#proxy = new KubectlProxy({ options: kubectlOptions(options.place), clock });
  }

  async start(): Promise<void> {
    const context = await readContext(new Kubectl(this.#options.place, this.#stop.signal));
    await this.#proxy.start();
    const agent = new Agent({ connect: { socketPath: this.#proxy.socketPath } });
    this.#agent = agent;
    // By its Host header kubectl proxy knows who comes by this machine's own name.
    const access = { server: 'http://localhost', headers: {}, dispatcher: agent };
    this.#client = createApiClient({
      current: () => Promise.resolve(access),
      invalidate: () => undefined,
      close: () => Promise.resolve(),
    });
    this.#looking = this.#look(this.#client, context);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#looking;
    await Promise.all([this.#memories?.close(), this.#hosts?.close()]);
    await this.#agent?.destroy();
    await this.#proxy.close();
  }

  /** Finds out what the user may see, as soon as the API server answers, and watches that. */
  async #look(client: ApiClient, context: Context): Promise<void> {
    const { signal } = this.#stop;
    const may = (verb: Question['verb'], resource: Question['resource'], namespace: string | null): Promise<boolean> =>
      this.#ask(client, { verb, resource, namespace });
    const { namespace } = this.#options.place;
    this.board.setHello({ title: titleOf(context, namespace) });
    const isEverywhere = namespace === null && (await may('list', 'virtualmachinememories', null));
    const only = isEverywhere ? null : (namespace ?? context.namespace);
    const [mayEdit, maySeeHosts] = [
      await may('patch', 'virtualmachinememories', only),
      await may('list', 'hypervisorhosts', null),
    ];
    if (signal.aborted) return;
    this.board.setHello({ title: titleOf(context, only), canEdit: mayEdit });
    this.#memories = this.#watch(watchedMemories, only, client, {
      onTrouble: (trouble) => {
        if (trouble === null) this.board.setConnection('live');
        else this.board.setConnection(trouble.status === 403 ? 'forbidden' : 'lost', inWords(trouble.message));
      },
    });
    const { source } = this.#memories;
    source.onChange(({ previous, current }) => {
      if (current !== undefined) this.board.put(current.seen);
      else if (previous !== undefined) this.board.remove(previous.metadata.namespace, previous.metadata.name);
    });
    source.onSynced(() => {
      this.board.complete();
    });
    this.#memories.start();
    if (maySeeHosts) this.#watchHosts(client);
    else this.board.setHosts(null);
  }

  #watchHosts(client: ApiClient): void {
    const reflector = this.#watch(watchedHosts, null, client, {
      onTrouble: (trouble) => {
        if (trouble?.status === 403) this.board.setHosts(null);
        else if (trouble === null) tell();
      },
    });
    const { source } = reflector;
    const tell = (): void => {
      const hosts = source.list().toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
      if (source.synced) this.board.setHosts(hosts.map(({ seen }) => withoutManagers(seen.object)));
    };
    source.onChange(tell);
    source.onSynced(tell);
    this.#hosts = reflector;
    reflector.start();
  }

  #watch<T extends Resource>(
    kind: ReflectorOptions<T>['kind'],
    namespace: string | null,
    client: ApiClient,
    more: Pick<ReflectorOptions<T>, 'onTrouble'>,
  ): Reflector<T> {
    const { clock, random } = this.#options;
    // Whatever goes wrong is told on the page; what a cluster holds has no business in a log.
    return new Reflector({
      ...{ client, kind, clock, random, logger: silentLogger, ...more },
      ...(namespace === null ? {} : { only: { namespace } }),
    });
  }

  /** Asks until there is an answer. */
  async #ask(client: ApiClient, question: Question): Promise<boolean> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const answer = await mayUser(client, question, signal);
      if (typeof answer === 'boolean') {
        this.board.setConnection('live');
        return answer;
      }
      this.board.setConnection('lost', inWords(answer));
      await sleep(this.#options.clock, againMs, signal);
    }
    return false;
  }

  async get(namespace: string, name: string): Promise<Seen | null> {
    const path = objectPath(virtualMachineMemories, { namespace, name } as Resource['metadata']);
    const answer = await this.#send({ method: 'GET', path });
    if (!answer.ok) return notThere(answer.error);
    const read = watchedMemories.decode(answer.value);
    if (!read.ok) throw new Unreachable(`${namespace}/${name} can't be read: ${read.error}`);
    this.#memories?.learn(read.value);
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
      if (read.ok && !dryRun) this.#memories?.learn(read.value);
      return { outcome: 'set' };
    }
    const { kind, status, message } = answer.error;
    if (kind !== 'status' || status >= 500 || status === 429) return unreachable(answer.error);
    if (status === 409 || status === 404) return { outcome: 'changed' };
    return { outcome: 'refused', message: inWords(message) };
  }

  #send(request: Parameters<ApiClient['send']>[0]): ReturnType<ApiClient['send']> {
    if (this.#client === null) throw new Unreachable('the cluster is not reached yet');
    return this.#client.send({ ...request, timeoutMs: 10_000, signal: this.#stop.signal });
  }
}

/** The words that say which cluster. */
const kubectlOptions = ({ context, kubeconfig }: ClusterPlace): readonly string[] =>
  Object.entries({ context, kubeconfig }).flatMap(([name, value]) => (value === null ? [] : [`--${name}=${value}`]));

const titleOf = ({ name }: Context, namespace: string | null): string =>
  [name, namespace ?? 'all namespaces'].filter((part) => part !== '').join(', ');

/** A failure begins with its status, which is nothing for people. */
const inWords = (message: string): string => message.replace(/^\d{3}: /, '').trim();

function unreachable({ message }: ApiFailure): never {
  throw new Unreachable(`the API server does not answer: ${inWords(message)}`);
}

function notThere(failure: ApiFailure): null {
  return failure.status === 404 ? null : unreachable(failure);
}

/** As `kubectl get` prints it: without what only conflicts need. */
function withoutManagers(item: object): object {
  const { metadata, ...rest } = item as { readonly metadata?: Readonly<Record<string, unknown>> };
  const { managedFields: _, ...shown } = metadata ?? {};
  return { ...rest, metadata: shown };
}
