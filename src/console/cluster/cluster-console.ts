/** A cluster behind the console: reached by the user's own kubectl, watched for all pages, changed with the user's own rights. */
import { Agent } from 'undici';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { createApiClient } from '../../kubernetes/api-client.ts';
import type { Seen, SizeSet, SizeWish, WishSet } from '../../operator/backend.ts';
import { type ClusterPlace, Kubectl } from '../../operator/kubectl.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ShownEvent } from '../../view/events.ts';
import { type ConsoleBackend, Unreachable } from '../backend.ts';
import { Board } from '../board.ts';
import type { AnnotationWish } from '../wire.ts';
import { ClusterRequests } from './cluster-requests.ts';
import { ClusterWatch } from './cluster-watch.ts';
import { readContext } from './context.ts';
import { KubectlProxy } from './kubectl-proxy.ts';

export type ClusterConsoleOptions = {
  readonly place: ClusterPlace;
  readonly version: string;
  readonly clock: Clock;
  readonly random: () => number;
};

export class ClusterConsole implements ConsoleBackend {
  readonly board: Board;
  readonly #options: ClusterConsoleOptions;
  readonly #stop = new AbortController();
  readonly #proxy: KubectlProxy;
  #agent: Agent | null = null;
  #watch: ClusterWatch | null = null;
  #requests: ClusterRequests | null = null;

  constructor(options: ClusterConsoleOptions) {
    this.#options = options;
    const { version, clock } = options;
    this.board = new Board({ place: 'cluster', title: '', canEdit: true, version });
    this.#proxy = new KubectlProxy({ options: kubectlOptions(options.place), clock });
  }

  async start(): Promise<void> {
    const { place, clock, random } = this.#options;
    const { signal } = this.#stop;
    const context = await readContext(new Kubectl(place, signal));
    await this.#proxy.start();
    const agent = new Agent({ connect: { socketPath: this.#proxy.socketPath } });
    this.#agent = agent;
    // By its Host header kubectl proxy knows who comes by this machine's own name.
    const access = { server: 'http://localhost', headers: {}, dispatcher: agent };
    const client = createApiClient({
      current: () => Promise.resolve(access),
      invalidate: () => undefined,
      close: () => Promise.resolve(),
    });
    const watch = new ClusterWatch({
      ...{ board: this.board, namespace: place.namespace },
      ...{ client, context, clock, random },
    });
    this.#watch = watch;
    this.#requests = new ClusterRequests({ client, clock, signal, learn: (memory) => watch.learn(memory) });
    watch.start();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watch?.close();
    await this.#agent?.destroy();
    await this.#proxy.close();
  }

  // Async, so that what is asked too early is refused like what isn't answered.
  async get(namespace: string, name: string): Promise<Seen | null> {
    return this.#ask().get(namespace, name);
  }

  async events(resource: VirtualMachineMemory): Promise<readonly ShownEvent[]> {
    return this.#ask().events(resource);
  }

  async setMemory(seen: Seen, wish: SizeWish, dryRun: boolean): Promise<SizeSet> {
    return this.#ask().setMemory(seen, wish, dryRun);
  }

  async wish(seen: Seen, what: AnnotationWish): Promise<WishSet> {
    return this.#ask().wish(seen, what);
  }

  #ask(): ClusterRequests {
    if (this.#requests === null) throw new Unreachable('the cluster is not reached yet');
    return this.#requests;
  }
}

/** The words that say which cluster. */
const kubectlOptions = ({ context, kubeconfig }: ClusterPlace): readonly string[] =>
  Object.entries({ context, kubeconfig }).flatMap(([name, value]) => (value === null ? [] : [`--${name}=${value}`]));
