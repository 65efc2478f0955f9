/** The user's own kubectl, with the user's own context and rights: what asks a cluster for an operator's commands. */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { Told } from './told.ts';

export type KubectlAnswer = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Which cluster, and what of it; null: kubectl's own choice. */
export type ClusterPlace = {
  readonly namespace: string | null;
  readonly context: string | null;
  readonly kubeconfig: string | null;
};

type Running = {
  readonly stdout: Readable;
  readonly stderr: Readable | null;
  /** Its exit code; one that a signal ended counts as failed. Rejects where it can't be started. */
  readonly ended: Promise<number>;
  readonly stop: () => void;
};

export class Kubectl {
  readonly #options: readonly string[];
  readonly #signal: AbortSignal;

  constructor({ namespace, context, kubeconfig }: ClusterPlace, signal: AbortSignal) {
    this.#options = Object.entries({ namespace, context, kubeconfig }).flatMap(([name, value]) =>
      value === null ? [] : [`--${name}=${value}`],
    );
    this.#signal = signal;
  }

  /** Runs it to its end, with its complaints for us to judge. @throws Error where there is no kubectl */
  async run(args: readonly string[]): Promise<KubectlAnswer> {
    const running = this.#start(args, 'pipe');
    const [code, stdout, stderr] = await Promise.all([
      running.ended,
      textOf(running.stdout),
      running.stderr === null ? '' : textOf(running.stderr),
    ]);
    return { code, stdout, stderr };
  }

  /** What it prints as JSON. What it complains of goes to the user as it stands. @throws Told where it fails */
  async read(args: readonly string[]): Promise<unknown> {
    const { ended, stdout } = this.#start([...args, '--output=json'], 'inherit');
    const [code, text] = await Promise.all([ended, textOf(stdout)]);
    if (code !== 0) throw new Told();
    return JSON.parse(text);
  }

  /** What it prints for every change, a line each, until it ends by itself or `signal`. @throws Told where it fails */
  async *watch(args: readonly string[], signal: AbortSignal): AsyncGenerator {
    const { ended, stdout, stop } = this.#start(
      [...args, '--watch', '--output-watch-events', '--output=json'],
      'inherit',
    );
    signal.addEventListener('abort', stop);
    try {
      if (signal.aborted) return;
      let text = '';
      for await (const chunk of stdout.setEncoding('utf8')) {
        const parts = (text + String(chunk)).split('\n');
        text = parts.pop() ?? '';
        for (const line of parts) if (line !== '') yield JSON.parse(line);
      }
      const code = await ended;
      if (code !== 0 && !hasEnded(signal)) throw new Told();
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
    }
  }

  #start(args: readonly string[], stderr: 'pipe' | 'inherit'): Running {
    // Standard input is the user's: what asks for a password there is kubectl's business.
    const child = spawn('kubectl', [...args, ...this.#options], { stdio: ['inherit', 'pipe', stderr] });
    const { stdout } = child;
    if (stdout === null) throw new Error('kubectl could not be started');
    const stop = (): void => void child.kill();
    this.#signal.addEventListener('abort', stop);
    const ended = new Promise<number>((resolve, reject) => {
      child.once('close', (code) => resolve(code ?? 1));
      child.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          error.code === 'ENOENT'
            ? new Error('there is no kubectl on the PATH, which asks the cluster for us', { cause: error })
            : error,
        ),
      );
    }).finally(() => this.#signal.removeEventListener('abort', stop));
    // Whoever only reads what it prints hears of it when that ends.
    ended.catch(() => undefined);
    return { stdout, stderr: child.stderr, ended, stop };
  }
}

/** Whether it has been aborted by now. */
const hasEnded = (signal: AbortSignal): boolean => signal.aborted;

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) text += String(chunk);
  return text;
}
