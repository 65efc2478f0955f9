/** A standalone behind the console: its state directory, watched once for all pages, and its manifests, edited in place. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { Seen, SizeSet, SizeWish, WishSet } from '../../operator/backend.ts';
import type { StandaloneBackend } from '../../operator/standalone-backend.ts';
import { judgeResize } from '../../operator/write-size.ts';
import type { Clock } from '../../runtime/clock.ts';
import { sleep } from '../../runtime/sleep.ts';
import type { ShownEvent } from '../../view/events.ts';
import { fullName } from '../../view/subject.ts';
import { type ConsoleBackend, Unreachable } from '../backend.ts';
import { Board } from '../board.ts';
import type { AnnotationWish } from '../wire.ts';

const againMs = 1_000;
/** Whether the process that keeps it all up to date has been killed, no file tells. */
const aliveMs = 5_000;

export type StandaloneConsoleOptions = {
  readonly backend: StandaloneBackend;
  readonly version: string;
  readonly clock: Clock;
};

export class StandaloneConsole implements ConsoleBackend {
  readonly board: Board;
  readonly #options: StandaloneConsoleOptions;
  readonly #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: StandaloneConsoleOptions) {
    this.#options = options;
    this.board = new Board({ place: 'standalone', title: hostname(), canEdit: true, version: options.version });
  }

  async start(): Promise<void> {
    const { backend } = this.#options;
    // One that isn't there is an error, and not waited for.
    await backend.list();
    const manifests = await backend.manifests();
    const canEdit = manifests !== null && (await access(manifests, constants.W_OK).then(yes, no));
    this.board.setHello({ canEdit });
    this.#running = Promise.all([this.#follow(), this.#lookForProcess()]);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #follow(): Promise<void> {
    const { backend, clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        for await (const all of backend.follow(null, signal)) {
          this.board.replace(all);
          this.board.setHosts((await backend.hosts()).hosts.map(({ object }) => object));
          this.board.setTrouble(troubleOf(backend));
          this.board.setConnection('live');
        }
      } catch (error) {
        this.board.setConnection('lost', error instanceof Error ? error.message : String(error));
        await sleep(clock, againMs, signal);
      }
    }
  }

  async #lookForProcess(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await sleep(this.#options.clock, aliveMs, signal);
      this.board.setTrouble(troubleOf(this.#options.backend));
    }
  }

  async get(namespace: string, name: string): Promise<Seen | null> {
    const all = await this.#options.backend.list().catch(unreachable);
    this.board.replace(all);
    return this.board.find(namespace, name);
  }

  events(resource: VirtualMachineMemory): Promise<readonly ShownEvent[]> {
    return this.#options.backend.events(resource).catch(unreachable);
  }

  setMemory(seen: Seen, wish: SizeWish, dryRun: boolean): Promise<SizeSet> {
    const { plan, verdict } = judgeResize(seen.resource, wish);
    if (verdict === 'impossible') {
      // What the admission of a cluster would say.
      const message = `${fullName(seen.resource)}: ${plan?.plan.message ?? 'this size can not be had'}`;
      return Promise.resolve({ outcome: 'refused', message });
    }
    return this.#options.backend.setMemory(seen, wish, dryRun).catch(unreachable);
  }

  async wish(seen: Seen, what: AnnotationWish): Promise<WishSet> {
    const { backend } = this.#options;
    switch (what) {
      case 'pause':
      case 'resume':
        return backend.setPaused(seen, what === 'pause').catch(unreachable);
      case 'retry':
      case 'observe':
        return backend.ask(seen, what, new Date(this.#options.clock.now()).toISOString()).catch(unreachable);
      default:
        return what satisfies never;
    }
  }
}

const yes = (): boolean => true;
const no = (): boolean => false;

const troubleOf = (backend: StandaloneBackend): { problems: string[]; note: string | null } => {
  const { problems, note } = backend.trouble(null);
  return { problems: [...problems], note };
};

function unreachable(error: unknown): never {
  throw new Unreachable(error instanceof Error ? error.message : String(error));
}
