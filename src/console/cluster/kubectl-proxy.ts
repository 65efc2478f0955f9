/**
 * `kubectl proxy` as a child: the user's own kubectl, with the user's own credentials, which never come to us. It serves a
 * UNIX socket in a directory that nobody else may enter, and never a TCP port: whoever reached that would be the user.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../runtime/clock.ts';
import { sleep } from '../../runtime/sleep.ts';

export type KubectlProxyOptions = {
  /** What of kubectl's own options says which cluster. */
  readonly options: readonly string[];
  readonly clock: Clock;
};

/** All that the console asks for: whoever got at the socket would get no more. */
const acceptPaths = [
  '^/apis/dimmer\\.dev/',
  '^/api/v1/(namespaces/[^/]+/)?events$',
  '^/apis/authorization\\.k8s\\.io/v1/selfsubjectaccessreviews$',
];
/** What it prints once it serves (k8s.io/kubectl, pkg/cmd/proxy). */
const servingLine = 'Starting to serve on';
const againMs = 1_000;
const mostTold = 2_000;

/**
 * How it is started: first so that the kernel ends it with us, whatever becomes of us (util-linux); where there is no such
 * program, it is ended by us alone.
 */
const launchers: readonly (readonly string[])[] = [['setpriv', '--pdeathsig', 'TERM', 'kubectl'], ['kubectl']];

export class KubectlProxy {
  readonly #options: KubectlProxyOptions;
  readonly #stop = new AbortController();
  #directory: string | null = null;
  #child: ChildProcess | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(options: KubectlProxyOptions) {
    this.#options = options;
  }

  /** Where it listens, once it has been started. */
  get socketPath(): string {
    return join(this.#directory ?? '', 'api');
  }

  /** Resolves once it serves; from then on it is started anew when it ends. @throws Error in words where it can't be had */
  async start(): Promise<void> {
    // mkdtemp(3): mode 0700.
    this.#directory = await mkdtemp(join(process.env['XDG_RUNTIME_DIR'] ?? tmpdir(), 'dimmer-console-'));
    const serving = Promise.withResolvers<undefined>();
    this.#running = this.#keepRunning(() => serving.resolve(undefined), serving.reject);
    await serving.promise;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#child?.kill();
    await this.#running;
    if (this.#directory !== null) await rm(this.#directory, { recursive: true, force: true });
  }

  async #keepRunning(onServing: () => void, onFailure: (error: Error) => void): Promise<void> {
    const { clock } = this.#options;
    const served = { once: false };
    for (const launcher of launchers) {
      for (;;) {
        const end = await this.#run(launcher, () => {
          served.once = true;
          onServing();
        });
        if (this.#isStopped()) return;
        if (end.isMissing) break;
        if (!served.once) {
          onFailure(new Error(end.told === '' ? 'kubectl proxy ended at once' : `kubectl: ${end.told}`));
          return;
        }
        await sleep(clock, againMs, this.#stop.signal);
        if (this.#isStopped()) return;
      }
    }
    onFailure(new Error('there is no kubectl on the PATH, which asks the cluster for us'));
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Runs it to its end. `isMissing`: there is no such program. */
  async #run(
    [program = 'kubectl', ...before]: readonly string[],
    onServing: () => void,
  ): Promise<{ readonly isMissing: boolean; readonly told: string }> {
    const child = spawn(
      program,
      [
        ...before,
        'proxy',
        `--unix-socket=${this.socketPath}`,
        `--accept-paths=${acceptPaths.join(',')}`,
        ...this.#options.options,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#child = child;
    let told = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes(servingLine)) onServing();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      told = (told + text).slice(-mostTold);
    });
    const { promise, resolve } = Promise.withResolvers<boolean>();
    child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ENOENT'));
    child.once('close', () => resolve(false));
    const isMissing = await promise;
    this.#child = null;
    // setpriv complains in its own name of what it can't run.
    return { isMissing: isMissing || /^setpriv: [^\n]*kubectl: No such file/.test(told), told: told.trim() };
  }
}
