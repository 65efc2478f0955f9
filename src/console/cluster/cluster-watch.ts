/** What the user may see of a cluster: watched once for all pages, and put onto the board. */
import type { HypervisorHost } from '../../api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { ApiClient } from '../../kubernetes/api-client.ts';
import { Reflector, type ReflectorOptions } from '../../kubernetes/reflector.ts';
import type { Clock } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { Resource } from '../../runtime/resources.ts';
import { sleep } from '../../runtime/sleep.ts';
import type { Board } from '../board.ts';
import { mayUser, type Question } from './access.ts';
import type { Context } from './context.ts';
import { type Watched, watchedHosts, watchedMemories } from './watched.ts';
import { inWords } from './words.ts';
import { withoutManagers } from '../../operator/shown-object.ts';

const againMs = 1_000;

export type ClusterWatchOptions = {
  readonly board: Board;
  readonly client: ApiClient;
  /** Of the command line; null: it names none. */
  readonly namespace: string | null;
  readonly context: Context;
  readonly clock: Clock;
  readonly random: () => number;
};

export class ClusterWatch {
  readonly #options: ClusterWatchOptions;
  readonly #stop = new AbortController();
  #memories: Reflector<Watched<VirtualMachineMemory>> | null = null;
  #hosts: Reflector<Watched<HypervisorHost>> | null = null;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ClusterWatchOptions) {
    this.#options = options;
  }

  /** Begins; what is seen comes onto the board by and by. */
  start(): void {
    this.#looking = this.#look();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#looking;
    await Promise.all([this.#memories?.close(), this.#hosts?.close()]);
  }

  /** What an answer brought is known before the watch tells it. */
  learn(memory: Watched<VirtualMachineMemory>): void {
    this.#memories?.learn(memory);
  }

  /** Finds out what the user may see, as soon as the API server answers, and watches that. */
  async #look(): Promise<void> {
    const { board, namespace, context } = this.#options;
    const { signal } = this.#stop;
    const may = (verb: Question['verb'], resource: Question['resource'], within: string | null): Promise<boolean> =>
      this.#ask({ verb, resource, namespace: within });
    board.setHello({ title: titleOf(context, namespace) });
    const isEverywhere = namespace === null && (await may('list', 'virtualmachinememories', null));
    const only = isEverywhere ? null : (namespace ?? context.namespace);
    const [mayEdit, maySeeHosts] = [
      await may('patch', 'virtualmachinememories', only),
      await may('list', 'hypervisorhosts', null),
    ];
    if (signal.aborted) return;
    board.setHello({ title: titleOf(context, only), canEdit: mayEdit });
    this.#memories = this.#watch(watchedMemories, only, {
      onTrouble: (trouble) => {
        if (trouble === null) board.setConnection('live');
        else board.setConnection(trouble.status === 403 ? 'forbidden' : 'lost', inWords(trouble.message));
      },
    });
    const { source } = this.#memories;
    source.onChange(({ previous, current }) => {
      if (current !== undefined) board.put(current.seen);
      else if (previous !== undefined) board.remove(previous.metadata.namespace, previous.metadata.name);
    });
    source.onSynced(() => {
      board.complete();
    });
    this.#memories.start();
    if (maySeeHosts) this.#watchHosts();
    else board.setHosts(null);
  }

  #watchHosts(): void {
    const { board } = this.#options;
    const reflector = this.#watch(watchedHosts, null, {
      onTrouble: (trouble) => {
        if (trouble?.status === 403) board.setHosts(null);
        else if (trouble === null) tell();
      },
    });
    const { source } = reflector;
    const tell = (): void => {
      const hosts = source.list().toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
      if (source.synced) board.setHosts(hosts.map(({ seen }) => withoutManagers(seen.object)));
    };
    source.onChange(tell);
    source.onSynced(tell);
    this.#hosts = reflector;
    reflector.start();
  }

  #watch<T extends Resource>(
    kind: ReflectorOptions<T>['kind'],
    namespace: string | null,
    more: Pick<ReflectorOptions<T>, 'onTrouble'>,
  ): Reflector<T> {
    const { client, clock, random } = this.#options;
    // Whatever goes wrong is told on the page; what a cluster holds has no business in a log.
    return new Reflector({
      ...{ client, kind, clock, random, logger: silentLogger, ...more },
      ...(namespace === null ? {} : { only: { namespace } }),
    });
  }

  /** Asks until there is an answer. */
  async #ask(question: Question): Promise<boolean> {
    const { board, client, clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const answer = await mayUser(client, question, signal);
      if (typeof answer === 'boolean') {
        board.setConnection('live');
        return answer;
      }
      board.setConnection('lost', inWords(answer));
      await sleep(clock, againMs, signal);
    }
    return false;
  }
}

const titleOf = ({ name }: Context, namespace: string | null): string =>
  [name, namespace ?? 'all namespaces'].filter((part) => part !== '').join(', ');
