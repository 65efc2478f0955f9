/** The fleet's resources as a user with a fast client sees them: created, patched and watched over open connections. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import type { ControlPlane } from '../../lab/control-plane.ts';
import { waitFor } from '../../lab/wait.ts';

export const namespace = 'tenants';
/** What a busy user's client does side by side. */
const connections = 32;

type WatchEvent = { readonly type: string; readonly object: VirtualMachineMemory };
type Waiting = { readonly memory: string; readonly resolve: (heardAtMs: number) => void };

/** Whether the status says that the VM has `memory` and that this is what the newest spec wants. */
const hasReached = ({ metadata, spec, status }: VirtualMachineMemory, memory: string): boolean =>
  spec.memory === memory &&
  status?.observedGeneration === metadata.generation &&
  status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true;

export class Vms {
  readonly #dispatcher: Agent;
  readonly #url: string;
  readonly #watchDispatcher: Agent;
  readonly #known = new Map<string, VirtualMachineMemory>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #stop = new AbortController();
  #version: string | null = null;
  /** Writes of status, ever since the watch began: events that change no spec. */
  statusWrites = 0;

  constructor({ adminKubeconfig, caPem, url }: ControlPlane) {
    const config = JSON.parse(readFileSync(adminKubeconfig, 'utf8')) as {
      users: { user: { 'client-certificate': string; 'client-key': string } }[];
    };
    const user = config.users[0]?.user;
    if (user === undefined) throw new Error('the admin kubeconfig has no user');
    const connect = {
      ca: caPem,
      cert: readFileSync(user['client-certificate']),
      key: readFileSync(user['client-key']),
    };
    this.#dispatcher = new Agent({ connect, connections });
    this.#watchDispatcher = new Agent({ connect, bodyTimeout: 0 });
    this.#url = url;
  }

  get #collection(): string {
    return `${this.#url}/apis/dimmer.dev/v1alpha1/namespaces/${namespace}/virtualmachinememories`;
  }

  async #send(method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', url: string, body?: object): Promise<string> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const response = await request(url, {
      dispatcher: this.#dispatcher,
      method,
      headers: { 'content-type': type },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`${method} ${url}: ${response.statusCode} ${text}`);
    return text;
  }

  create(name: string, spec: object): Promise<string> {
    return this.#send('POST', this.#collection, {
      ...{ apiVersion: 'dimmer.dev/v1alpha1', kind: 'VirtualMachineMemory', metadata: { name, namespace }, spec },
    });
  }

  async patch(name: string, spec: object): Promise<VirtualMachineMemory> {
    return JSON.parse(await this.#send('PATCH', `${this.#collection}/${name}`, { spec })) as VirtualMachineMemory;
  }

  async putStatus(object: VirtualMachineMemory): Promise<VirtualMachineMemory> {
    const url = `${this.#collection}/${object.metadata.name}/status`;
    return JSON.parse(await this.#send('PUT', url, object)) as VirtualMachineMemory;
  }

  remove(name: string): Promise<string> {
    return this.#send('DELETE', `${this.#collection}/${name}`);
  }

  /** The sum of a counter of the API server. */
  async serverCounter(name: string): Promise<number> {
    const metrics = await this.#send('GET', `${this.#url}/metrics`);
    const lines = metrics.split('\n').filter((line) => line.startsWith(`${name}{`));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  known(name: string): VirtualMachineMemory | undefined {
    return this.#known.get(name);
  }

  /** Resolves with the moment at which the watch tells that the VM has `memory`, by the monotonic clock. */
  reaches(name: string, memory: string): Promise<number> {
    const known = this.#known.get(name);
    if (known !== undefined && hasReached(known, memory)) return Promise.resolve(performance.now());
    return new Promise((resolve) => this.#waiting.set(name, { memory, resolve }));
  }

  /** Begins to watch; resolves when the watch is open. */
  async watch(): Promise<void> {
    void this.#follow(await this.#openWatch()).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }

  /** A server that has only just heard of the kind says 429 for a while. */
  #openWatch(): Promise<AsyncIterable<Buffer>> {
    const from = this.#version === null ? '' : `&resourceVersion=${this.#version}`;
    return waitFor(
      async () => {
        const response = await request(`${this.#collection}?watch=1&allowWatchBookmarks=true${from}`, {
          ...{ dispatcher: this.#watchDispatcher, signal: this.#stop.signal },
        });
        if (response.statusCode === 200) return response.body;
        await response.body.dump();
        return undefined;
      },
      { what: 'the watch to be open', timeoutMs: 30_000, intervalMs: 500 },
    );
  }

  async #follow(first: AsyncIterable<Buffer>): Promise<void> {
    // The server ends a watch when it likes; the next one goes on where it stood.
    for (let body = first; ; body = await this.#openWatch()) {
      let rest = '';
      for await (const chunk of body) {
        const heardAtMs = performance.now();
        const lines = (rest + chunk.toString('utf8')).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.#hear(JSON.parse(line) as WatchEvent, heardAtMs);
      }
    }
  }

  #hear({ type, object }: WatchEvent, heardAtMs: number): void {
    if (type === 'ERROR') throw new Error(`the watch of the benchmark: ${JSON.stringify(object)}`);
    this.#version = object.metadata.resourceVersion;
    if (type === 'DELETED') this.#known.delete(object.metadata.name);
    else if (type !== 'BOOKMARK') this.#take(object, heardAtMs);
  }

  #take(object: VirtualMachineMemory, heardAtMs: number): void {
    const { name, generation } = object.metadata;
    if (this.#known.get(name)?.metadata.generation === generation) this.statusWrites += 1;
    this.#known.set(name, object);
    const waiting = this.#waiting.get(name);
    if (waiting === undefined || !hasReached(object, waiting.memory)) return;
    this.#waiting.delete(name);
    waiting.resolve(heardAtMs);
  }

  close(): void {
    this.#stop.abort();
    void this.#dispatcher.destroy();
    void this.#watchDispatcher.destroy();
  }
}

/** Runs `work` for every item, so many at once as a busy client has connections. */
export async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: connections }, worker));
}
